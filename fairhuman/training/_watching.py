"""Monitoring of a run: mask preview and tracker values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from fairhuman.data import HumanFolder, JointTransform
from fairhuman.files import written_whole
from fairhuman.regions import MaskMode, latent_mask

__all__ = ["coverage", "log_pictures", "tracked", "write_mask_sheet"]

COLOURS = ((230, 159, 0), (86, 180, 233), (0, 158, 115), (204, 121, 167))
"""Region colours in order; the first two are those of faces and hands in every figure."""


def write_mask_sheet(
    path: Path,
    data: HumanFolder,
    transform: JointTransform,
    *,
    cell: int,
    mode: MaskMode,
    count: int = 16,
) -> Image.Image:
    """Draw the masks as the losses use them, on the latent grid, over some of the images.

    Args:
        path: The JPEG file, written atomically.
        data: Data set, from which evenly spaced images are shown, transformed as in training.
        transform: Transform of the run.
        cell: Side length of a latent cell in pixels.
        mode: How masks are resampled to the latent grid.
        count: Maximum number of images.

    Returns:
        The sheet. The caption of each image gives each region's fraction of the grid.
    """
    from fairhuman.sheet import contact_sheet

    tiles, words, grids = [], [], {}
    for index in np.unique(np.linspace(0, len(data) - 1, min(count, len(data))).round().astype(int)):
        sample = transform(data[int(index)], torch.Generator().manual_seed(0))
        picture = ((sample.pixels.permute(1, 2, 0).numpy() + 1) * 127.5).round()
        grid = sample.pixels.shape[-2] // cell, sample.pixels.shape[-1] // cell
        grids["{} × {}".format(*grid)], told = True, []
        for colour, (name, mask) in zip(_colours(data.regions), sample.masks.items(), strict=True):
            cells = latent_mask(mask[None], grid, mode)[0, 0].numpy()
            picture = _tinted(picture, cells, colour)
            told.append(f"{name} {100 * cells.mean():.3g} %" if cells.any() else f"no {name}")
        tiles.append(picture.astype(np.uint8))
        words.append(", ".join(told))
    found = "".join(f"{name} in {number}, " for name, number in data.present.items())
    title = f"{found}of {len(data)} images; {', '.join(grids)} cells"
    sheet = contact_sheet(tiles, words, columns=4, lines=1, title=title)
    with written_whole(path) as partial:
        sheet.save(partial, "jpeg", quality=85)
    return sheet


def _colours(regions: Sequence[str]) -> list[tuple[int, int, int]]:
    return [COLOURS[place % len(COLOURS)] for place in range(len(regions))]


def _tinted(picture: NDArray, cells: NDArray, colour: tuple[int, int, int]) -> NDArray:
    """The image with each cell tinted by its coverage."""
    factor = -(-picture.shape[0] // cells.shape[0])
    opacity = 0.65 * np.kron(cells, np.ones((factor, factor)))[: picture.shape[0], : picture.shape[1], None]
    return (1 - opacity) * picture + opacity * np.array(colour)


def coverage(masks: Mapping[str, Tensor]) -> dict[str, float | None]:
    """Region → mean fraction of the latent grid over the images with it; ``None`` if there are none.

    Args:
        masks: Region → shape (batch, 1, h, w), values in [0, 1].
    """
    found: dict[str, float | None] = {}
    for name, mask in masks.items():
        shares = mask.float().mean(dim=(1, 2, 3))
        found[name] = shares[shares > 0].mean().item() if (shares > 0).any() else None
    return found


def tracked(line: Mapping[str, Any]) -> dict[str, float]:
    """Tracker values of a step: losses, weights, coverage and, if the Gram matrix is known, each objective's
    gradient norm and share of the direction's squared norm."""
    values: dict[str, float] = {}
    for kind in ("losses", "weights", "coverage"):
        values |= {f"{kind}/{name}": value for name, value in line[kind].items() if value is not None}
    if line["gramian"] is not None and line["weights"]:
        gramian = np.array(line["gramian"])
        weights = np.array([line["weights"].get(name, 0.0) for name in line["losses"]])
        values |= {
            f"gradient_norms/{name}": float(norm)
            for name, norm in zip(line["losses"], np.sqrt(gramian.diagonal()), strict=True)
        }
        parts = weights * (gramian @ weights)
        if parts.sum() > 0:
            shares = zip(line["losses"], parts / parts.sum(), strict=True)
            values |= {f"shares/{name}": float(share) for name, share in shares}
    return values | {"learning_rate": line["learning_rate"], "seconds": line["seconds"]}


def log_pictures(trackers: Sequence[Any], name: str, pictures: Sequence[Image.Image], step: int) -> None:
    """Send images to the trackers that accept them; other sizes get separate names."""
    sizes = list(dict.fromkeys(one.size for one in pictures))
    for tracker in (one for one in trackers if hasattr(one, "log_images")):
        options = {"dataformats": "NHWC"} if tracker.name == "tensorboard" else {}
        for size in sizes:
            stack = np.stack([np.asarray(one) for one in pictures if one.size == size])
            label = name if size == sizes[0] else "{}/{}x{}".format(name, *size)
            tracker.log_images({label: stack}, step=step, **options)
