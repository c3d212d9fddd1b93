"""The joint transform: one random draw applies to image, masks, keypoints, depth and pose."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import torch
from torch import Tensor

from fairhuman.data._buckets import Buckets, Size
from fairhuman.data._sample import HumanSample, crop_sample, flip_sample, resize_sample

__all__ = ["Crop", "Draw", "JointTransform", "TrainingSample"]

Crop = Literal["center", "random"]


@dataclass(frozen=True)
class Draw:
    """Random choices: mirroring, and the crop's corner in the resized image."""

    flip: bool
    top: int
    left: int


@dataclass(frozen=True)
class TrainingSample:
    """A transformed image as tensors; H and W are the sides that the transform gives it.

    Attributes:
        pixels: Shape (3, H, W), values in [-1, 1].
        masks: Region → shape (1, H, W), values in [0, 1].
        time_ids: SDXL's micro-conditioning, shape (6,): original height and width, top and left
            of the crop, target height and width.
        pose: Shape (3, H, W), values in [0, 1], or ``None``.
        depth: Metres, shape (1, H, W), 0 where there is no surface, or ``None``.
        annotation: Boxes and keypoints on the transformed grid.
    """

    pixels: Tensor
    masks: Mapping[str, Tensor]
    text: str
    time_ids: Tensor
    pose: Tensor | None
    depth: Tensor | None
    annotation: HumanSample
    draw: Draw


@dataclass(frozen=True)
class JointTransform:
    """Resize to cover a square, or the image's bucket, mirror, crop to it.

    The order and the meaning of the crop's corner are those of diffusers' SDXL training scripts.

    Attributes:
        size: Side length of the square in pixels.
        crop: ``center``, or ``random`` along the cropped side.
        flip: Probability of mirroring, in [0, 1].
        buckets: Target sizes instead of the square.

    Raises:
        ValueError: A value is out of range.
    """

    size: int
    crop: Crop = "center"
    flip: float = 0.0
    buckets: Buckets | None = None

    def __post_init__(self) -> None:
        if self.size < 1:
            raise ValueError(f"size: must be ≥ 1 pixel, got {self.size}")
        if self.crop not in get_args(Crop):
            raise ValueError(f"crop: must be 'center' or 'random', got {self.crop!r}")
        if not 0 <= self.flip <= 1:
            raise ValueError(f"flip: a probability in [0, 1], got {self.flip}")

    def target(self, size: Size) -> Size:
        """Height and width of the result for an image of ``size`` (height, width)."""
        return (self.size, self.size) if self.buckets is None else self.buckets.nearest(size)

    def resized(self, size: Size) -> Size:
        """Height and width after resizing an image of ``size`` uniformly to the smallest size that covers the
        target."""
        height, width = self.target(size)
        goal, side = (height, size[0]) if height * size[1] >= width * size[0] else (width, size[1])
        return max(height, round(size[0] * goal / side)), max(width, round(size[1] * goal / side))

    def draw(self, size: Size, generator: torch.Generator | None = None) -> Draw:
        """Draw the random choices for an image of ``size`` (height, width). The number of random values does
        not depend on the outcome, so generators stay synchronised over a data set."""
        spare = [side - goal for side, goal in zip(self.resized(size), self.target(size), strict=True)]
        chance, row, column = torch.rand(3, generator=generator, dtype=torch.float64).tolist()
        if self.crop == "center":
            top, left = spare[0] // 2, spare[1] // 2
        else:
            top, left = int(row * (spare[0] + 1)), int(column * (spare[1] + 1))
        return Draw(flip=chance < self.flip, top=top, left=left)

    def apply(self, sample: HumanSample, draw: Draw) -> TrainingSample:
        """Apply the random choices."""
        original, target = sample.size, self.target(sample.size)
        moved = resize_sample(sample, *self.resized(original))
        if draw.flip:
            moved = flip_sample(moved)
        moved = crop_sample(moved, draw.top, draw.left, *target)
        return TrainingSample(
            pixels=_channels(moved.image) / 127.5 - 1,
            masks={name: _channels(mask) / 255 for name, mask in moved.masks.items()},
            text=moved.text,
            time_ids=torch.tensor([*original, draw.top, draw.left, *target], dtype=torch.float32),
            pose=None if moved.pose is None else _channels(moved.pose) / 255,
            depth=None if moved.depth is None else _channels(moved.depth) / 1000,
            annotation=moved,
            draw=draw,
        )

    def __call__(self, sample: HumanSample, generator: torch.Generator | None = None) -> TrainingSample:
        """Draw once and apply to everything."""
        return self.apply(sample, self.draw(sample.size, generator))


def _channels(grid: np.ndarray) -> Tensor:
    if grid.ndim == 2:
        grid = grid[:, :, None]
    return torch.from_numpy(np.ascontiguousarray(grid.transpose(2, 0, 1)).astype(np.float32))
