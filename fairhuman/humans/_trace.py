"""The kernels in order: what each sample sees, then its colour, label, coverage and depth."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
import warp as wp
from numpy.typing import NDArray

from fairhuman.humans import _raster, _shade
from fairhuman.humans._structs import Light, Look, Stage, View
from fairhuman.humans._types import Camera

_BAND: Final = 128  # rows of pixels at a time: what their samples see stays in the processor's cache
_FAR: Final = 1e6


class Traced(NamedTuple):
    """See `fairhuman.humans.HumanImage`; coverage (H, W, 6) in the order of its regions."""

    image: NDArray[np.uint8]
    parts: NDArray[np.uint8]
    coverage: NDArray[np.float32]
    depth: NDArray[np.float32]


def trace(
    scene: tuple,
    points: NDArray[np.float32],
    used: NDArray[np.bool_],
    boxes: wp.array,
    camera: Camera,
    look: Look,
    light: Light,
    stage: Stage,
    size: int,
) -> Traced:
    """A picture of size x size pixels.

    scene: the mesh and the arrays that the kernels take first; points: (V, 3) its vertices, of which
    `used` (V,) belong to triangles; boxes: the stage's.
    """
    ahead = camera.to_camera(points)
    pixels = camera.project(ahead)
    view = _view(camera, pixels[used], size)
    corners = np.concatenate([pixels, 1 / ahead[:, 2:]], axis=1).astype(np.float32)
    screen = wp.array(corners, dtype=wp.vec3, device="cpu")
    mesh, _, *materials = scene
    image = wp.empty((size, size, 3), dtype=wp.uint8, device="cpu")
    parts = wp.empty((size, size), dtype=wp.uint8, device="cpu")
    coverage = wp.empty((size, size, 6), dtype=wp.float32, device="cpu")
    depth = wp.empty((size, size), dtype=wp.float32, device="cpu")
    for top in range(0, size, _BAND):
        rows = min(_BAND, size - top)
        samples = (3 * rows, 3 * (view.right_edge - view.left))
        seen = wp.full(samples, -1, dtype=wp.int32, device="cpu")
        depths = wp.full(samples, _FAR, dtype=wp.float32, device="cpu")
        wp.launch(
            _raster.rasterise,
            len(materials[-1]),
            [mesh, *materials, screen, view, look, 3 * top, seen, depths],
            device="cpu",
        )
        wp.launch(
            _shade.render,
            (rows, size),
            [*scene, boxes, view, look, light, stage, screen, top, seen, image, parts, coverage, depth],
            device="cpu",
        )
    return Traced(*(array.numpy().copy() for array in (image, parts, coverage, depth)))


def _view(camera: Camera, pixels: NDArray[np.float64], size: int) -> View:
    view = View()
    right, down, forward = (wp.vec3(*row) for row in camera.rotation)
    view.origin, view.right, view.down, view.forward = (
        wp.vec3(*camera.position),
        right,
        down,
        forward,
    )
    view.fx, view.fy, view.cx, view.cy = camera.fx, camera.fy, camera.cx, camera.cy
    view.width = view.height = size
    (left, top), (right_edge, bottom) = pixels.min(0) - 2, pixels.max(0) + 3
    view.left, view.top = int(np.clip(left, 0, size)), int(np.clip(top, 0, size))
    view.right_edge, view.bottom = (
        int(np.clip(right_edge, 0, size)),
        int(np.clip(bottom, 0, size)),
    )
    return view
