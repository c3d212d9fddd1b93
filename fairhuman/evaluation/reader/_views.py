"""The three views that are judged apart: the whole image, the head, each hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from fairhuman.evaluation.detectors import Box

SIDES: Mapping[str, int] = {"whole": 128, "head": 64, "hand": 64}
"""Side in pixels at which a view is looked at."""

MARGINS: Mapping[str, float] = {"head": 1.8, "hand": 1.5}
"""Side of the square that is cut, against the longer side of the face's or the hand's box."""


def fit(images: Sequence[np.ndarray] | np.ndarray, side: int) -> Tensor:
    """Images resized to one size, whatever their own.

    Args:
        images: Each (height, width, 3), uint8.
        side: In pixels.

    Returns:
        Shape (count, 3, side, side), uint8, averaged when made smaller.
    """
    fitted = torch.empty(len(images), 3, side, side, dtype=torch.uint8)
    for place, image in enumerate(images):
        pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
        fitted[place] = resized(pixels, side)[0]
    return fitted


def resized(images: Tensor, side: int) -> Tensor:
    """Images (count, 3, h, w), uint8, at side × side pixels."""
    if images.shape[-2:] == (side, side):
        return images
    smaller = interpolate(images.float(), size=(side, side), mode="bilinear", antialias=True)
    return smaller.round().clamp(0, 255).to(torch.uint8)


def cut_square(image: np.ndarray, box: Box, margin: float) -> np.ndarray:
    """The square around the middle of a box; beyond the image's edge its border goes on.

    Args:
        image: (height, width, 3).
        box: (x0, y0, x1, y1) in pixels.
        margin: Side of the square against the longer side of the box.

    Raises:
        ValueError: A box without area.
    """
    if not (box[0] < box[2] and box[1] < box[3]):
        raise ValueError(f"box: must have x0 < x1 and y0 < y1, got {tuple(box)}")
    side = max(1, round(margin * max(box[2] - box[0], box[3] - box[1])))
    left = round((box[0] + box[2] - side) / 2)
    top = round((box[1] + box[3] - side) / 2)
    rows = np.clip(np.arange(top, top + side), 0, image.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, image.shape[1] - 1)
    return image[rows][:, columns]
