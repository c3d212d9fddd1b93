# ruff: noqa: UP018 (to Warp, float(0.0) is a variable)
"""Rays at the person: how far they run free (Warp function and kernel)."""

from __future__ import annotations

import warp as wp

from fairhuman.humans._cuts import LASH, is_cut
from fairhuman.humans._structs import Look


@wp.func
def free_path(
    mesh: wp.uint64,
    canonical: wp.array(dtype=wp.vec3),
    paints: wp.array(dtype=wp.vec4),
    kinds: wp.array(dtype=wp.int32),
    origin: wp.vec3,
    direction: wp.vec3,
    reach: float,
    lashes: bool,
    look: Look,
) -> float:
    """Distance to the first opaque surface, or -1 within `reach`; lashes can be left out."""
    start = float(0.0)
    for _ in range(4):
        query = wp.mesh_query_ray(mesh, origin + direction * start, direction, reach - start)
        if not query.result:
            return -1.0
        t = start + query.t
        kind = kinds[query.face] % 16
        if kind < LASH:
            return t
        if lashes or kind != LASH:
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


@wp.kernel(enable_backward=False)
def first_depths(
    mesh: wp.uint64,
    normals: wp.array(dtype=wp.vec3),
    canonical: wp.array(dtype=wp.vec3),
    paints: wp.array(dtype=wp.vec4),
    kinds: wp.array(dtype=wp.int32),
    origin: wp.vec3,
    look: Look,
    targets: wp.array(dtype=wp.vec3),
    distances: wp.array(dtype=wp.float32),
):
    """How far the first surface lies on the way to each target, -1 if there is none."""
    i = wp.tid()
    d = wp.normalize(targets[i] - origin)
    distances[i] = free_path(mesh, canonical, paints, kinds, origin, d, 40.0, True, look)
