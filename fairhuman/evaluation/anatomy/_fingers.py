"""Which fingers a hand stretches out, by its landmarks, and which ones a gesture asks for."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
from numpy.typing import NDArray

__all__ = ["FINGERS", "GESTURE_FINGERS", "extended_fingers"]

FINGERS: Final = ("thumb", "index", "middle", "ring", "little")

GESTURE_FINGERS: Final[Mapping[str, frozenset[str]]] = MappingProxyType(
    {
        "open palm": frozenset(FINGERS),
        "fist": frozenset(),
        "pointing": frozenset({"index"}),
        "thumb up": frozenset({"thumb"}),
        "two fingers": frozenset({"index", "middle"}),
    }
)
"""Gesture to the fingers that it stretches out. A relaxed hand is not listed: its fingers are half bent."""

_LITTLE = 17  # the little finger's knuckle
# Renders of the two kinds, stretched out and folded, lie apart on either side of both bounds.
_LEAST_COSINE = 0.5  # between a finger's first bone and its last: bent by less than 60°
_LEAST_REACH = 1.1


def extended_fingers(landmarks: NDArray[np.float64]) -> frozenset[str]:
    """The fingers that are stretched out.

    A finger is, if its last bone turns away from its first by less than 60°, in space. A thumb is, if its
    tip is farther from the little finger's knuckle than its knuckle, by a tenth: folded, it lies over the
    palm.

    Args:
        landmarks: Shape (21, 3), in MediaPipe's order: wrist, then thumb to little finger, four points each.

    Raises:
        ValueError: Another shape.
    """
    points = np.asarray(landmarks, dtype=np.float64)
    if points.shape != (21, 3):
        raise ValueError(f"landmarks: must have shape (21, 3), got {points.shape}")
    found = set()
    for place, finger in enumerate(FINGERS):
        first, second, third, tip = points[1 + 4 * place : 5 + 4 * place]
        if finger == "thumb":
            reach, knuckle = (np.linalg.norm(point - points[_LITTLE]) for point in (tip, second))
            stretched = reach > _LEAST_REACH * knuckle
        else:
            stretched = _cosine(second - first, tip - third) > _LEAST_COSINE
        if stretched:
            found.add(finger)
    return frozenset(found)


def _cosine(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    norm = np.linalg.norm(first) * np.linalg.norm(second)
    return float(first @ second / norm) if norm else 1.0
