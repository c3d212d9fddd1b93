"""Boxes and masks of what was found."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw
from scipy.spatial import ConvexHull, QhullError

from fairhuman.regions import box_mask

__all__ = ["dilation_pixels", "draw_boxes", "draw_ellipses", "draw_hulls", "padded"]


def padded(box: Sequence[float], padding: float, width: int, height: int) -> list[int] | None:
    """A box grown by a share of its sides on each side, in whole pixels, cut at the image's border.

    >>> padded((10, 10, 20, 30), 0.1, 100, 31)
    [9, 8, 21, 31]
    >>> padded((-20, 0, -10, 10), 0, 100, 100) is None
    True
    """
    across, down = padding * (box[2] - box[0]), padding * (box[3] - box[1])
    x0, y0 = max(0, round(box[0] - across)), max(0, round(box[1] - down))
    x1, y1 = min(width, round(box[2] + across)), min(height, round(box[3] + down))
    return [x0, y0, x1, y1] if x0 < x1 and y0 < y1 else None


def dilation_pixels(dilation: float, width: int, height: int) -> int:
    """A dilation given for a shorter side of 1024 pixels, for this image.

    >>> dilation_pixels(8, 512, 768)
    4
    """
    return round(dilation * min(width, height) / 1024)


def draw_boxes(boxes: Iterable[Sequence[float]], size: tuple[int, int], dilation: int) -> NDArray[np.uint8]:
    """Filled boxes, each dilated: shape (H, W), 0 or 255. ``size`` is height and width."""
    return box_mask(boxes, size, dilation)[0].byte().mul_(255).numpy()


def draw_hulls(outlines: Iterable[ArrayLike], size: tuple[int, int], dilation: float) -> NDArray[np.uint8]:
    """Convex hulls of sets of points (N, 2), each dilated by a disc; ``size`` is height and width."""
    canvas = Image.new("L", (size[1], size[0]))
    draw = ImageDraw.Draw(canvas)
    for points in outlines:
        outline = _hull(np.asarray(points, dtype=np.float64))
        corners = [tuple(point - 0.5) for point in outline]
        draw.polygon(corners, fill=255)
        if dilation > 0:
            draw.line([*corners, corners[0]], fill=255, width=max(1, round(2 * dilation)))
            for x, y in corners:
                draw.ellipse((x - dilation, y - dilation, x + dilation, y + dilation), fill=255)
    return np.array(canvas)


def draw_ellipses(
    boxes: Iterable[Sequence[float]], size: tuple[int, int], dilation: int
) -> NDArray[np.uint8]:
    """The ellipses in boxes, each dilated; ``size`` is height and width."""
    canvas = Image.new("L", (size[1], size[0]))
    draw = ImageDraw.Draw(canvas)
    for x0, y0, x1, y1 in boxes:
        draw.ellipse((x0 - dilation, y0 - dilation, x1 + dilation - 1, y1 + dilation - 1), fill=255)
    return np.array(canvas)


def _hull(points: NDArray[np.float64]) -> NDArray[np.float64]:
    try:
        return points[ConvexHull(points).vertices]
    except QhullError:  # all on a line
        return points
