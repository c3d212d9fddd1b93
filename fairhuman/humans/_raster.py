# ruff: noqa: UP018 (to Warp, float(0.0) is a variable)
"""Which triangle each of the picture's sample points sees (Warp kernel and functions).

The same answer as a ray for each sample, several times as fast: a triangle visits the few samples it covers.
"""

from __future__ import annotations

import warp as wp

from fairhuman.humans._cuts import LASH, is_cut
from fairhuman.humans._structs import Look, View

NEAREST = wp.constant(0.01)  # metres before the camera; what is nearer is not seen


@wp.func
def sample(i: int) -> float:
    """Pixel coordinate of a row or column of samples, three a pixel."""
    return (float(i) + 0.5) / 3.0


@wp.func
def corner_shares(a: wp.vec3, b: wp.vec3, c: wp.vec3, x: float, y: float) -> wp.vec3:
    """Twice the areas that (x, y) spans with each side: all of one sign inside the triangle."""
    ax, ay = a[0] - x, a[1] - y
    bx, by = b[0] - x, b[1] - y
    cx, cy = c[0] - x, c[1] - y
    return wp.vec3(bx * cy - by * cx, cx * ay - cy * ax, ax * by - ay * bx)


@wp.func
def in_space(areas: wp.vec3, a: wp.vec3, b: wp.vec3, c: wp.vec3) -> wp.vec4:
    """Shares of the corners in space, which add up to 1, and the distance before the camera."""
    near = wp.vec3(areas[0] * a[2], areas[1] * b[2], areas[2] * c[2])
    total = near[0] + near[1] + near[2]
    depth = (areas[0] + areas[1] + areas[2]) / total
    return wp.vec4(near[0] / total, near[1] / total, near[2] / total, depth)


@wp.kernel(enable_backward=False)
def rasterise(
    mesh: wp.uint64,
    canonical: wp.array(dtype=wp.vec3),
    paints: wp.array(dtype=wp.vec4),
    kinds: wp.array(dtype=wp.int32),
    screen: wp.array(dtype=wp.vec3),
    view: View,
    look: Look,
    top: int,
    seen: wp.array2d(dtype=wp.int32),
    depths: wp.array2d(dtype=wp.float32),
):
    """One thread a triangle; on the CPU one runs after another, so none can disturb another.

    screen: x, y in pixels and 1 / depth of each vertex; top: first row of samples of this band.
    seen, depths: of the band's samples, from the pixel column `view.left` on; -1 and far where nothing is.
    """
    face = wp.tid()
    i0 = wp.mesh_get_index(mesh, face * 3)
    i1 = wp.mesh_get_index(mesh, face * 3 + 1)
    i2 = wp.mesh_get_index(mesh, face * 3 + 2)
    a, b, c = screen[i0], screen[i1], screen[i2]
    if wp.max(wp.max(a[2], b[2]), c[2]) > 1.0 / NEAREST or wp.min(wp.min(a[2], b[2]), c[2]) <= 0.0:
        return
    left = 3 * view.left
    first = wp.max(int(wp.ceil(3.0 * wp.min(wp.min(a[0], b[0]), c[0]) - 0.5)) - left, 0)
    last = wp.min(int(wp.floor(3.0 * wp.max(wp.max(a[0], b[0]), c[0]) - 0.5)) - left, seen.shape[1] - 1)
    above = wp.max(int(wp.ceil(3.0 * wp.min(wp.min(a[1], b[1]), c[1]) - 0.5)) - top, 0)
    below = wp.min(int(wp.floor(3.0 * wp.max(wp.max(a[1], b[1]), c[1]) - 0.5)) - top, seen.shape[0] - 1)
    kind = kinds[face] % 16
    for row in range(above, below + 1):
        y = sample(top + row)
        for column in range(first, last + 1):
            areas = corner_shares(a, b, c, sample(left + column), y)
            low = wp.min(wp.min(areas[0], areas[1]), areas[2])
            high = wp.max(wp.max(areas[0], areas[1]), areas[2])
            if (low >= 0.0 or high <= 0.0) and low != high:
                at = in_space(areas, a, b, c)
                if at[3] < depths[row, column]:
                    cut = bool(False)
                    if kind >= LASH:
                        point = canonical[i0] * at[0] + canonical[i1] * at[1] + canonical[i2] * at[2]
                        paint = paints[i0] * at[0] + paints[i1] * at[1] + paints[i2] * at[2]
                        cut = is_cut(kind, point, paint, look)
                    if not cut:
                        depths[row, column] = at[3]
                        seen[row, column] = face
