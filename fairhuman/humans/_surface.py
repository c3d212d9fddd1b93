# ruff: noqa: UP018, SIM102, SIM109 (to Warp, float(0.0) is a variable, `in` unknown; a nested if saves work)
"""Rays at the person: the first opaque surface, and how far a ray runs free (Warp functions)."""

from __future__ import annotations

import warp as wp

from fairhuman.humans._material import (
    eye,
    grain,
    hairline,
    in_face,
    neckline,
    ramp,
    skin,
    strands,
    top_colour,
)
from fairhuman.humans._structs import Look, Surface

# Values of fairhuman.humans._body.Piece and Zone, and of Part, as Warp wants them.
BODY, EYE, TONGUE, TEETH, LASH, CLOTH, SKIRT, CAP, CURTAIN, KNOT = (wp.constant(i) for i in range(10))
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


@wp.func
def free_path(
    mesh: wp.uint64,
    canonical: wp.array(dtype=wp.vec3),
    paints: wp.array(dtype=wp.vec4),
    kinds: wp.array(dtype=wp.int32),
    origin: wp.vec3,
    direction: wp.vec3,
    reach: float,
    look: Look,
) -> float:
    """Distance to the first opaque surface, or -1 within `reach`."""
    start = float(0.0)
    for _ in range(4):
        query = wp.mesh_query_ray(mesh, origin + direction * start, direction, reach - start)
        if not query.result:
            return -1.0
        t = start + query.t
        kind = kinds[query.face] % 16
        if kind < LASH:
            return t
        if kind != LASH:
            i0 = wp.mesh_get_index(mesh, query.face * 3)
            i1 = wp.mesh_get_index(mesh, query.face * 3 + 1)
            i2 = wp.mesh_get_index(mesh, query.face * 3 + 2)
            w = 1.0 - query.u - query.v
            c = canonical[i0] * query.u + canonical[i1] * query.v + canonical[i2] * w
            paint = paints[i0] * query.u + paints[i1] * query.v + paints[i2] * w
            if not is_cut(kind, c, paint, look):
                return t
        start = t + 0.00004
    return -1.0


@wp.func
def first_surface(
    mesh: wp.uint64,
    normals: wp.array(dtype=wp.vec3),
    canonical: wp.array(dtype=wp.vec3),
    paints: wp.array(dtype=wp.vec4),
    kinds: wp.array(dtype=wp.int32),
    origin: wp.vec3,
    direction: wp.vec3,
    look: Look,
) -> Surface:
    s = Surface()
    s.hit = 0
    start = float(0.0)
    for _ in range(6):
        query = wp.mesh_query_ray(mesh, origin + direction * start, direction, 40.0)
        if not query.result:
            return s
        t = start + query.t
        i0 = wp.mesh_get_index(mesh, query.face * 3)
        i1 = wp.mesh_get_index(mesh, query.face * 3 + 1)
        i2 = wp.mesh_get_index(mesh, query.face * 3 + 2)
        w = 1.0 - query.u - query.v
        c = canonical[i0] * query.u + canonical[i1] * query.v + canonical[i2] * w
        paint = paints[i0] * query.u + paints[i1] * query.v + paints[i2] * w
        kind = kinds[query.face] % 16
        zone = kinds[query.face] / 16
        if is_cut(kind, c, paint, look):
            start = t + 0.00004
            continue
        n = wp.normalize(normals[i0] * query.u + normals[i1] * query.v + normals[i2] * w)
        g = query.normal
        if wp.dot(g, direction) > 0.0:
            g = -g
        if wp.dot(n, g) < 0.0:
            n = -n
        s.hit = 1
        s.t = t
        s.geometric = g
        s.point = c
        s.paint = paint
        s.shine = 0.0
        s.gloss = 20.0
        s.kind = 0
        s.tangent = wp.vec3(0.0, 0.0, 1.0)
        if kind == BODY:
            s.kind = 1
            s.shine = 0.05
            s.gloss = 22.0
            s.label = 9
            head = zone == 1
            hand = zone == 2 or zone == 3
            if zone == 6:  # inside the mouth
                s.albedo = wp.vec3(0.10, 0.022, 0.022)
                s.label = 3
            elif zone == 7:
                s.albedo = look.skin * 0.45
                s.label = 1
            else:
                s.albedo = skin(c, paint, head, hand, look)
            if zone == 1:
                s.label = 4
                if in_face(c, look.hairline):
                    s.label = 1
                if look.cropped > 0.5 and c[2] > hairline(c, look.hairline):
                    s.label = 5
                s.shine = 0.05 + 0.10 * ramp(0.3, 0.7, paint[2])
            elif zone == 2:
                s.label = 6
            elif zone == 3:
                s.label = 7
            elif zone == 4:
                s.label = 10
            elif zone == 5:
                s.label = 11
            elif zone == 0:
                if paint[1] > 0.3:
                    s.label = 8
                elif c[2] > 0.585:
                    s.label = 4
                elif c[2] > 0.2:
                    s.label = 14
        elif kind == EYE:
            s.kind = 3
            s.albedo = eye(c, look)
            s.shine = 0.6
            s.gloss = 220.0
            s.label = 2
        elif kind == TONGUE:
            s.kind = 1
            s.albedo = wp.vec3(0.42, 0.13, 0.12)
            s.shine = 0.05
            s.label = 3
        elif kind == TEETH:
            s.albedo = wp.vec3(0.78, 0.74, 0.66)
            s.shine = 0.15
            s.gloss = 60.0
            s.label = 3
        elif kind == LASH:
            s.albedo = wp.vec3(0.014, 0.011, 0.010)
            s.label = 1
        elif kind == CLOTH or kind == SKIRT:
            if kind == CLOTH and c[2] < SHOE_TOP and paint[1] < 0.5:
                s.albedo = look.shoe
                if c[2] < -0.802:
                    s.albedo = look.sole
                s.shine = 0.10
                s.gloss = 30.0
                s.label = 11
                if c[0] > 0.0:
                    s.label = 10
            else:
                upper = c[2] > look.waist or paint[1] > 0.5
                if kind == SKIRT:
                    upper = False
                if upper:
                    s.albedo = top_colour(c, paint, look)
                    s.label = 12
                    edge = ramp(0.0, 0.0025, wp.abs(neckline(c, look) + 0.011))
                    if c[2] > 0.45 and paint[1] < 0.5 and wp.abs(c[0]) < 0.1:
                        s.albedo = s.albedo * (0.72 + 0.28 * edge)
                    if paint[1] > 0.5:
                        s.albedo = s.albedo * (
                            0.75 + 0.25 * ramp(0.0, 0.008, wp.abs(look.sleeve - 0.035 - paint[0]))
                        )
                else:
                    s.albedo = look.bottom
                    s.label = 13
                    if kind == CLOTH:
                        # under the shirt's edge lies its shadow
                        s.albedo = s.albedo * (0.55 + 0.45 * ramp(0.0, 0.012, look.waist - c[2]))
                    s.albedo = s.albedo * (0.75 + 0.25 * ramp(0.0, 0.004, wp.abs(look.hem + 0.022 - c[2])))
        else:
            s.kind = 2
            s.label = 5
            u = wp.atan2(c[0], c[1] - 0.01) * 22.0
            v = c[2]
            if kind == CURTAIN:
                u = c[0] * 22.0
                v = 0.85 - 0.25 * c[1]
            if kind == KNOT:
                u = c[0] * 14.0
                v = c[1] * 0.2
            lock = strands(u, v, look)
            s.albedo = look.hair * wp.clamp(0.95 + 0.75 * lock, 0.25, 2.0)
            s.shine = 0.10
            s.gloss = 26.0
            across = wp.normalize(wp.cross(n, wp.vec3(0.02, 0.03, 1.0)))
            n = wp.normalize(n + across * (0.5 * lock))
            s.tangent = wp.normalize(wp.cross(across, n))
        s.normal = n
        return s
    return s
