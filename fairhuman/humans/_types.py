"""What one rendered picture of a person carries in addition to its pixels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

import numpy as np
from numpy.typing import NDArray


class Part(IntEnum):
    """What a ray hit: the labels of `HumanImage.parts`.

    Exactly one label per ray, so regions made of different labels are disjoint.
    `FACE` is the front of the face (forehead hairline to chin, ear to ear, without
    the hair that falls over it); `EYES` (the eyeballs) and `MOUTH` (teeth and tongue)
    lie inside the face and count as face in the face mask.
    """

    BACKGROUND = 0
    FACE = 1
    EYES = 2
    MOUTH = 3
    HEAD = 4  # skin of the head that is not face: ears, scalp, nape, neck
    HAIR = 5
    LEFT_HAND = 6
    RIGHT_HAND = 7
    ARMS = 8
    LEGS = 9
    LEFT_FOOT = 10  # skin or shoe
    RIGHT_FOOT = 11
    TOP = 12
    BOTTOM = 13
    TORSO = 14  # bare skin of the trunk at the neckline; never below the collar


REGION_PARTS: Final[Mapping[str, tuple[Part, ...]]] = {
    "face": (Part.FACE, Part.EYES, Part.MOUTH),
    "left_hand": (Part.LEFT_HAND,),
    "right_hand": (Part.RIGHT_HAND,),
    "left_foot": (Part.LEFT_FOOT,),
    "right_foot": (Part.RIGHT_FOOT,),
    "eyes": (Part.EYES,),
}
"""Regions with a separate mask. Left and right are the person's."""

COCO_KEYPOINTS: Final[tuple[str, ...]] = (
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
)

HAND_KEYPOINTS: Final[tuple[str, ...]] = (
    "wrist",
    *(f"thumb_{joint}" for joint in ("cmc", "mcp", "ip", "tip")),
    *(
        f"{finger}_{joint}"
        for finger in ("index", "middle", "ring", "pinky")
        for joint in ("mcp", "pip", "dip", "tip")
    ),
)
"""The 21 points of a hand in MediaPipe's order."""

OUTSIDE, OCCLUDED, VISIBLE = 0, 1, 2
"""Visibility of a keypoint: outside the image, hidden behind a surface, seen."""


@dataclass(frozen=True)
class Camera:
    """A pinhole camera. Camera space: x right, y down, z forward, metres.

    A point (x, y, z) falls on pixel coordinates (fx x / z + cx, fy y / z + cy); pixel
    column c and row r cover [c, c+1) by [r, r+1), so their centre is at +0.5.
    """

    fx: float
    fy: float
    cx: float
    cy: float
    rotation: NDArray[np.float64] = field(repr=False)  # (3, 3), world to camera
    position: NDArray[np.float64] = field(repr=False)  # (3,), in the world, metres

    def to_camera(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """World points (..., 3) in camera space."""
        return (np.asarray(points, dtype=np.float64) - self.position) @ self.rotation.T

    def project(self, points: NDArray[np.floating]) -> NDArray[np.float64]:
        """Camera-space points (..., 3) to pixel coordinates (..., 2)."""
        points = np.asarray(points, dtype=np.float64)
        depth = np.maximum(points[..., 2], 1e-6)
        return np.stack(
            [
                self.fx * points[..., 0] / depth + self.cx,
                self.fy * points[..., 1] / depth + self.cy,
            ],
            axis=-1,
        )


@dataclass(frozen=True)
class HumanImage:
    """A rendered person and everything known about the picture.

    Each pixel is the mean of 3x3 rays. `coverage` is the share of a pixel's rays that
    hit a region, `masks` are true where at least 5 of the 9 do.

    Attributes:
        image: (H, W, 3) uint8, sRGB.
        parts: (H, W) uint8, the `Part` that most rays of the pixel hit (the lowest
            label where two are level).
        coverage: region name (see `REGION_PARTS`) to (H, W) float32 in [0, 1].
        depth: (H, W) float32 metres along the camera's axis (z, not ray length), of
            the pixel's central ray; 0 where that ray meets nothing of the person.
            The scene behind the person has no depth.
        keypoints: (17, 3) float32, COCO order: x, y in pixels, visibility 0, 1 or 2.
        left_hand, right_hand: (21, 3) float32, MediaPipe order, same columns.
        keypoints_camera, left_hand_camera, right_hand_camera: the same points in
            camera space, (17, 3) and (21, 3) float32 metres. They lie inside the body
            (joints), on its surface for eyes, ears, nose.
        camera: intrinsics and pose.
        face_yaw: degrees between the head's forward direction and the direction to
            the camera, about the head's vertical axis; positive when the person looks
            to the picture's right; in (-180, 180].
        attributes: true facts about the picture; `fairhuman.humans._caption.WORDS` has those that a
            caption may tell.
        preset: which preset drew it.
    """

    image: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    coverage: Mapping[str, NDArray[np.float32]]
    depth: NDArray[np.float32]
    keypoints: NDArray[np.float32]
    left_hand: NDArray[np.float32]
    right_hand: NDArray[np.float32]
    keypoints_camera: NDArray[np.float32]
    left_hand_camera: NDArray[np.float32]
    right_hand_camera: NDArray[np.float32]
    camera: Camera
    face_yaw: float
    attributes: Mapping[str, str]
    preset: str

    @property
    def masks(self) -> dict[str, NDArray[np.bool_]]:
        """Region name to (H, W) bool: at least 5 of the pixel's 9 rays hit it."""
        return {name: share >= 0.5 for name, share in self.coverage.items()}
