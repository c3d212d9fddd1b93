"""Regions of a person: boxes to pixel masks, pixel masks to latent masks (paper §3.2)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

__all__ = ["REGIONS", "MaskMode", "box_mask", "check_regions", "latent_mask"]

REGIONS: tuple[str, ...] = ("face", "hand", "foot", "eyes")
"""Names of the regions that a data set can annotate; ``hand`` and ``foot`` cover both sides."""

MaskMode = Literal["soft", "hard"]


def check_regions(regions: Iterable[str]) -> tuple[str, ...]:
    """Return region names as a tuple, in the given order.

    Raises:
        ValueError: A name is unknown or repeated.
    """
    names = tuple(regions)
    for name in names:
        if name not in REGIONS:
            raise ValueError(f"regions: unknown region {name!r}; known are {', '.join(REGIONS)}")
    if len(set(names)) != len(names):
        raise ValueError(f"regions: must be distinct, got {', '.join(names)}")
    return names


def latent_mask(mask: Tensor, size: tuple[int, int], mode: MaskMode = "soft") -> Tensor:
    """Resample pixel masks to the latent grid, as the paper does "by reshaping the mask image to the latent
    shape" (§3.2, after Eq. 4 of HandRefiner).

    ``soft`` averages the mask over the pixels of each latent cell: a half-covered cell counts one half, the
    covered area is preserved (exactly if the grid divides the image), and no region is lost, however small.
    ``hard`` follows the authors' code: nearest-neighbour sampling, which reads the *first* pixel of each
    cell, followed by a threshold at one half. A region smaller than a cell can vanish, and the hard mask of a
    mirrored image is not exactly the mirrored hard mask.

    Args:
        mask: Shape (batch, 1, H, W), values in [0, 1].
        size: Height and width of the latent grid, each at most H and W.

    Returns:
        Shape (batch, 1, h, w), values in [0, 1], with the mask's dtype.

    Raises:
        ValueError: The shape is wrong, values lie outside [0, 1], the mode is unknown, or the grid is finer
            than the mask.

    >>> mask = torch.zeros(1, 1, 16, 16)
    >>> mask[..., 4:8, 0:8] = 1
    >>> latent_mask(mask, (2, 2))[0, 0].tolist()
    [[0.5, 0.0], [0.0, 0.0]]
    >>> latent_mask(mask, (2, 2), mode="hard")[0, 0].tolist()
    [[0.0, 0.0], [0.0, 0.0]]
    """
    if mask.ndim != 4 or mask.shape[1] != 1:
        raise ValueError(f"mask: shape must be (batch, 1, H, W), got {tuple(mask.shape)}")
    if mode not in get_args(MaskMode):
        raise ValueError(f"mode: must be 'soft' or 'hard', got {mode!r}")
    if not 0 < size[0] <= mask.shape[2] or not 0 < size[1] <= mask.shape[3]:
        raise ValueError(
            f"size: must lie between (1, 1) and the mask's {tuple(mask.shape[2:])}, got {tuple(size)}"
        )
    if mask.numel() and not (mask.min() >= 0 and mask.max() <= 1):
        raise ValueError(
            f"mask: values must lie in [0, 1], got [{mask.min().item():.3g}, {mask.max().item():.3g}]"
        )
    if mode == "soft":
        return F.interpolate(mask, size=size, mode="area").clamp(max=1)  # the mean of ones may round up
    return (F.interpolate(mask, size=size, mode="nearest") > 0.5).to(mask.dtype)


def box_mask(boxes: Iterable[Sequence[float] | None], size: tuple[int, int], dilation: int = 0) -> Tensor:
    """A single mask that covers all boxes, as in the paper's annotation of detections.

    Args:
        boxes: Each (x0, y0, x1, y1) in pixels, with exclusive upper bounds. ``None`` (absent) is skipped, and
            boxes are clipped to the image.
        size: Height and width of the mask in pixels.
        dilation: Pixels by which every box is enlarged on each side (the authors' 16-pixel dilation kernel
            corresponds to 8).

    Returns:
        Shape (1, H, W), values 0 or 1.

    Raises:
        ValueError: A box is empty in whole pixels, or the dilation is negative.
    """
    if dilation < 0:
        raise ValueError(f"dilation: must be ≥ 0 pixels, got {dilation}")
    mask = torch.zeros(1, *size)
    for box in boxes:
        if box is None:
            continue
        x0, y0, x1, y1 = (round(value) for value in box)
        if x0 >= x1 or y0 >= y1:
            raise ValueError(f"boxes: need x0 < x1 and y0 < y1 in whole pixels, got {list(box)}")
        rows = slice(max(y0 - dilation, 0), max(y1 + dilation, 0))
        columns = slice(max(x0 - dilation, 0), max(x1 + dilation, 0))
        mask[:, rows, columns] = 1
    return mask
