"""Where the camera stands: framings fitted to the posed body."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairhuman.humans._types import Camera

FRAMINGS = (
    "face close-up",
    "hand close-up",
    "head and shoulders",
    "chest up",
    "upper body",
    "knees up",
    "whole body",
    "distant",
)


@dataclass(frozen=True)
class Shot:
    """A framing and how the camera deviates from straight ahead.

    `fill` is the share of the picture's half-width the subject takes (1 touches the
    edges); `shift` moves the subject off centre, in picture widths; angles in degrees.
    """

    framing: str
    fill: float
    shift: tuple[float, float]
    orbit: float = 0.0
    elevation: float = 0.0
    field: float = 28.0
    side: str = "R"  # whose hand a hand close-up shows


def aim(shot: Shot, subject: NDArray[np.floating], size: int) -> Camera:
    """A camera that sees all of `subject` (N, 3) at the wanted size."""
    orbit, rise = np.deg2rad(shot.orbit), np.deg2rad(shot.elevation)
    forward = np.array([-np.sin(orbit) * np.cos(rise), np.cos(orbit) * np.cos(rise), -np.sin(rise)])
    right = np.array([np.cos(orbit), np.sin(orbit), 0.0])
    down = np.cross(forward, right)
    rotation = np.stack([right, down, forward])
    local = subject @ rotation.T
    low, high = local.min(0), local.max(0)
    middle = (low + high) / 2
    half = max(high[0] - low[0], high[1] - low[1]) / 2
    tangent = np.tan(np.deg2rad(shot.field) / 2)
    # The nearest point of the subject must fit, not just its middle plane.
    distance = half / (shot.fill * tangent) + (middle[2] - low[2]) * 0.5
    plane = distance * tangent * 2
    centre = middle + np.array([-shot.shift[0] * plane, -shot.shift[1] * plane, 0.0])
    position = (centre - np.array([0.0, 0.0, distance])) @ rotation
    focal = size / (2 * tangent)
    return Camera(focal, focal, size / 2, size / 2, rotation, position)
