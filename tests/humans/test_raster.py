"""The triangles that samples see are those that a ray for each would meet first."""

from __future__ import annotations

import numpy as np
import warp as wp

from fairhuman.humans import _raster
from fairhuman.humans._structs import Look, View

SIZE, TRIANGLES, FOCAL = 12, 60, 14.0


def meet(directions: np.ndarray, corners: np.ndarray) -> np.ndarray:
    """Depths (S, F) at which rays (S, 3) of unit z from the origin meet triangles (F, 3, 3), else inf."""
    first, second, third = corners[:, 0], corners[:, 1], corners[:, 2]
    sides = [np.cross(b, c) for b, c in ((second, third), (third, first), (first, second))]
    shares = np.stack([directions @ side.T for side in sides])
    inside = (shares >= 0).all(0) | (shares <= 0).all(0)
    normal = np.cross(second - first, third - first)
    depth = (first * normal).sum(1) / (directions @ normal.T)
    return np.where(inside & (depth > 0), depth, np.inf)


def test_the_nearest_triangle_is_seen():
    rng = np.random.default_rng(5)
    middles = rng.uniform([-1.2, -1.2, 0.8], [1.2, 1.2, 3.0], (TRIANGLES, 3))
    corners = middles[:, None] + rng.normal(0, 0.25, (TRIANGLES, 3, 3))
    corners[0, :, 2] -= 5.0  # behind the camera
    points = corners.reshape(-1, 3)
    pixels = points[:, :2] / points[:, 2:] * FOCAL + SIZE / 2
    screen = np.concatenate([pixels, 1 / points[:, 2:]], 1).astype(np.float32)
    faces = np.arange(3 * TRIANGLES, dtype=np.int32)
    mesh = wp.Mesh(
        wp.array(points.astype(np.float32), dtype=wp.vec3, device="cpu"),
        wp.array(faces, dtype=wp.int32, device="cpu"),
    )
    seen = wp.full((3 * SIZE, 3 * SIZE), -1, dtype=wp.int32, device="cpu")
    depths = wp.full((3 * SIZE, 3 * SIZE), 1e6, dtype=wp.float32, device="cpu")
    nothing = (
        wp.zeros(len(points), dtype=wp.vec3, device="cpu"),
        wp.zeros(len(points), dtype=wp.vec4, device="cpu"),
    )
    kinds = wp.zeros(TRIANGLES, dtype=wp.int32, device="cpu")
    arrays = [mesh.id, *nothing, kinds, wp.array(screen, dtype=wp.vec3, device="cpu")]
    wp.launch(_raster.rasterise, TRIANGLES, [*arrays, View(), Look(), 0, seen, depths], device="cpu")

    at = ((np.arange(3 * SIZE) + 0.5) / 3 - SIZE / 2) / FOCAL
    x, y = np.meshgrid(at, at)
    met = meet(np.stack([x, y, np.ones_like(x)], -1).reshape(-1, 3), corners)
    nearest = np.where(np.isfinite(met.min(1)), met.argmin(1), -1)
    assert set(np.unique(nearest == -1)) == {True, False}
    np.testing.assert_array_equal(seen.numpy().ravel(), nearest)
    hit = nearest >= 0
    np.testing.assert_allclose(depths.numpy().ravel()[hit], met.min(1)[hit], rtol=1e-4)
