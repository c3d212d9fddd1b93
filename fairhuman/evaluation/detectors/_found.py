"""What detectors find in an image."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

Box = tuple[float, float, float, float]
"""(x0, y0, x1, y1) in pixels."""


@dataclass(frozen=True)
class Face:
    """One face found.

    Attributes:
        score: detection score in [threshold, 1].
        box: (x0, y0, x1, y1) in pixels; may reach outside the image, as the detector gives it.
        keypoints: shape (6, 2), pixels: the person's right eye, left eye, nose tip, mouth centre,
            right and left ear tragion.
    """

    score: float
    box: Box
    keypoints: np.ndarray = field(compare=False)


@dataclass(frozen=True)
class Palm:
    """One palm found: where a hand was looked for.

    Attributes:
        score: detection score in [threshold, 1].
        box: (x0, y0, x1, y1) in pixels around the palm, without the fingers; may reach outside the image.
    """

    score: float
    box: Box


@dataclass(frozen=True)
class Hand:
    """One hand found.

    Attributes:
        handedness: probability of the named side in [0.5, 1]; the paper's "hand confidence".
        side: "left" or "right", the person's own, for an image that is not mirrored.
        box: (x0, y0, x1, y1) in pixels around the landmarks; may reach outside the image.
        landmarks: shape (21, 3): x and y in pixels, z the depth relative to the wrist in the same
            unit, in MediaPipe's order (wrist, then thumb to little finger, four points each).
    """

    handedness: float
    side: str
    box: Box
    landmarks: np.ndarray = field(compare=False)


@dataclass(frozen=True)
class Detection:
    """Everything found in one image; each tuple has the best score first.

    Attributes:
        width, height: of the image, in pixels.
        faces: found by the full-range model.
        short_range_faces: found by the short-range model.
        hands: at most two.
        palms: at most two.
    """

    width: int
    height: int
    faces: tuple[Face, ...]
    short_range_faces: tuple[Face, ...]
    hands: tuple[Hand, ...]
    palms: tuple[Palm, ...] = ()


def encode(detection: Detection) -> dict[str, Any]:
    """A detection as JSON holds it; :func:`decode` gives back an equal one, landmarks included."""
    faces = {
        name: [[f.score, f.box, f.keypoints.tolist()] for f in getattr(detection, name)]
        for name in ("faces", "short_range_faces")
    }
    hands = [[h.handedness, h.side, h.box, h.landmarks.tolist()] for h in detection.hands]
    palms = [[p.score, p.box] for p in detection.palms]
    return {"size": [detection.width, detection.height], **faces, "hands": hands, "palms": palms}


def decode(stored: dict[str, Any]) -> Detection:
    """The detection that :func:`encode` was given.

    Raises:
        KeyError, TypeError, ValueError: It was not.
    """
    faces = (
        tuple(Face(score, tuple(box), np.array(points)) for score, box, points in stored[name])
        for name in ("faces", "short_range_faces")
    )
    hands = tuple(
        Hand(score, side, tuple(box), np.array(points)) for score, side, box, points in stored["hands"]
    )
    palms = tuple(Palm(score, tuple(box)) for score, box in stored["palms"])
    width, height = stored["size"]
    return Detection(width, height, *faces, hands, palms)
