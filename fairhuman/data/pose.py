"""Pose images: a skeleton drawn in OpenPose's colours, for pose-conditioned adapters.

The colours, the order of limbs and the proportions are those of the OpenPose preprocessor that pose
ControlNets were trained with (Cao et al., "OpenPose", 2019; Zhang et al., "Adding Conditional Control to
Text-to-Image Diffusion Models", 2023): 18 body points joined by 17 tapered limbs at 60 % brightness, 21
points per hand joined by thin lines whose hue runs once round the circle. Sizes refer to 512 pixels and scale
with the image.
"""

from __future__ import annotations

import colorsys
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

# OpenPose's body points taken from the 17 of COCO; the neck, absent there, comes second.
_COCO_OF_BODY: Final = (0, None, 6, 8, 10, 5, 7, 9, 12, 14, 16, 11, 13, 15, 2, 1, 4, 3)
_SHOULDERS: Final = (5, 6)

BODY_LIMBS: Final[tuple[tuple[int, int], ...]] = (
    *((1, 2), (1, 5), (2, 3), (3, 4), (5, 6), (6, 7)),  # shoulders and arms
    *((1, 8), (8, 9), (9, 10), (1, 11), (11, 12), (12, 13)),  # trunk and legs
    *((1, 0), (0, 14), (14, 16), (0, 15), (15, 17)),  # head
)
"""Pairs of OpenPose body points that a limb joins."""

HAND_BONES: Final[tuple[tuple[int, int], ...]] = tuple(
    (0 if joint == 0 else 4 * finger + joint, 4 * finger + joint + 1)
    for finger in range(5)
    for joint in range(4)
)
"""Pairs of hand points (MediaPipe order) that a bone joins."""


def _hue(share: float) -> tuple[int, int, int]:
    red, green, blue = colorsys.hsv_to_rgb(share, 1.0, 1.0)
    return round(255 * red), round(255 * green), round(255 * blue)


# A walk round the colour circle in steps of 85, as OpenPose has it.
BODY_COLOURS: Final = tuple(_hue(step / 18) for step in range(18))
HAND_COLOURS: Final = tuple(_hue(step / 20) for step in range(20))

_LIMB_HALF_WIDTH, _JOINT_RADIUS, _BONE_WIDTH, _HAND_POINT_RADIUS = 4.0, 4.0, 2.0, 4.0  # at 512


def body_points(keypoints: ArrayLike) -> NDArray[np.float64]:
    """The 18 OpenPose body points of 17 COCO keypoints.

    Args:
        keypoints: (17, 3): x, y in pixels, visibility 0 (outside), 1 (occluded), 2 (visible).

    Returns:
        (18, 3). The neck is midway between the shoulders, and as visible as the less
        visible of the two.
    """
    points = _checked("keypoints", keypoints, 17)
    left, right = (points[index] for index in _SHOULDERS)
    neck = np.append((left[:2] + right[:2]) / 2, min(left[2], right[2]))
    return np.stack([neck if index is None else points[index] for index in _COCO_OF_BODY])


def draw_pose(
    keypoints: ArrayLike,
    left_hand: ArrayLike | None = None,
    right_hand: ArrayLike | None = None,
    size: int | tuple[int, int] = 256,
) -> NDArray[np.uint8]:
    """Draw a person's skeleton on black.

    Points outside the image and their limbs are omitted; occluded points are drawn, because their position is
    known. A hand is drawn if at least one of its points is visible.

    Args:
        keypoints: (17, 3) in COCO order: x, y in pixels, visibility 0, 1 or 2.
        left_hand, right_hand: (21, 3) in MediaPipe order, same columns; None if unknown.
        size: side length of the square image, or (height, width), in pixels.

    Returns:
        (height, width, 3) uint8 RGB.

    Raises:
        ValueError: an array has the wrong shape or non-finite values, or the size is below 1.

    Example:
        >>> nobody = np.zeros((17, 3))
        >>> draw_pose(nobody, size=32).max()
        0
    """
    height, width = (size, size) if isinstance(size, int) else size
    if min(height, width) < 1:
        raise ValueError(f"size: must be at least 1 pixel, got {size!r}")
    body = body_points(keypoints)
    hands = [
        _checked(name, hand, 21)
        for name, hand in (("left_hand", left_hand), ("right_hand", right_hand))
        if hand is not None
    ]
    # Drawn larger and averaged down, which is what smooths the edges.
    factor = 4 if max(height, width) <= 512 else 2
    unit = factor * max(height, width) / 512
    canvas = Image.new("RGB", (width * factor, height * factor))
    draw = ImageDraw.Draw(canvas)
    _draw_body(draw, body * (factor, factor, 1), unit)
    for hand in hands:
        if (hand[:, 2] == 2).any():
            _draw_hand(draw, hand * (factor, factor, 1), unit)
    return np.asarray(canvas.reduce(factor))


def _draw_body(draw: ImageDraw.ImageDraw, points: NDArray[np.float64], unit: float) -> None:
    for (start, end), colour in zip(BODY_LIMBS, BODY_COLOURS, strict=False):
        if points[start, 2] > 0 and points[end, 2] > 0:
            dimmed = tuple(round(0.6 * channel) for channel in colour)
            outline = _ellipse(points[start, :2], points[end, :2], _LIMB_HALF_WIDTH * unit)
            draw.polygon([tuple(point - 0.5) for point in outline], fill=dimmed)
    for (x, y, visibility), colour in zip(points, BODY_COLOURS, strict=True):
        if visibility > 0:
            _disc(draw, x, y, _JOINT_RADIUS * unit, colour)


def _draw_hand(draw: ImageDraw.ImageDraw, points: NDArray[np.float64], unit: float) -> None:
    for (start, end), colour in zip(HAND_BONES, HAND_COLOURS, strict=True):
        if points[start, 2] > 0 and points[end, 2] > 0:
            line = (*points[start, :2], *points[end, :2])
            draw.line(line, fill=colour, width=max(1, round(_BONE_WIDTH * unit)))
    # Points as blue dots, small enough for a hand that is small in the picture.
    extent = np.ptp(points[points[:, 2] > 0, :2], axis=0).max()
    radius = min(_HAND_POINT_RADIUS * unit, max(0.03 * extent, 0.5 * _BONE_WIDTH * unit))
    for x, y, visibility in points:
        if visibility > 0:
            _disc(draw, x, y, radius, (0, 0, 255))


def _disc(draw: ImageDraw.ImageDraw, x: float, y: float, radius: float, colour: tuple[int, ...]) -> None:
    # Pillow counts pixels by their index and includes the last.
    draw.ellipse((x - radius, y - radius, x + radius - 1, y + radius - 1), fill=colour)


def _ellipse(start: NDArray[np.float64], end: NDArray[np.float64], half_width: float) -> NDArray[np.float64]:
    """The outline (32, 2) of the ellipse from `start` to `end`, `half_width` pixels to each side."""
    middle, along = (start + end) / 2, (end - start) / 2
    length = np.hypot(*along)
    direction = along / length if length > 0 else np.array([1.0, 0.0])
    across = np.array([-direction[1], direction[0]]) * half_width
    angle = np.linspace(0, 2 * np.pi, 32, endpoint=False)[:, None]
    return middle + np.cos(angle) * along + np.sin(angle) * across


def _checked(name: str, points: ArrayLike, count: int) -> NDArray[np.float64]:
    array = np.asarray(points, dtype=np.float64)
    if array.shape != (count, 3):
        raise ValueError(f"{name}: must have shape ({count}, 3), got {array.shape}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: must be finite, got {array[~np.isfinite(array).all(axis=1)][0]}")
    return array
