"""The training set in memory: small images, read once."""

from __future__ import annotations

import os
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from fairhuman.data import HumanFolder

CROPPED_BOXES = ("face", "left_hand", "right_hand")
"""Boxes on which crops are laid."""


@dataclass(frozen=True)
class Corpus:
    """Images, captions and boxes of a data set.

    Attributes:
        images: Shape (count, 3, size, size), uint8.
        captions: One an image.
        boxes: For each image the boxes of face and hands that it has, (x0, y0, x1, y1) in pixels.
    """

    images: Tensor
    captions: list[str]
    boxes: list[list[tuple[int, ...]]]

    def __len__(self) -> int:
        return len(self.captions)

    def first(self, count: int) -> Corpus:
        """The first ``count`` images, all of them if ``count`` is 0."""
        end = count or len(self)
        return Corpus(self.images[:end], self.captions[:end], self.boxes[:end])

    @classmethod
    def read(cls, folder: str | os.PathLike[str], size: int, limit: int | None = None) -> Corpus:
        """Read a data set whose images are ``size`` × ``size``.

        Raises:
            ValueError: An image of another size; the message names it.
        """
        data = HumanFolder(folder, regions=())
        count = min(len(data), limit or len(data))
        images = np.empty((count, 3, size, size), dtype=np.uint8)
        for index in range(count):
            image = data[index].image
            if image.shape[:2] != (size, size):
                name = data.records[index].image.name
                raise ValueError(f"data: {name} must be {size} × {size}, got {image.shape[:2]}")
            images[index] = image.transpose(2, 0, 1)
        boxes = [
            [tuple(int(v) for v in box) for name in CROPPED_BOXES if (box := record.boxes.get(name))]
            for record in data.records[:count]
        ]
        return cls(torch.from_numpy(images), data.captions[:count], boxes)


def to_pixels(images: Tensor) -> Tensor:
    """uint8 in [0, 255] to float32 in [-1, 1]."""
    return images.to(torch.float32) / 127.5 - 1
