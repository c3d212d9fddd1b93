"""What is left of a region when its mask is brought to the latent grid."""

from __future__ import annotations

import pandas as pd
import torch

from fairhuman.data import HumanFolder
from fairhuman.regions import latent_mask

__all__ = ["latent_mask_table"]


def latent_mask_table(data: HumanFolder, factor: int = 8) -> pd.DataFrame:
    """Areas of the regions of a data set, in pixels and on the latent grid in both mask modes.

    Args:
        data: Its masks are taken at their own size.
        factor: Pixels along the side of a latent cell.

    Returns:
        One row for each image and region it has: ``image``, ``region``, ``pixels`` (share of the image),
        ``soft`` and ``hard`` (share of the latent grid, see :func:`fairhuman.regions.latent_mask`).

    Raises:
        ValueError: An image smaller than a cell.
    """
    rows = []
    for index in range(len(data)):
        for region, values in data[index].masks.items():
            mask = torch.tensor(values, dtype=torch.float32)[None, None] / 255
            if not mask.any():
                continue
            grid = (mask.shape[2] // factor, mask.shape[3] // factor)
            areas = {mode: latent_mask(mask, grid, mode).mean().item() for mode in ("soft", "hard")}
            rows.append({"image": index, "region": region, "pixels": mask.mean().item()} | areas)
    return pd.DataFrame(rows, columns=["image", "region", "pixels", "soft", "hard"])
