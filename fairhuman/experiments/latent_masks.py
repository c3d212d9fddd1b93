"""What is left of a region when its mask is brought to the latent grid."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import Tensor

from fairhuman.data import HumanFolder
from fairhuman.regions import MaskMode, latent_mask

if TYPE_CHECKING:
    import numpy as np

    from fairhuman.data import HumanSample

__all__ = ["latent_grids", "latent_mask_table"]


def latent_grids(
    samples: Sequence[HumanSample], mode: MaskMode = "soft", factor: int = 8
) -> list[dict[str, np.ndarray]]:
    """The masks of each sample on the latent grid: region → shape (h, w), values in [0, 1].

    Args:
        samples: Masks are taken at their original size.
        mode: See :func:`fairhuman.regions.latent_mask`.
        factor: Pixels along the side of a latent cell.

    Raises:
        ValueError: An image smaller than a cell.
    """
    return [
        {region: _on_grid(_pixels(values), mode, factor)[0, 0].numpy() for region, values in s.masks.items()}
        for s in samples
    ]


def latent_mask_table(data: HumanFolder, factor: int = 8) -> pd.DataFrame:
    """Areas of the regions of a data set, in pixels and on the latent grid in both mask modes.

    Args:
        data: Its masks are taken at their original size.
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
            mask = _pixels(values)
            if not mask.any():
                continue
            areas = {mode: _on_grid(mask, mode, factor).mean().item() for mode in ("soft", "hard")}
            rows.append({"image": index, "region": region, "pixels": mask.mean().item()} | areas)
    return pd.DataFrame(rows, columns=["image", "region", "pixels", "soft", "hard"])


def _pixels(values: np.ndarray) -> Tensor:
    return torch.tensor(values, dtype=torch.float32)[None, None] / 255


def _on_grid(mask: Tensor, mode: MaskMode, factor: int) -> Tensor:
    return latent_mask(mask, (mask.shape[2] // factor, mask.shape[3] // factor), mode)
