# ruff: noqa: SIM102, SIM109 (to Warp, `in` is unknown; a nested if saves work)
"""What a point of the person's surface looks like and belongs to (Warp function)."""

from __future__ import annotations

import warp as wp

from fairhuman.humans._cuts import (
    BODY,
    CLOTH,
    CURTAIN,
    EYE,
    FRAME,
    KNOT,
    LASH,
    SHOE_TOP,
    SKIRT,
    TEETH,
    TONGUE,
)
from fairhuman.humans._material import (
    azimuth,
    eye,
    hairline,
    in_face,
    neckline,
    ramp,
    skin,
    strands,
    top_colour,
)
from fairhuman.humans._structs import Look, Surface


@wp.func
def surface_at(
    mesh: wp.uint64,
    normals: wp.array(dtype=wp.vec3),
    canonical: wp.array(dtype=wp.vec3),
    paints: wp.array(dtype=wp.vec4),
    kinds: wp.array(dtype=wp.int32),
    face: int,
    share: wp.vec3,
    direction: wp.vec3,
    look: Look,
) -> Surface:
    """The surface at a point of a triangle, given by its corners' shares, seen from a direction.

    Labels are those of `fairhuman.humans._types.Part`, zones of `fairhuman.humans._body.Zone`.
    """
    s = Surface()
    i0 = wp.mesh_get_index(mesh, face * 3)
    i1 = wp.mesh_get_index(mesh, face * 3 + 1)
    i2 = wp.mesh_get_index(mesh, face * 3 + 2)
    c = canonical[i0] * share[0] + canonical[i1] * share[1] + canonical[i2] * share[2]
    paint = paints[i0] * share[0] + paints[i1] * share[1] + paints[i2] * share[2]
    kind = kinds[face] % 16
    zone = kinds[face] / 16
    n = wp.normalize(normals[i0] * share[0] + normals[i1] * share[1] + normals[i2] * share[2])
    g = wp.mesh_eval_face_normal(mesh, face)
    if wp.dot(g, direction) > 0.0:
        g = -g
    if wp.dot(n, g) < 0.0:
        n = -n
    s.hit = 1
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
    elif kind == FRAME:  # glasses: of the face before it, of the head beside it
        s.albedo = look.frame
        s.shine = 0.35
        s.gloss = 60.0
        s.label = 4
        if azimuth(c) < 64.0:
            s.label = 1
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
