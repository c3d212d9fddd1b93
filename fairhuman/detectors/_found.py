"""Detections in an image."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fairhuman.boxes import Box, corners, middle

__all__ = ["Body", "Detection", "Face", "Hand", "Palm", "decode", "encode"]

# MediaPipe's landmark of each of COCO's 17 keypoints; elbow, wrist and knuckles of the left and right arm.
_COCO: Final = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
_ARMS: Final = {"left": (13, 15, (17, 19, 21)), "right": (14, 16, (18, 20, 22))}
_SHOULDERS: Final = (11, 12)


@dataclass(frozen=True)
class Face:
    """A detected face.

    Attributes:
        score: detection score in [threshold, 1].
        box: (x0, y0, x1, y1) in pixels; may extend outside the image, as returned by the detector.
        keypoints: shape (6, 2), pixels: the person's right eye, left eye, nose tip, mouth centre,
            right and left ear tragion; None for a face found by YOLO or by the second detector.
    """

    score: float
    box: Box
    keypoints: NDArray[np.float64] | None = field(default=None, compare=False)


@dataclass(frozen=True)
class Palm:
    """A detected palm, where the detector searched for a hand.

    Attributes:
        score: detection score in [threshold, 1].
        box: (x0, y0, x1, y1) in pixels around the palm, without the fingers; may extend outside the image.
    """

    score: float
    box: Box


@dataclass(frozen=True)
class Hand:
    """A detected hand. For one found only by YOLO, everything except the box is None.

    Attributes:
        handedness: probability of the named side in [0.5, 1]; the paper's "hand confidence".
        side: "left" or "right", the person's, for an image that is not mirrored.
        box: (x0, y0, x1, y1) in pixels, around the landmarks if there are any; may extend outside the image.
        landmarks: shape (21, 3): x and y in pixels, z the depth relative to the wrist in the same
            unit, in MediaPipe's order (wrist, then thumb to little finger, four points each).
    """

    handedness: float | None
    side: str | None
    box: Box
    landmarks: NDArray[np.float64] | None = field(compare=False)

    @property
    def outline(self) -> NDArray[np.float64]:
        """Points that span the hand, shape (n, 2): its landmarks, or else the corners of its box."""
        return corners(self.box) if self.landmarks is None else self.landmarks[:, :2]

    @property
    def middle(self) -> tuple[float, float]:
        """The mean of its landmarks, or else the centre of its box."""
        if self.landmarks is None:
            return middle(self.box)
        x, y = self.landmarks[:, :2].mean(axis=0)
        return float(x), float(y)


@dataclass(frozen=True)
class Body:
    """A detected body.

    Attributes:
        width, height: size of the image in pixels.
        landmarks: MediaPipe's landmarks, shape (33, 3): x and y in pixels, and visibility in [0, 1].
    """

    width: int
    height: int
    landmarks: NDArray[np.float64] = field(compare=False)

    def keypoints(self, least: float = 0.5) -> NDArray[np.float64]:
        """COCO's 17 keypoints, shape (17, 3): x, y, and 0 outside the image, 1 occluded, 2 visible.

        Args:
            least: Minimum visibility of a landmark that counts as visible.
        """
        points = self.landmarks[list(_COCO)].copy()
        inside = (points[:, :2] >= 0).all(axis=1) & (points[:, :2] < (self.width, self.height)).all(axis=1)
        points[:, 2] = np.where(inside, np.where(points[:, 2] >= least, 2.0, 1.0), 0.0)
        return points

    def wrists(self) -> dict[str, tuple[float, float, float]]:
        """Side → (x, y, length): the centre of the hand and the length of the forearm, in pixels."""
        marks = self.landmarks[:, :2]
        shoulders = float(np.hypot(*(marks[_SHOULDERS[0]] - marks[_SHOULDERS[1]])))
        found = {}
        for side, (elbow, wrist, knuckles) in _ARMS.items():
            x, y = marks[[wrist, *knuckles]].mean(axis=0)
            # A forearm that points at the camera appears short.
            length = max(float(np.hypot(*(marks[elbow] - marks[wrist]))), 0.7 * shoulders)
            found[side] = float(x), float(y), length
        return found


@dataclass(frozen=True)
class Detection:
    """All detections in an image; each tuple is sorted by descending score.

    Attributes:
        width, height: size of the image in pixels.
        faces: from the full-range model; during annotation, from any model.
        short_range_faces: from the short-range model.
        hands: from MediaPipe, followed by those found only by YOLO.
        palms: where MediaPipe searched for hands.
        body: the most prominent body, if bodies are detected.
        unconfirmed_faces, unconfirmed_hands: during annotation, detections that failed the second check.
    """

    width: int
    height: int
    faces: tuple[Face, ...]
    short_range_faces: tuple[Face, ...]
    hands: tuple[Hand, ...]
    palms: tuple[Palm, ...] = ()
    body: Body | None = None
    unconfirmed_faces: tuple[Face, ...] = ()
    unconfirmed_hands: tuple[Hand, ...] = ()


def encode(detection: Detection) -> dict[str, Any]:
    """MediaPipe's faces, hands and palms as JSON; :func:`decode` returns an equal detection, including
    landmarks."""
    faces = {
        name: [[f.score, f.box, f.keypoints.tolist()] for f in getattr(detection, name)]
        for name in ("faces", "short_range_faces")
    }
    hands = [[h.handedness, h.side, h.box, np.asarray(h.landmarks).tolist()] for h in detection.hands]
    palms = [[p.score, p.box] for p in detection.palms]
    return {"size": [detection.width, detection.height], **faces, "hands": hands, "palms": palms}


def decode(stored: dict[str, Any]) -> Detection:
    """The detection passed to :func:`encode`.

    Raises:
        KeyError, TypeError, ValueError: The data does not come from :func:`encode`.
    """
    far, near = (
        tuple(Face(score, tuple(box), np.array(points)) for score, box, points in stored[name])
        for name in ("faces", "short_range_faces")
    )
    hands = tuple(
        Hand(score, side, tuple(box), np.array(points)) for score, side, box, points in stored["hands"]
    )
    palms = tuple(Palm(score, tuple(box)) for score, box in stored["palms"])
    width, height = stored["size"]
    return Detection(width, height, far, near, hands, palms)
