"""A loaded image with its annotations, and the three operations on both."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from fairhuman.boxes import Box
from fairhuman.text import mirrored

__all__ = ["HumanSample", "crop_sample", "flip_sample", "resize_sample"]

# COCO: nose, then eyes, ears, shoulders, elbows, wrists, hips, knees, ankles, left before right.
_COCO_MIRROR = [0, *(i + d for i in range(1, 17, 2) for d in (1, 0))]
_SIDES = {
    "left_hand": "right_hand",
    "right_hand": "left_hand",
    "left_foot": "right_foot",
    "right_foot": "left_foot",
}


@dataclass(frozen=True)
class HumanSample:
    """An image and its annotations on one pixel grid.

    Coordinates are continuous: pixel ``i`` covers ``[i, i + 1)`` and has its centre at ``i + 0.5``.

    Attributes:
        image: Shape (H, W, 3), uint8, sRGB.
        masks: Region → shape (H, W), uint8, 0 to 255.
        boxes: Name → (x0, y0, x1, y1) with exclusive upper bounds, or ``None`` if absent.
        keypoints: Name → shape (points, 3): x, y, visibility (0 outside the image, 1 occluded,
            2 visible). Left and right are the person's.
        pose: Drawing of the pose, shape (H, W, 3), uint8.
        depth: Shape (H, W), uint16, millimetres, 0 where there is no surface.
        face_yaw: Angle between face and camera direction, in degrees.
    """

    image: np.ndarray
    text: str
    masks: Mapping[str, np.ndarray] = field(default_factory=dict)
    boxes: Mapping[str, Box | None] = field(default_factory=dict)
    keypoints: Mapping[str, np.ndarray] = field(default_factory=dict)
    pose: np.ndarray | None = None
    depth: np.ndarray | None = None
    face_yaw: float | None = None

    @property
    def size(self) -> tuple[int, int]:
        """Height and width in pixels."""
        return self.image.shape[0], self.image.shape[1]


def flip_sample(sample: HumanSample) -> HumanSample:
    """Mirror left and right. The person's left hand becomes the right hand, so boxes and keypoints swap
    names, and the caption exchanges the words left and right."""
    width = sample.size[1]
    keypoints = {}
    for name, points in sample.keypoints.items():
        moved = points.copy()
        moved[:, 0] = width - moved[:, 0]
        keypoints[_SIDES.get(name, name)] = moved[_COCO_MIRROR] if name == "body" else moved
    boxes = {
        _SIDES.get(name, name): box and (width - box[2], box[1], width - box[0], box[3])
        for name, box in sample.boxes.items()
    }
    return _on_grids(
        replace(
            sample,
            text=mirrored(sample.text),
            boxes=boxes,
            keypoints=keypoints,
            face_yaw=None if sample.face_yaw is None else -sample.face_yaw,
        ),
        lambda grid, _: np.ascontiguousarray(grid[:, ::-1]),
    )


def crop_sample(sample: HumanSample, top: int, left: int, height: int, width: int) -> HumanSample:
    """Crop to a rectangle. Boxes are clipped (``None`` if nothing is left), and keypoints outside get
    visibility 0.

    Raises:
        ValueError: The rectangle does not lie in the image.
    """
    full = sample.size
    if top < 0 or left < 0 or height < 1 or width < 1 or top + height > full[0] or left + width > full[1]:
        raise ValueError(
            f"crop: rows {top}–{top + height}, columns {left}–{left + width} "
            f"do not lie in an image of {full[0]} × {full[1]} (height × width)"
        )
    keypoints = {}
    for name, points in sample.keypoints.items():
        moved = points - np.array([left, top, 0])
        x, y = moved[:, 0], moved[:, 1]
        moved[(x < 0) | (x >= width) | (y < 0) | (y >= height), 2] = 0
        keypoints[name] = moved
    boxes = {
        name: box and _cut((box[0] - left, box[1] - top, box[2] - left, box[3] - top), height, width)
        for name, box in sample.boxes.items()
    }
    return _on_grids(
        replace(sample, boxes=boxes, keypoints=keypoints),
        lambda grid, _: grid[top : top + height, left : left + width],
    )


def resize_sample(sample: HumanSample, height: int, width: int) -> HumanSample:
    """Resize to (height, width): the image with Lanczos, the pose drawing bilinearly, masks by area (grey
    values mean partly covered pixels), and depth by nearest neighbour, so that no depths appear between a
    person and the background."""
    if sample.size == (height, width):
        return sample
    scale_y, scale_x = height / sample.size[0], width / sample.size[1]
    scale = np.array([scale_x, scale_y, 1])
    boxes = {
        name: box and (box[0] * scale_x, box[1] * scale_y, box[2] * scale_x, box[3] * scale_y)
        for name, box in sample.boxes.items()
    }
    keypoints = {name: points * scale for name, points in sample.keypoints.items()}
    filters = {
        "image": Image.Resampling.LANCZOS,
        "pose": Image.Resampling.BILINEAR,
        "mask": Image.Resampling.BOX,
        "depth": Image.Resampling.NEAREST,
    }

    def resize(grid: np.ndarray, kind: str) -> np.ndarray:
        return np.asarray(Image.fromarray(grid).resize((width, height), filters[kind]))

    return _on_grids(replace(sample, boxes=boxes, keypoints=keypoints), resize)


def _cut(box: Box, height: int, width: int) -> Box | None:
    x0, y0, x1, y1 = max(box[0], 0), max(box[1], 0), min(box[2], width), min(box[3], height)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _on_grids(sample: HumanSample, operate: Callable[[np.ndarray, str], np.ndarray]) -> HumanSample:
    return replace(
        sample,
        image=operate(sample.image, "image"),
        masks={name: operate(mask, "mask") for name, mask in sample.masks.items()},
        pose=None if sample.pose is None else operate(sample.pose, "pose"),
        depth=None if sample.depth is None else operate(sample.depth, "depth"),
    )
