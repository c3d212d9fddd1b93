"""Extended fingers of a hand, from its landmarks, and those that a gesture requires."""

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
"""Gesture → extended fingers. A relaxed hand is not listed, because its fingers are half bent."""

_LITTLE = 17  # the little finger's knuckle
# Renders of the two kinds, stretched out and folded, lie apart on either side of both bounds.
_LEAST_COSINE = 0.5  # between a finger's first bone and its last: bent by less than 60°
_LEAST_REACH = 1.1


def extended_fingers(landmarks: NDArray[np.float64]) -> frozenset[str]:
    """The extended fingers.

    A finger is extended if the angle in space between its last and first bone is below 60°. A thumb is
    extended if its tip is at least a tenth farther from the little finger's knuckle than its own knuckle is;
    a folded thumb lies over the palm.

    Args:
        landmarks: Shape (21, 3), in MediaPipe's order: wrist, then thumb to little finger, four points each.

    Raises:
        ValueError: The shape is wrong.
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
