"""Clothes: a close-fitting suit let out and cut to garments, and a skirt."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairhuman.humans._body import Piece, Topology, Zone

PATTERNS = ("plain", "striped", "checked", "buttoned", "open", "block")
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


def dress(
    outfit: Outfit, points: NDArray[np.float32], normals: NDArray[np.float32], shape: Topology
) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
    """Which triangles exist with this outfit (F,), and the vertices with the clothes let out."""
    canonical, arm = shape.canonical, shape.paint[:, 1] > 0.5
    height, along = canonical[:, 2], shape.paint[:, 0]
    cloth = np.zeros(len(points), bool)
    cloth[np.unique(shape.faces[shape.piece == Piece.CLOTH])] = True
    skirt = np.zeros(len(points), bool)
    skirt[np.unique(shape.faces[shape.piece == Piece.SKIRT])] = True

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

    low, high = height[shape.faces].min(1), height[shape.faces].max(1)
    reach = along[shape.faces].min(1)
    on_arm = arm[shape.faces].all(1)
    covered = ~arm[shape.faces].any(1) & (high < 0.44) & (low > -0.10)
    if not outfit.skirt and outfit.hem < -0.55:
        covered |= ~arm[shape.faces].any(1) & (high < 0.44) & (low > outfit.hem + 0.08)
    covered |= (
        on_arm & (along[shape.faces].max(1) < outfit.sleeve - 0.12) & (along[shape.faces].min(1) > 0.05)
    )
    body = shape.piece == Piece.BODY
    keep = ~(body & (covered | np.isin(shape.zone, (Zone.LEFT_FOOT, Zone.RIGHT_FOOT)) & (high < -0.765)))
    is_cloth = shape.piece == Piece.CLOTH
    trouser_hem = -0.14 if outfit.skirt else outfit.hem
    gone = on_arm & (reach > outfit.sleeve)
    gone |= ~on_arm & (high < trouser_hem) & (low > -0.742)
    keep &= ~(is_cloth & gone)
    keep &= ~((shape.piece == Piece.SKIRT) & ((high < outfit.hem) if outfit.skirt else True))
    return keep, moved
