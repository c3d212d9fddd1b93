"""The three views that are judged apart: the whole image, the head, each hand."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

SIDES: Mapping[str, int] = {"whole": 128, "head": 64, "hand": 64}
"""Side in pixels at which a view is looked at."""

MARGINS: Mapping[str, float] = {"head": 1.8, "hand": 1.5}
"""Side of the square that is cut, against the longer side of the face's or the hand's box."""


def fit(images: Sequence[np.ndarray] | np.ndarray, side: int) -> Tensor:
    """Images resized to one size.

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
