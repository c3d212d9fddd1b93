"""Hand gestures: how far each finger bends, how the thumb lies."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True)
class HandShape:
    """Degrees. `curl` per finger from index to little: knuckle, middle, end joint.

    `spread` fans the fingers out; the thumb folds across the palm (`oppose`), towards it
    (`flex`) and bends at its two outer joints.
    """

    curl: tuple[tuple[float, float, float], ...]
    spread: float = 0.0
    oppose: float = 0.0
    flex: float = 0.0
    thumb: tuple[float, float] = (5.0, 5.0)
    name: str = ""


_STRAIGHT = (-14.0, -12.0, -8.0)  # the rest pose's fingers are a little bent
_FIST = (78.0, 92.0, 58.0)

_SHAPES: Mapping[str, HandShape] = {
    "open palm": HandShape((_STRAIGHT,) * 4, spread=7, oppose=4, flex=-14, thumb=(-6, -8)),
    "relaxed": HandShape(((4, 8, 4), (9, 12, 7), (13, 15, 9), (16, 17, 10)), spread=0, oppose=-8, flex=6),
    "fist": HandShape((_FIST,) * 4, oppose=-26, flex=24, thumb=(34, 40)),
    "pointing": HandShape((_STRAIGHT, _FIST, _FIST, _FIST), oppose=-26, flex=26, thumb=(36, 40)),
    "thumb up": HandShape((_FIST,) * 4, oppose=4, flex=-26, thumb=(-12, -18)),
    "two fingers": HandShape(
        (_STRAIGHT, _STRAIGHT, _FIST, _FIST),
        spread=13,
        oppose=-28,
        flex=30,
        thumb=(36, 40),
    ),
    "three fingers": HandShape(
        (_STRAIGHT, _STRAIGHT, _STRAIGHT, (70, 88, 55)), spread=9, oppose=-34, flex=30, thumb=(38, 44)
    ),
    "four fingers": HandShape((_STRAIGHT,) * 4, spread=7, oppose=-34, flex=34, thumb=(36, 40)),
    # The tips of thumb and forefinger meet.
    "ok sign": HandShape(
        ((39, 43, 19), _STRAIGHT, _STRAIGHT, _STRAIGHT), spread=7, oppose=-23, flex=2, thumb=(16, 22)
    ),
    "rock sign": HandShape(
        (_STRAIGHT, _FIST, _FIST, _STRAIGHT), spread=6, oppose=-28, flex=30, thumb=(36, 40)
    ),
    "call sign": HandShape((_FIST, _FIST, _FIST, _STRAIGHT), spread=4, oppose=4, flex=-26, thumb=(-12, -18)),
    "thumb down": HandShape((_FIST,) * 4, oppose=4, flex=-26, thumb=(-12, -18)),
    "gripping": HandShape(
        ((44, 52, 30), (46, 54, 32), (48, 56, 34), (50, 58, 36)),
        oppose=-30,
        flex=8,
        thumb=(18, 26),
    ),
}
GESTURES: dict[str, HandShape] = {name: replace(shape, name=name) for name, shape in _SHAPES.items()}


def _rotation(axis: Array, degrees: float) -> Array:
    x, y, z = axis / np.linalg.norm(axis)
    angle = np.deg2rad(degrees)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def jitter(shape: HandShape, rng: np.random.Generator, degrees: float) -> HandShape:
    """The same gesture, each joint off by a little."""
    noise = rng.normal(0, degrees, (4, 3))
    curl = tuple(
        tuple(a + b for a, b in zip(joints, row, strict=True))
        for joints, row in zip(shape.curl, noise, strict=True)
    )
    return replace(
        shape,
        curl=curl,
        spread=shape.spread + rng.normal(0, degrees / 2),
        oppose=shape.oppose + rng.normal(0, degrees),
    )


def finger_rotations(hand: HandShape, heads: Array, bones: Mapping[str, int], side: str) -> dict[str, Array]:
    """Rotations of the finger bones relative to their parents, in rest-world axes."""
    sign = 1.0 if side == "L" else -1.0

    def head(name: str) -> Array:
        return heads[bones[f"{name}.{side}"]]

    forward = head("finger3-1") - head("wrist")
    thumbward = head("finger2-1") - head("finger5-1")
    palm = sign * np.cross(forward, thumbward)
    palm /= np.linalg.norm(palm)
    result: dict[str, Array] = {}
    for finger, curl in zip(range(2, 6), hand.curl, strict=True):
        for joint, angle in zip((1, 2, 3), curl, strict=True):
            start = head(f"finger{finger}-{min(joint, 2)}")
            direction = head(f"finger{finger}-{min(joint, 2) + 1}") - start
            axis = np.cross(direction, palm)
            turn = _rotation(axis, angle)
            if joint == 1:
                fan = hand.spread * (1.5 - (finger - 2)) / 1.5
                turn = _rotation(palm, sign * fan) @ turn
            result[f"finger{finger}-{joint}.{side}"] = turn
    thumb = head("finger1-2") - head("finger1-1")
    across = np.cross(thumb, palm)
    fold = np.cross(thumb, -thumbward)  # bends the thumb over the palm, towards the little finger
    base = _rotation(forward, -sign * hand.oppose) @ _rotation(fold, hand.flex)
    result[f"finger1-1.{side}"] = base
    bend = 0.35 * across / np.linalg.norm(across) + 0.94 * fold / np.linalg.norm(fold)
    for joint, angle in zip((2, 3), hand.thumb, strict=True):
        result[f"finger1-{joint}.{side}"] = _rotation(bend, angle)
    return result
