"""Aspect-ratio buckets: sizes with about the same area and different aspect ratios."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

__all__ = ["Buckets", "Size", "kept_share"]

Size = tuple[int, int]
"""Height and width in pixels."""


@dataclass(frozen=True)
class Buckets:
    """Target sizes of images; each image uses the size with the nearest aspect ratio.

    For a resolution R, side lengths are multiples of ``step``, and sizes have at most R² pixels, so that no
    batch needs more memory than a batch of squares.

    Attributes:
        resolutions: Each gives a set of sizes. An image uses the largest resolution that needs no
            enlargement, or the smallest resolution if all need it.
        step: Step of the side lengths in pixels; it divides each resolution.
        sides: Minimum and maximum side length in pixels, or ``None`` for half and twice each resolution.

    Raises:
        ValueError: There is no resolution, or one is not a multiple of the step or not between the sides.

    >>> Buckets((1024,)).nearest((1500, 1000))
    (1216, 832)
    >>> Buckets((1024, 512)).nearest((600, 900))
    (384, 640)
    """

    resolutions: tuple[int, ...]
    step: int = 64
    sides: tuple[int, int] | None = None

    def __post_init__(self) -> None:
        if not self.resolutions:
            raise ValueError("resolutions: must hold at least one, got none")
        if self.step < 1:
            raise ValueError(f"step: must be ≥ 1 pixel, got {self.step}")
        for resolution in self.resolutions:
            least, largest = self.sides or (resolution // 2, 2 * resolution)
            if resolution % self.step:
                raise ValueError(f"resolutions: must be multiples of step = {self.step}, got {resolution}")
            if not 0 < least <= resolution <= largest:
                raise ValueError(
                    f"sides: must be ≥ 1, the resolution {resolution} between them, got {self.sides}"
                )

    def sizes(self, resolution: int) -> list[Size]:
        """The sizes of a resolution, each with its transposed size."""
        least, largest = self.sides or (resolution // 2, 2 * resolution)
        found = set()
        for height in range(-(-least // self.step) * self.step, largest + 1, self.step):
            width = min(largest, resolution**2 // height) // self.step * self.step
            if width >= least:
                found |= {(height, width), (width, height)}
        return sorted(found)

    def nearest(self, size: Size) -> Size:
        """The size for an image of ``size``: the one that crops least, or the largest of several."""
        return _nearest(self, size)


@lru_cache(maxsize=1 << 16)
def _nearest(buckets: Buckets, size: Size) -> Size:
    found = size
    for sizes in _sets(buckets):
        found = max(sizes, key=lambda target: (kept_share(size, target), target[0] * target[1]))
        if found[0] <= size[0] and found[1] <= size[1]:
            break
    return found


@lru_cache(maxsize=64)
def _sets(buckets: Buckets) -> Sequence[list[Size]]:
    return [buckets.sizes(resolution) for resolution in sorted(buckets.resolutions, reverse=True)]


def kept_share(size: Size, target: Size) -> float:
    """Fraction of an image's area left after cropping to the aspect ratio of ``target``.

    >>> kept_share((100, 200), (64, 64))
    0.5
    """
    across, down = target[0] * size[1], target[1] * size[0]
    return min(across, down) / max(across, down)
