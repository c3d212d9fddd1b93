"""Bounding boxes: areas, overlaps, point tests, square crops."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

__all__ = ["Box", "area", "common_area", "corners", "cut_square", "iou", "is_inside", "largest", "middle"]

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels, with exclusive upper bounds."""
AnyBox = TypeVar("AnyBox", bound=Sequence[float])


def area(box: Sequence[float]) -> float:
    """Area of a box in square pixels; 0 for an empty box.

    >>> area((1, 1, 4, 3))
    6.0
    """
    return float(max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]))


def common_area(first: Box, second: Box) -> float:
    """Intersection area of two boxes in square pixels."""
    x0, y0 = max(first[0], second[0]), max(first[1], second[1])
    x1, y1 = min(first[2], second[2]), min(first[3], second[3])
    return area((x0, y0, x1, y1))


def iou(first: Box, second: Box) -> float:
    """Intersection over union of two boxes, in [0, 1].

    >>> iou((0, 0, 2, 2), (1, 0, 3, 2)) == 2 / 6
    True
    """
    common = common_area(first, second)
    return common / (area(first) + area(second) - common) if common else 0.0


def middle(box: Box) -> tuple[float, float]:
    """The centre (x, y) of a box."""
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def corners(box: Box) -> NDArray[np.float64]:
    """The corners of a box in order, shape (4, 2)."""
    x0, y0, x1, y1 = box
    return np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]], dtype=np.float64)


def is_inside(point: Sequence[float], boxes: Iterable[Box]) -> bool:
    """Whether a point lies in any of the boxes, including their borders."""
    return any(x0 <= point[0] <= x1 and y0 <= point[1] <= y1 for x0, y0, x1, y1 in boxes)


def largest(boxes: Iterable[AnyBox]) -> AnyBox | None:
    """The box with the largest area (the first in a tie), or ``None`` if there are no boxes."""
    return max(boxes, key=area, default=None)


def cut_square(image: NDArray[np.uint8], box: Box, margin: float) -> NDArray[np.uint8]:
    """Cut out a square around the centre of a box; outside the image, its edge pixels are repeated.

    Args:
        image: Shape (height, width, 3).
        box: (x0, y0, x1, y1) in pixels.
        margin: Side of the square, relative to the longer side of the box.

    Raises:
        ValueError: The box is empty.
    """
    if not (box[0] < box[2] and box[1] < box[3]):
        raise ValueError(f"box: must have x0 < x1 and y0 < y1, got {tuple(box)}")
    side = max(1, round(margin * max(box[2] - box[0], box[3] - box[1])))
    left = round((box[0] + box[2] - side) / 2)
    top = round((box[1] + box[3] - side) / 2)
    rows = np.clip(np.arange(top, top + side), 0, image.shape[0] - 1)
    columns = np.clip(np.arange(left, left + side), 0, image.shape[1] - 1)
    return image[rows][:, columns]
