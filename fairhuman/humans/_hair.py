"""Hair: a cap grown from the scalp, a curtain that falls from it, a knot or tail."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from fairhuman.humans._body import Piece, Topology, Zone

Array = NDArray[np.float32]
CURTAIN_SHAPE = (49, 22)  # columns around the head, rows down
KNOT_SHAPE = (20, 12)


@dataclass(frozen=True)
class HairStyle:
    """Thickness and length in metres; angles in degrees from the back of the head.

    `cap` is how far the hair stands off the scalp at the sides and at the crown;
    a curtain of `length` below the ears reaches round to `opening` degrees;
    the `knot` is a bun or tail: height above the ears, distance behind, three radii;
    there are two of them if they stand `apart`, metres from the middle.
    """

    name: str
    cap: tuple[float, float] | None = (0.012, 0.022)
    cropped: float = 0.0
    length: float = 0.0
    opening: float = 118.0
    flare: float = 0.0
    wave: float = 0.0
    curl: float = 0.0
    recede: float = 0.0
    knot: tuple[float, float, float, float, float] | None = None
    apart: float = 0.0


STYLES: Mapping[str, HairStyle] = {
    style.name: style
    for style in (
        HairStyle("bald", cap=None),
        HairStyle("very short", cap=None, cropped=0.85),
        HairStyle("short", cap=(0.008, 0.024)),
        HairStyle("short curly", cap=(0.014, 0.034), curl=0.8),
        HairStyle("bob", cap=(0.016, 0.022), length=0.07, flare=-0.004),
        HairStyle("long", cap=(0.014, 0.020), length=0.26, flare=0.010),
        HairStyle(
            "long wavy",
            cap=(0.018, 0.024),
            length=0.24,
            flare=0.022,
            wave=0.010,
            curl=0.35,
        ),
        HairStyle("bun", cap=(0.007, 0.012), knot=(0.112, 0.030, 0.046, 0.044, 0.040)),
        HairStyle("ponytail", cap=(0.006, 0.012), knot=(-0.055, 0.125, 0.032, 0.032, 0.125)),
        HairStyle("two buns", cap=(0.007, 0.012), knot=(0.086, 0.004, 0.036, 0.036, 0.034), apart=0.066),
        HairStyle("afro", cap=(0.060, 0.075), curl=1.0),
    )
}


@dataclass(frozen=True)
class HairTopology:
    """The constant part of hair: which scalp vertices grow a cap, and grid triangles."""

    scalp: NDArray[np.int32]  # body vertices copied into the cap
    cap_faces: NDArray[np.int32]  # into `scalp`
    height: Array  # 0 at the sides, 1 at the crown, per scalp vertex
    edge: Array  # 0 at the hairline, 1 inside


def grid_faces(columns: int, rows: int) -> NDArray[np.int32]:
    index = np.arange(columns * rows, dtype=np.int32).reshape(columns, rows)
    a, b, c, d = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    return np.concatenate([np.stack([a, b, c], -1).reshape(-1, 3), np.stack([a, c, d], -1).reshape(-1, 3)])


def azimuth(points: Array) -> Array:
    return np.degrees(np.arctan2(np.abs(points[:, 0]), -(points[:, 1] + 0.03)))


def hairline_height(points: Array, recede: float = 0.0) -> Array:
    """The same curve as the kernels' `hairline`."""
    a = azimuth(points)

    def ramp(low: float, high: float) -> Array:
        t = np.clip((a - low) / (high - low), 0, 1)
        return t * t * (3 - 2 * t)

    z = 0.806 + recede * np.cos(a * 0.035) - 0.010 * ramp(18, 40)
    z = z - 0.038 * ramp(36, 56) - 0.045 * ramp(54, 64)
    return z + 0.028 * ramp(65, 72) - 0.070 * ramp(84, 104) - 0.018 * ramp(110, 150)


@functools.lru_cache(maxsize=1)
def hair_topology() -> HairTopology:
    from fairhuman.humans._body import topology

    shape = topology()
    head = shape.faces[(shape.piece == Piece.BODY) & (shape.zone == Zone.HEAD)]
    points = shape.canonical
    above = points[:, 2] > hairline_height(points) - 0.022
    ear = (np.abs(points[:, 0]) > 0.0765) & (points[:, 2] < 0.738)  # ears grow no hair
    keep = above[head].all(1) & ~ear[head].any(1)
    faces = head[keep]
    scalp, inverse = np.unique(faces, return_inverse=True)
    on_scalp = points[scalp]
    height = np.clip((on_scalp[:, 2] - 0.74) / 0.09, 0, 1)
    edge = np.clip((on_scalp[:, 2] - hairline_height(on_scalp) + 0.004) / 0.030, 0, 1)
    return HairTopology(
        scalp.astype(np.int32),
        inverse.reshape(-1, 3).astype(np.int32),
        height.astype(np.float32),
        edge.astype(np.float32),
    )


@dataclass(frozen=True)
class Extra:
    """Geometry that a person has beyond the body: hair, glasses."""

    points: Array
    normals: Array
    canonical: Array
    faces: NDArray[np.int32]
    kinds: NDArray[np.int32]


def _grid_normals(points: Array, columns: int, rows: int) -> Array:
    grid = points.reshape(columns, rows, 3)
    across, down = np.gradient(grid, axis=0), np.gradient(grid, axis=1)
    normals = np.cross(across, down).reshape(-1, 3)
    return (normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)).astype(np.float32)


def grow(
    style: HairStyle,
    points: Array,
    normals: Array,
    rest: Array,
    head_turn: Array,
    head_at: Array,
    rest_head: Array,
    shape: Topology,
    seed: int,
    lift: float,
) -> Extra:
    """Geometry of a hair style on a posed body.

    points, normals: (V, 3) posed body; rest: (V, 3) the same body at rest;
    lift: how far the cap's edge stands off the scalp, metres; below 0 it dips into the skin
    and leaves thin dark lines.
    head_turn (3, 3), head_at (3,), rest_head (3,): the head bone's motion.
    """
    hair = hair_topology()
    rng = np.random.default_rng(seed)
    parts: list[tuple[Array, Array, Array, NDArray[np.int32], int]] = []
    if style.cap is not None:
        side, crown = style.cap
        lumps = _lumps(shape.canonical[hair.scalp], rng, style.curl)
        thickness = (side + (crown - side) * hair.height) * (1 + lumps) * (0.10 + 0.90 * hair.edge) + lift * (
            1 - hair.edge
        )
        n = normals[hair.scalp]
        parts.append(
            (
                points[hair.scalp] + n * thickness[:, None],
                n,
                shape.canonical[hair.scalp],
                hair.cap_faces,
                Piece.CAP,
            )
        )
    crown_rest = rest[hair.scalp]
    low, high = crown_rest.min(0), crown_rest.max(0)

    def pose(local: Array) -> Array:
        return ((local - rest_head) @ head_turn.T + head_at).astype(np.float32)

    if style.length > 0:
        local, canonical = _curtain(style, low, high, rng)
        posed = pose(local)
        parts.append(
            (
                posed,
                _grid_normals(posed, *CURTAIN_SHAPE),
                canonical,
                grid_faces(*CURTAIN_SHAPE),
                Piece.CURTAIN,
            )
        )
    for side in (-style.apart, style.apart) if style.apart else (0.0,):
        if style.knot is None:
            break
        local, canonical = _knot(style.knot, low, high, side)
        posed = pose(local)
        parts.append(
            (
                posed,
                _grid_normals(posed, *KNOT_SHAPE),
                canonical,
                grid_faces(*KNOT_SHAPE),
                Piece.KNOT,
            )
        )
    if not parts:
        empty = np.zeros((0, 3), np.float32)
        return Extra(empty, empty, empty, np.zeros((0, 3), np.int32), np.zeros(0, np.int32))
    offsets = np.cumsum([0] + [len(p[0]) for p in parts[:-1]])
    return Extra(
        np.concatenate([p[0] for p in parts]),
        np.concatenate([p[1] for p in parts]),
        np.concatenate([p[2] for p in parts]),
        np.concatenate([p[3] + o for p, o in zip(parts, offsets, strict=True)]).astype(np.int32),
        np.concatenate([np.full(len(p[3]), p[4], np.int32) for p in parts]),
    )


def _lumps(points: Array, rng: np.random.Generator, curl: float) -> Array:
    waves = rng.normal(0, 1, (6, 3)) * (30 + 40 * curl)
    phases = rng.uniform(0, 2 * np.pi, 6)
    return np.sin(points @ waves.T + phases).mean(1) * (0.30 + 0.25 * curl)


def _curtain(style: HairStyle, low: Array, high: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Hair combed from the crown over an ellipse around the head, then hanging."""
    columns, rows = CURTAIN_SHAPE
    span = style.opening + 14
    angle = np.linspace(-span, span, columns)
    down = np.linspace(0, 1, rows)
    centre = np.array([0.0, (low[1] + high[1]) / 2 + 0.004, low[2] * 0.42 + high[2] * 0.58])
    off, crown = style.cap or (0.0, 0.0)
    side, back = (high[0] - low[0]) / 2 + off * 0.8, (high[1] - low[1]) / 2 + off * 0.8
    top = high[2] - centre[2] + crown
    arc = 0.42  # of the rows lie on the head
    polar = np.clip(down / arc, 0, 1) * np.pi / 2
    hang = np.clip((down - arc) / (1 - arc), 0, 1)
    drop = hang * (style.length + 0.055)
    a, p = np.radians(angle)[:, None], polar[None]
    flare = style.flare * hang[None] ** 1.5 - 0.010 * np.sin(np.pi * np.minimum(hang[None] * 2.2, 1)) * (
        style.length > 0.15
    )
    wave = (
        style.wave
        * hang[None]
        * np.sin(hang[None] * 13 + rng.uniform(0, 6) + 2 * np.sin(3 * a + rng.uniform(0, 6)))
    )
    ripple = 0.0035 * hang[None] * np.sin(a * 17 + rng.uniform(0, 6))
    radius_x = side * np.sin(p) + flare + wave + ripple
    radius_y = back * np.sin(p) + flare + wave + ripple
    local = (
        np.stack(
            [
                np.broadcast_to(np.sin(a) * radius_x, (columns, rows)),
                np.broadcast_to(np.cos(a) * radius_y, (columns, rows)) + 0.012 * hang[None],
                np.broadcast_to(top * np.cos(p) - drop[None], (columns, rows)),
            ],
            axis=-1,
        ).reshape(-1, 3)
        + centre
    )
    canonical = np.stack(
        [
            np.broadcast_to(np.radians(angle)[:, None], (columns, rows)),
            np.broadcast_to(down[None], (columns, rows)),
            np.full((columns, rows), np.radians(style.opening)),
        ],
        axis=-1,
    ).reshape(-1, 3)
    return local.astype(np.float32), canonical.astype(np.float32)


def _knot(knot: tuple[float, ...], low: Array, high: Array, side: float) -> tuple[Array, Array]:
    height, behind, *radii = knot
    columns, rows = KNOT_SHAPE
    a = np.linspace(0, 2 * np.pi, columns)[:, None]
    p = np.linspace(0, np.pi, rows)[None]
    sphere = np.stack(
        [
            np.cos(a) * np.sin(p),
            np.sin(a) * np.sin(p),
            np.broadcast_to(np.cos(p), (columns, rows)),
        ],
        -1,
    )
    centre = np.array([side, (low[1] + high[1]) / 2 + behind, (low[2] + high[2]) / 2 + 0.02 + height])
    local = sphere.reshape(-1, 3) * np.asarray(radii) + centre
    canonical = np.stack(
        [
            np.broadcast_to(a, (columns, rows)),
            np.broadcast_to(p, (columns, rows)),
            np.zeros((columns, rows)),
        ],
        -1,
    )
    return local.astype(np.float32), canonical.reshape(-1, 3).astype(np.float32)
