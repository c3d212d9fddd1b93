"""Enlarged crops: each expected face and hand is cut out, enlarged and evaluated separately."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import pandas as pd
from PIL import Image

from fairhuman.boxes import Box, cut_square
from fairhuman.detectors import Detection, detect
from fairhuman.images import ImageLike, as_rgb

__all__ = ["CROP_MARGINS", "Crops", "cut_crops", "detect_crops"]

CROP_MARGINS: Final[Mapping[str, float]] = MappingProxyType(
    {"face": 2.0, "left_hand": 2.5, "right_hand": 2.5}
)
"""Region → side of its square crop, relative to the longer side of its box. Detectors need some context: a
face that fills the image is as difficult as a tiny one."""

LEAST_SIDE = 256
"""Crops smaller than this, in pixels, are enlarged to it."""


@dataclass(frozen=True)
class Crops:
    """Detections in cropped regions, one region per row.

    Attributes:
        places: Columns ``image`` (its number), ``region``, ``side`` (of the crop in the image, pixels).
        detections: In each crop, in its enlarged pixels, in the order of the rows.
    """

    places: pd.DataFrame
    detections: list[Detection]


def detect_crops(
    images: Sequence[ImageLike],
    boxes: Sequence[Mapping[str, Box | None]],
    *,
    least_box: float = 8.0,
    **options: Any,
) -> Crops:
    """Detect faces and hands in a square around each box.

    Args:
        images, boxes, least_box: As for :func:`cut_crops`.
        options: Further arguments of :func:`fairhuman.detectors.detect`.

    Raises:
        ValueError: The numbers of images and boxes differ, or :func:`fairhuman.detectors.detect` raises.
    """
    places, crops = cut_crops(images, boxes, least_box=least_box)
    return Crops(places, detect(crops, **options))


def cut_crops(
    images: Sequence[ImageLike], boxes: Sequence[Mapping[str, Box | None]], *, least_box: float = 8.0
) -> tuple[pd.DataFrame, list[np.ndarray]]:
    """The square around each box, enlarged to at least 256 pixels.

    Args:
        images: As for :func:`fairhuman.detectors.detect`.
        boxes: For each image, ``face``, ``left_hand`` and ``right_hand`` in its pixels; missing or None for
            none.
        least_box: Minimum length of a box's longer side in pixels; smaller boxes are skipped.

    Returns:
        ``places`` as in :class:`Crops`, and the crops in the order of its rows. A crop's middle half holds
        the region (:data:`CROP_MARGINS`).

    Raises:
        ValueError: The numbers of images and boxes differ.
    """
    if len(images) != len(boxes):
        raise ValueError(f"images, boxes: must be of one length, got {len(images)} and {len(boxes)}")
    places, crops = [], []
    for number, (image, asked) in enumerate(zip(images, boxes, strict=True)):
        wanted = {name: asked.get(name) for name in CROP_MARGINS}
        wanted = {name: box for name, box in wanted.items() if box and _longer(box) >= least_box}
        if not wanted:
            continue
        pixels = as_rgb(image)
        for name, box in wanted.items():
            crop = cut_square(pixels, box, CROP_MARGINS[name])
            places.append((number, name, crop.shape[0]))
            crops.append(_enlarged(crop))
    return pd.DataFrame(places, columns=["image", "region", "side"]), crops


def _longer(box: Box) -> float:
    return max(box[2] - box[0], box[3] - box[1])


def _enlarged(crop: np.ndarray) -> np.ndarray:
    if len(crop) >= LEAST_SIDE:
        return crop
    return np.asarray(Image.fromarray(crop).resize((LEAST_SIDE, LEAST_SIDE), Image.Resampling.BICUBIC))
