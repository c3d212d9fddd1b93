"""Clothes: a close-fitting suit let out and cut to garments, and a skirt."""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairhuman.humans._body import Piece, Topology, Zone, topology

PATTERNS = ("plain", "striped", "checked", "buttoned", "open", "block", "dotted")
NECKLINES = {"crew": 0, "v": 1, "scoop": 2, "high": 3}
SLEEVES = {"sleeveless": 0.06, "short": 0.33, "three-quarter": 0.68, "long": 0.985}
HEMS = {
    "shorts": -0.24,
    "knee": -0.36,
    "cropped": -0.60,
    "full": -0.735,
    "mini": -0.16,
    "midi": -0.50,
    "maxi": -0.68,
}


@dataclass(frozen=True)
class Outfit:
    """Lengths are canonical (see `_material`): sleeve along the arm, hem and waist in metres."""

    sleeve: float
    hem: float
    waist: float = -0.02
    skirt: bool = False
    looseness: float = 0.010
    trouser: float = 0.008


@dataclass(frozen=True)
class _Bounds:
    """Where each triangle lies on the canonical body: heights, position along the arm."""

    low: NDArray[np.float32]
    high: NDArray[np.float32]
    along_low: NDArray[np.float32]
    along_high: NDArray[np.float32]
    on_arm: NDArray[np.bool_]
    off_arm: NDArray[np.bool_]
    cloth: NDArray[np.bool_]  # per vertex
    skirt: NDArray[np.bool_]  # per vertex


@functools.lru_cache(maxsize=1)
def _bounds() -> _Bounds:
    shape = topology()
    height, along = shape.canonical[:, 2][shape.faces], shape.paint[:, 0][shape.faces]
    arm = (shape.paint[:, 1] > 0.5)[shape.faces]
    vertices = np.arange(len(shape.canonical))
    return _Bounds(
        height.min(1),
        height.max(1),
        along.min(1),
        along.max(1),
        arm.all(1),
        ~arm.any(1),
        np.isin(vertices, shape.faces[shape.piece == Piece.CLOTH]),
        np.isin(vertices, shape.faces[shape.piece == Piece.SKIRT]),
    )


def cloth_vertices() -> NDArray[np.bool_]:
    """(V,) the vertices of the suit that clothes and shoes are cut from."""
    return _bounds().cloth


def dress(
    outfit: Outfit,
    points: NDArray[np.float32],
    normals: NDArray[np.float32],
    shape: Topology,
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Which triangles exist with this outfit (F,), and the vertices with the clothes let out."""
    canonical, arm = shape.canonical, shape.paint[:, 1] > 0.5
    height, along = canonical[:, 2], shape.paint[:, 0]
    bounds = _bounds()
    cloth, skirt = bounds.cloth, bounds.skirt

    offset = np.zeros(len(points), np.float32)
    upper = arm | (height > outfit.waist)
    offset[cloth & upper] = outfit.looseness
    offset[cloth & ~upper] = outfit.trouser
    cuff = cloth & arm
    offset[cuff] += 0.004 * np.clip(1 - np.abs(along[cuff] - outfit.sleeve) / 0.2, 0, 1)
    tail = cloth & ~arm & (height > outfit.waist) & (height < outfit.waist + 0.14)
    offset[tail] += 0.006 * (1 - (height[tail] - outfit.waist) / 0.14)
    leg = cloth & ~arm & (height < -0.25) & (height > -0.76)
    offset[leg] += 0.010 * np.clip((-0.25 - height[leg]) / 0.4, 0, 1)
    neck = cloth & ~arm & (height > 0.53)
    offset[neck] *= 0.45
    shoe = cloth & (height < -0.745)
    offset[shoe] = 0.009
    offset[skirt] = 0.010
    moved = points + normals * offset[:, None]
    flat = shoe & (height < -0.80)
    moved[flat, 2] = np.minimum(moved[flat, 2], points[flat, 2])

    low, high = bounds.low, bounds.high
    covered = bounds.off_arm & (high < 0.44) & (low > -0.10)
    if not outfit.skirt and outfit.hem < -0.55:
        covered |= bounds.off_arm & (high < 0.44) & (low > outfit.hem + 0.08)
    covered |= bounds.on_arm & (bounds.along_high < outfit.sleeve - 0.12) & (bounds.along_low > 0.05)
    body = shape.piece == Piece.BODY
    keep = ~(body & (covered | np.isin(shape.zone, (Zone.LEFT_FOOT, Zone.RIGHT_FOOT)) & (high < -0.765)))
    is_cloth = shape.piece == Piece.CLOTH
    trouser_hem = -0.14 if outfit.skirt else outfit.hem
    gone = bounds.on_arm & (bounds.along_low > outfit.sleeve)
    gone |= ~bounds.on_arm & (high < trouser_hem) & (low > -0.742)
    keep &= ~(is_cloth & gone)
    keep &= ~((shape.piece == Piece.SKIRT) & ((high < outfit.hem) if outfit.skirt else True))
    return keep, moved
