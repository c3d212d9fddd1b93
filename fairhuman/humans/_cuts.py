# ruff: noqa: SIM102 (a nested if saves work)
"""Where garments, hair and lashes end: their triangles go on, unseen (Warp function)."""

from __future__ import annotations

import warp as wp

from fairhuman.humans._material import grain, hairline, neckline
from fairhuman.humans._structs import Look

# Values of fairhuman.humans._body.Piece, as Warp wants them.
BODY, EYE, TONGUE, TEETH, LASH, CLOTH, SKIRT, CAP, CURTAIN, KNOT, FRAME = (wp.constant(i) for i in range(11))
SHOE_TOP = wp.constant(-0.742)


@wp.func
def is_cut(kind: int, c: wp.vec3, paint: wp.vec4, look: Look) -> bool:
    """Whether a garment or lock of hair ends before this point."""
    if kind == CLOTH:
        if paint[1] > 0.5:
            return paint[0] > look.sleeve
        if c[2] > 0.45:
            return neckline(c, look) > 0.0
        return c[2] < look.hem and c[2] > SHOE_TOP
    if kind == SKIRT:
        return c[2] < look.hem or c[2] > look.waist + 0.012
    if kind == CAP:
        tuft = grain(look.seed + 30, c[0] * 260.0, c[1] * 260.0, c[2] * 60.0)
        return c[2] < hairline(c, look.hairline) + 0.004 * tuft
    if kind == CURTAIN:
        # canonical x: angle around the head, y: 0 root to 1 tip, z: face opening
        tuft = grain(look.seed + 31, c[0] * 40.0, c[1] * 2.0, 0.0)
        if c[1] > 0.965 + 0.06 * tuft:
            return True
        return wp.abs(c[0]) > c[2] + 0.025 * grain(look.seed + 32, c[0] * 3.0, c[1] * 14.0, 0.0)
    if kind == LASH:
        out = wp.length(wp.vec3(wp.abs(c[0]), c[1], c[2]) - wp.vec3(0.031, -0.1245, 0.7285))
        tuft = grain(look.seed + 33, c[0] * 1200.0, 0.0, 0.0)
        if c[2] < 0.7275:
            return out > 0.0166
        return out > 0.0192 + 0.0016 * tuft
    return False
