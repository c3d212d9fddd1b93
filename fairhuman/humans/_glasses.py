"""Glasses: two rims of wire, a bridge between them and temples to the ears."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np
from numpy.typing import NDArray

from fairhuman.humans._body import BODY_VERTICES, Piece, Topology
from fairhuman.humans._hair import Extra, grid_faces

RIMS: Final[Mapping[str, tuple[float, float, float]]] = {
    "round": (0.0255, 0.0255, 2.0),
    "square": (0.0285, 0.0200, 4.5),
}
"""Half width and half height of a rim in metres; exponent of its superellipse, 2 for a circle."""

_WIRE: Final = 0.0014  # radius, metres
_AHEAD, _OUTWARD = 0.033, 0.003  # of the eye's centre, metres
_WRAP: Final = 0.18  # backwards for each metre aside
_AROUND: Final = 7  # vertices around the wire
_EYES: Final = (0.0, -0.1245, 0.7285)  # the middle between them, on the canonical body


def wear(
    style: str,
    rest: NDArray[np.float32],
    heads: NDArray[np.floating],
    head_turn: NDArray[np.floating],
    head_at: NDArray[np.floating],
    shape: Topology,
) -> Extra:
    """Geometry of glasses on a posed head.

    rest: (V, 3) the body at rest; heads: (B, 3) its bones there; head_turn (3, 3), head_at (3,): the head
    bone's motion.
    """
    left, right, head = (heads[shape.bones[bone]].astype(float) for bone in ("eye.L", "eye.R", "head"))
    x, y, z = shape.canonical[:BODY_VERTICES].T
    at_temple = (np.abs(z - 0.735) < 0.012) & (np.abs(y + 0.075) < 0.012)
    beside = float(np.abs(rest[:BODY_VERTICES][at_temple, 0]).max()) + 0.003
    parts = [_tube(wire) for wire in _wires(*RIMS[style], (left[0] - right[0]) / 2 + _OUTWARD, beside)]
    local = np.concatenate([points for points, _ in parts])
    normals = np.concatenate([outward for _, outward in parts])
    starts = np.cumsum([0] + [len(points) for points, _ in parts])
    faces = np.concatenate(
        [grid_faces(len(p) // _AROUND, _AROUND) + start for (p, _), start in zip(parts, starts, strict=False)]
    )
    return Extra(
        ((local + (left + right) / 2 - head) @ head_turn.T + head_at).astype(np.float32),
        (normals @ head_turn.T).astype(np.float32),
        (local + _EYES).astype(np.float32),
        faces.astype(np.int32),
        np.full(len(faces), Piece.FRAME, np.int32),
    )


def _wires(width: float, height: float, power: float, apart: float, beside: float) -> list[NDArray]:
    """Paths (N, 3) in metres from the middle between the eyes: two rims, two temples, the bridge.

    apart: from the middle to a rim's; beside: half the width of the head at the temples.
    """
    t = np.linspace(0, 2 * np.pi, 41)
    across, up = (np.sign(f(t)) * np.abs(f(t)) ** (2 / power) for f in (np.cos, np.sin))
    outer, inner = apart + width, apart - width
    hinge = _WRAP * (outer - 0.02) - _AHEAD
    wires = []
    for side in (1.0, -1.0):
        x = side * apart + width * across
        back = _WRAP * np.maximum(np.abs(x) - 0.02, 0)
        wires.append(np.stack([x, back - _AHEAD, height * up - 0.002], axis=1))
        temple = [
            (outer, hinge, 0.004),
            (0.5 * outer + 0.5 * beside, hinge + 0.006, 0.005),
            (0.1 * outer + 0.9 * beside, hinge + 0.022, 0.006),
            (beside, hinge + 0.050, 0.006),
            (beside, 0.080, 0.006),  # inside the ear
        ]
        wires.append(np.array(temple) * [side, 1, 1])
    s = np.linspace(-1, 1, 9)
    arch = 1 - s**2
    wires.append(np.stack([s * inner, -_AHEAD - 0.002 * arch, 0.004 + 0.003 * arch], axis=1))
    return wires


def _tube(path: NDArray[np.floating]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Points and outward normals of a wire along a path (N, 3): rings of `_AROUND` vertices."""
    along = np.gradient(path, axis=0)
    if np.allclose(path[0], path[-1]):
        along[0] = along[-1] = path[1] - path[-2]
    along /= np.linalg.norm(along, axis=1, keepdims=True)
    first = np.cross(along, [0.31, 0.17, 0.93])
    first /= np.linalg.norm(first, axis=1, keepdims=True)
    a = np.linspace(0, 2 * np.pi, _AROUND)[:, None]
    outward = np.cos(a) * first[:, None] + np.sin(a) * np.cross(along, first)[:, None]
    return (path[:, None] + _WIRE * outward).reshape(-1, 3), outward.reshape(-1, 3)
