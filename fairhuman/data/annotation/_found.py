"""What detectors find in one photograph, in its pixels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fairhuman.data.annotation._tiles import Box, Region

__all__ = ["Found", "FoundBody", "FoundFace", "FoundHand", "body_of", "faces_of", "hands_of"]

# BlazePose's 33 landmarks: those that COCO has, in COCO's order; then the wrists and knuckles.
_COCO: Final = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
_ARMS: Final = ((13, 15, (17, 19, 21)), (14, 16, (18, 20, 22)))  # elbow, wrist, knuckles: left, right
_SEEN: Final = 0.5  # least visibility of a landmark that counts as visible


@dataclass(frozen=True)
class FoundFace:
    """A face: its box as the detector gives it, and six points (right eye, left eye, nose, mouth, ears)."""

    score: float
    box: Box
    points: NDArray[np.float64] = field(compare=False)


@dataclass(frozen=True)
class FoundHand:
    """A hand: the person's own ``side``, the certainty of it, the box of its 21 landmarks (21, 2).

    One that only YOLO found has no side (""), its detection's score, and the box's corners (4, 2) as points.
    """

    score: float
    side: str
    box: Box
    points: NDArray[np.float64] = field(compare=False)


@dataclass(frozen=True)
class FoundBody:
    """A body: 17 COCO keypoints (x, y, visibility 0, 1 or 2), and where its hands are to be looked for.

    ``wrists`` maps a side to (x, y, length), the middle of the hand and the length of the forearm.
    """

    keypoints: NDArray[np.float64]
    wrists: dict[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Found:
    """Everything found in one photograph, in its pixels; each tuple has the best score first."""

    faces: tuple[FoundFace, ...]
    hands: tuple[FoundHand, ...]
    body: FoundBody | None


def faces_of(found: Any, region: Region) -> Iterator[FoundFace]:
    """MediaPipe's faces in a region of the image."""
    width, height = region.size
    for detection in found.detections or ():
        location = detection.location_data
        box, marks = location.relative_bounding_box, location.relative_keypoints
        x0, y0 = region.x0 + box.xmin * width, region.y0 + box.ymin * height
        points = np.array([[region.x0 + p.x * width, region.y0 + p.y * height] for p in marks])
        corners = (x0, y0, x0 + box.width * width, y0 + box.height * height)
        yield FoundFace(float(detection.score[0]), corners, points)


def hands_of(found: Any, region: Region) -> Iterator[FoundHand]:
    """MediaPipe's hands in a region of the image."""
    width, height = region.size
    for handed, marks in zip(found.multi_handedness or (), found.multi_hand_landmarks or (), strict=True):
        certain = handed.classification[0]
        points = np.array([[region.x0 + p.x * width, region.y0 + p.y * height] for p in marks.landmark])
        box = (*map(float, points.min(axis=0)), *map(float, points.max(axis=0)))
        # MediaPipe names sides as in a mirrored, selfie image.
        side = {"Left": "right", "Right": "left"}[certain.label]
        yield FoundHand(float(certain.score), side, box, points)


def body_of(found: Any, width: int, height: int) -> FoundBody | None:
    """MediaPipe's body in an image of this size, if there is one."""
    if found.pose_landmarks is None:
        return None
    marks = np.array([[p.x * width, p.y * height, p.visibility] for p in found.pose_landmarks.landmark])
    inside = (marks[:, :2] >= 0).all(axis=1) & (marks[:, :2] < (width, height)).all(axis=1)
    visible = np.where(inside, np.where(marks[:, 2] >= _SEEN, 2.0, 1.0), 0.0)
    wrists = {}
    for side, (elbow, wrist, knuckles) in zip(("left", "right"), _ARMS, strict=True):
        middle = marks[[wrist, *knuckles], :2].mean(axis=0)
        length = float(np.hypot(*(marks[elbow, :2] - marks[wrist, :2])))
        shoulders = float(np.hypot(*(marks[11, :2] - marks[12, :2])))
        wrists[side] = (float(middle[0]), float(middle[1]), max(length, 0.7 * shoulders))
    return FoundBody(np.column_stack([marks[:, :2], visible])[list(_COCO)], wrists)
