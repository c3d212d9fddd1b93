"""Search regions in a photograph (whole image, overlapping tiles) and removal of duplicate detections.

A detector downscales its input to about 200 pixels, so a hand of a twentieth of the photograph's side has ten
pixels. In a tile of half the side, it has twenty.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple, TypeVar

from fairhuman.boxes import Box, area, common_area, iou

__all__ = ["Region", "distinct", "is_cut", "square_around", "tiles"]

Item = TypeVar("Item")

_OVERLAP: Final = 0.25  # of a tile's side, so that what one tile's border cuts another one holds whole
_BORDER: Final = 0.01  # of a region's side: nearer than this to its border counts as cut by it
_SAME_IOU, _SAME_INSIDE = 0.3, 0.7


class Region(NamedTuple):
    """A rectangle in whole pixels, with exclusive upper bounds."""

    x0: int
    y0: int
    x1: int
    y1: int

    @property
    def size(self) -> tuple[int, int]:
        """Width and height in pixels."""
        return self.x1 - self.x0, self.y1 - self.y0


def tiles(width: int, height: int, scale: int) -> list[Region]:
    """Square tiles that cover an image and overlap by a quarter, row by row.

    Args:
        width, height: Size of the image in pixels.
        scale: 1: the whole image, not square; 2: tiles of half its shorter side; 3: of a quarter; and so on.

    >>> [tile.x0 for tile in tiles(1024, 512, 2)]
    [0, 192, 384, 576, 768, 0, 192, 384, 576, 768, 0, 192, 384, 576, 768]
    """
    if scale == 1:
        return [Region(0, 0, width, height)]
    side = max(1, -(-min(width, height) // 2 ** (scale - 1)))
    return [Region(x, y, x + side, y + side) for y in _starts(height, side) for x in _starts(width, side)]


def square_around(x: float, y: float, side: float, width: int, height: int) -> Region | None:
    """The part of a square about a point that lies in the image; None if hardly anything does.

    >>> square_around(10, 50, 40, 100, 100)
    Region(x0=0, y0=30, x1=30, y1=70)
    """
    x0, y0 = max(0, round(x - side / 2)), max(0, round(y - side / 2))
    x1, y1 = min(width, round(x + side / 2)), min(height, round(y + side / 2))
    return Region(x0, y0, x1, y1) if min(x1 - x0, y1 - y0) >= max(16, side / 4) else None


def is_cut(box: Box, region: Region, width: int, height: int) -> bool:
    """Whether a box reaches a border of a region that is not the image's."""
    margin = _BORDER * max(region.size)
    return (
        (region.x0 > 0 and box[0] < region.x0 + margin)
        or (region.y0 > 0 and box[1] < region.y0 + margin)
        or (region.x1 < width and box[2] > region.x1 - margin)
        or (region.y1 < height and box[3] > region.y1 - margin)
    )


def distinct(items: Sequence[Item], box_of: Callable[[Item], Box]) -> list[Item]:
    """Items in their order without those whose box is that of an earlier one, or mostly inside it.

    >>> distinct([(0, 0, 10, 10), (1, 1, 10, 10), (20, 0, 30, 10)], lambda box: box)
    [(0, 0, 10, 10), (20, 0, 30, 10)]
    """
    kept: list[Item] = []
    for item in items:
        if not any(_same(box_of(item), box_of(other)) for other in kept):
            kept.append(item)
    return kept


def _same(a: Box, b: Box) -> bool:
    return iou(a, b) > _SAME_IOU or common_area(a, b) > _SAME_INSIDE * min(area(a), area(b))


def _starts(length: int, side: int) -> list[int]:
    if length <= side:
        return [0]
    count = -(-(length - side) // max(1, round(side * (1 - _OVERLAP)))) + 1
    return [round(index * (length - side) / (count - 1)) for index in range(count)]
