"""Images spoiled in known steps and places, to see whether a metric sees what it claims to."""

from __future__ import annotations

from typing import Final

import numpy as np
from PIL import Image, ImageFilter

from fairhuman.data import HumanSample

__all__ = ["GROWN", "PLACES", "blur_region"]

PLACES: Final = ("face", "hand", "whole")
"""Where an image can be spoiled."""

GROWN: Final = 4
"""Pixels by which a region grows before it is blurred, so that its outline goes too."""


def blur_region(sample: HumanSample, where: str, sigma: float) -> np.ndarray:
    """The image with one region, or all of it, blurred.

    Args:
        sample: With the masks ``face`` and ``hand``.
        where: Of :data:`PLACES`.
        sigma: Deviation of the Gaussian in pixels, at least 0; 0 leaves the image as it is.

    Returns:
        Shape (height, width, 3), uint8; outside the grown region the very pixels of the sample.

    Raises:
        ValueError: Another place, or a negative deviation.
    """
    if where not in PLACES:
        raise ValueError(f"where: must be one of {', '.join(PLACES)}, got {where!r}")
    if not sigma >= 0:
        raise ValueError(f"sigma: must be at least 0, got {sigma}")
    if sigma == 0:
        return sample.image
    image = Image.fromarray(sample.image)
    soft = image.filter(ImageFilter.GaussianBlur(sigma))
    if where == "whole":
        return np.asarray(soft)
    mask = Image.fromarray(sample.masks[where]).filter(ImageFilter.MaxFilter(2 * GROWN + 1))
    return np.asarray(Image.composite(soft, image, mask))
