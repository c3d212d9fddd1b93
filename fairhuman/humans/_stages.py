"""Where a person stands: backdrops, rooms with furniture, open air; and the light there."""

from __future__ import annotations

import numpy as np
import warp as wp

from fairhuman.humans._chance import Rng, choose, vary
from fairhuman.humans._colours import BACKDROP, CLOTH, linear
from fairhuman.humans._structs import Light, Stage

Boxes = list[tuple[np.ndarray, np.ndarray, tuple[float, float, float], tuple[float, float, float]]]
NO_BOXES = np.zeros((1, 4, 3), np.float32)
_PLAIN = (0.0, 0.0, 0.0)
_WALLS = tuple(
    linear(code)
    for code in (
        "#d9d3c7",
        "#c9d2d4",
        "#b9c7b6",
        "#d8c3b0",
        "#a9b6c4",
        "#cbb7bf",
        "#8d9aa0",
    )
)
_FLOORS = tuple(linear(code) for code in ("#8a6543", "#b08a60", "#5d4432", "#9a9892", "#7d8388"))
_WOODS = tuple(linear(code) for code in ("#6b482d", "#a47a4e", "#3a2a20", "#d8d2c6", "#4c5a66"))


def backdrop_stage(rng: Rng, colour: str, kind: str, grounded: bool) -> Stage:
    """A paper backdrop of one colour, plain or graded, with or without its floor in view."""
    stage = Stage()
    base = np.asarray(vary(rng, BACKDROP[colour], 0.10))
    low, high = (base * rng.uniform(0.4, 0.7), base * 1.15) if kind == "gradient" else (base, base)
    stage.kind, stage.wall_y, stage.grounded = 0, rng.uniform(1.2, 2.2), int(grounded)
    stage.low, stage.high = wp.vec3(*low), wp.vec3(*high)
    stage.radial = float(kind == "gradient" and rng.random() < 0.5)
    stage.centre = wp.vec2(rng.uniform(0.3, 0.7), rng.uniform(0.25, 0.55))
    return stage


def _box(
    x: float,
    y: float,
    z: float,
    size: tuple[float, float, float],
    colour: tuple,
    style: tuple = _PLAIN,
) -> tuple:
    """A box standing at floor height z, its middle at x and its front at y."""
    width, depth, height = size
    return (
        np.array([x - width / 2, y, z]),
        np.array([x + width / 2, y + depth, z + height]),
        colour,
        style,
    )


def _furniture(rng: Rng, wall: float) -> Boxes:
    wood = vary(rng, _WOODS[int(rng.integers(len(_WOODS)))], 0.15)
    cloth = vary(rng, list(CLOTH.values())[int(rng.integers(len(CLOTH)))], 0.2)
    boxes: Boxes = []
    side = 1.0 if rng.random() < 0.5 else -1.0
    at, back = side * rng.uniform(0.9, 1.6), max(wall - 0.45, 0.75)
    piece = choose(rng, ("shelf", "table", "sofa", "cabinet", "none"))
    if piece == "shelf":
        boxes.append(
            _box(
                at,
                wall - 0.32,
                0,
                (1.0, 0.3, rng.uniform(1.5, 2.1)),
                wood,
                (1.0, 0.36, 0.5),
            )
        )
    elif piece == "table":
        boxes.append(_box(at, back - 0.25, 0.70, (1.2, 0.6, 0.05), wood))
        boxes += [_box(at + dx, back - 0.2, 0, (0.06, 0.5, 0.70), wood) for dx in (-0.55, 0.55)]
        boxes.append(_box(at + rng.uniform(-0.3, 0.3), back, 0.75, (0.14, 0.14, 0.28), cloth))
    elif piece == "sofa":
        boxes.append(_box(at, back - 0.3, 0.05, (1.7, 0.7, 0.38), cloth))
        boxes.append(_box(at, back + 0.15, 0.05, (1.7, 0.25, 0.80), cloth))
        boxes += [_box(at + dx, back - 0.3, 0.05, (0.18, 0.7, 0.55), cloth) for dx in (-0.9, 0.9)]
    elif piece == "cabinet":
        boxes.append(_box(at, wall - 0.5, 0, (1.1, 0.45, 0.85), wood, (1.0, 0.42, 0.55)))
        boxes.append(_box(at, wall - 0.4, 0.85, (0.3, 0.2, 0.35), cloth))
    if rng.random() < 0.5:  # a picture on the wall, in a frame
        x, z, w, h = (
            -side * rng.uniform(0.5, 1.3),
            rng.uniform(1.25, 1.6),
            rng.uniform(0.4, 0.8),
            rng.uniform(0.35, 0.6),
        )
        inner = vary(rng, list(BACKDROP.values())[int(rng.integers(len(BACKDROP)))], 0.3)
        boxes.append(_box(x, wall - 0.03, z, (w, 0.03, h), wood))
        boxes.append(_box(x, wall - 0.035, z + 0.05, (w - 0.1, 0.03, h - 0.1), inner))
    if rng.random() < 0.25:  # a door
        x = -side * rng.uniform(1.3, 1.9)
        boxes.append(_box(x, wall - 0.05, 0, (0.95, 0.05, 2.08), (0.55, 0.53, 0.5)))
        boxes.append(_box(x, wall - 0.07, 0, (0.82, 0.05, 2.0), wood))
    return boxes


def room(rng: Rng) -> tuple[Stage, np.ndarray]:
    """Floor and back wall, furniture behind the person, sometimes a window."""
    stage = Stage()
    wall = rng.uniform(1.0, 3.2)
    stage.kind, stage.wall_y, stage.grounded = 1, wall, 1
    stage.high = wp.vec3(*vary(rng, _WALLS[int(rng.integers(len(_WALLS)))], 0.15))
    stage.low = wp.vec3(*vary(rng, _WALLS[int(rng.integers(len(_WALLS)))], 0.25))
    stage.radial = rng.uniform(0.8, 1.1) if rng.random() < 0.3 else 0.0
    floor = np.asarray(vary(rng, _FLOORS[int(rng.integers(len(_FLOORS)))], 0.15))
    stage.floor, stage.floor2 = (
        wp.vec3(*floor),
        wp.vec3(*(floor * rng.uniform(0.35, 0.7))),
    )
    stage.pattern = int(rng.choice([0, 1, 1, 2]))
    stage.window = wp.vec4(0.0, 0.0, 0.0, 0.0)
    if rng.random() < 0.4:
        stage.window = wp.vec4(
            rng.uniform(-1.4, 1.4),
            rng.uniform(1.35, 1.6),
            rng.uniform(0.35, 0.7),
            rng.uniform(0.4, 0.6),
        )
    return stage, _pack(stage, _furniture(rng, wall))


def outdoors(rng: Rng) -> tuple[Stage, np.ndarray]:
    """Grass, gravel or paving under a sky, with houses, hedges and walls far or near."""
    stage = Stage()
    stage.kind, stage.wall_y, stage.grounded = 2, 1e4, 1
    ground = choose(rng, ("grass", "gravel", "paving"))
    colour = {
        "grass": linear("#5f7d3a"),
        "gravel": linear("#a39a88"),
        "paving": linear("#8f9092"),
    }[ground]
    floor = np.asarray(vary(rng, colour, 0.12))
    stage.floor, stage.floor2 = wp.vec3(*floor), wp.vec3(*(floor * 0.8))
    stage.pattern = 2 if ground == "paving" else 3
    high = np.asarray(choose_sky(rng))
    stage.high, stage.low = wp.vec3(*high), wp.vec3(*(high * 0.35 + 0.45))
    boxes: Boxes = []
    for _ in range(int(rng.integers(1, 5))):
        far = rng.uniform(7, 26)
        x = rng.uniform(-0.7, 0.7) * far
        if rng.random() < 0.6:
            size = (rng.uniform(4, 9), 4.0, rng.uniform(3, 12))
            tone = vary(rng, _WALLS[int(rng.integers(len(_WALLS)))], 0.3)
            boxes.append(_box(x, far, 0, size, tone, (1.0, 2.8, rng.uniform(1.6, 2.6))))
        else:
            green = vary(rng, linear("#46622e"), 0.2)
            boxes.append(
                _box(
                    x,
                    far * 0.5,
                    0,
                    (rng.uniform(2, 7), 0.8, rng.uniform(0.7, 2.2)),
                    green,
                )
            )
    return stage, _pack(stage, boxes)


_NAMED_FLOORS = {"wooden": ("#8a6543", 1), "tiled": ("#9a9892", 2), "grey": ("#7d8388", 0)}
_GROUNDS = {"grass": ("#5f7d3a", 3), "gravel": ("#a39a88", 3), "paving": ("#8f9092", 2)}
WALLS = ("brick wall", "curtain", "bookshelf")
"""In the order of `Stage.wall`."""
_SCENERY = {  # ground and its pattern, sky above and at the horizon
    "beach": ("#d3bd92", 3, "#4f94d6", "#c9e2ee"),
    "street": ("#8b8c8e", 2, "#7fa9d6", "#d5dee4"),
    "garden": ("#5f8a34", 3, "#6aa0d8", "#d6e4ea"),
    "evening": ("#3a4438", 3, "#3d3a78", "#c8809c"),
}
_SKIES = {"blue": "#5d92cf", "grey": "#b4bcc4"}


def named_room(rng: Rng, colour: str) -> tuple[Stage, str]:
    """A bare room whose wall has the colour; what its floor is called."""
    stage, floor = Stage(), choose(rng, tuple(_NAMED_FLOORS))
    code, pattern = _NAMED_FLOORS[floor]
    stage.kind, stage.wall_y, stage.grounded = 1, rng.uniform(2.8, 3.6), 1
    wall, ground = vary(rng, BACKDROP[colour], 0.06), np.asarray(vary(rng, linear(code), 0.06))
    stage.high = stage.low = wp.vec3(*wall)
    stage.floor, stage.floor2 = wp.vec3(*ground), wp.vec3(*(ground * 0.6))
    stage.radial, stage.pattern, stage.window = 0.0, pattern, wp.vec4(0.0, 0.0, 0.0, 0.0)
    return stage, floor


def named_outdoors(rng: Rng) -> tuple[Stage, str, str]:
    """Open air without houses; what ground and sky are called."""
    stage = Stage()
    ground, sky = choose(rng, tuple(_GROUNDS)), choose(rng, {"blue": 0.65, "grey": 0.35})
    code, stage.pattern = _GROUNDS[ground]
    stage.kind, stage.wall_y, stage.grounded = 2, 1e4, 1
    floor = np.asarray(vary(rng, linear(code), 0.06))
    stage.floor, stage.floor2 = wp.vec3(*floor), wp.vec3(*(floor * 0.8))
    high = np.asarray(vary(rng, linear(_SKIES[sky]), 0.06))
    stage.high, stage.low = wp.vec3(*high), wp.vec3(*(high * 0.35 + 0.45))
    return stage, ground, sky


def patterned_wall(rng: Rng, pattern: str, colour: str) -> Stage:
    """A wall of bricks, a curtain of the colour, or rows of books, close behind the person."""
    stage = Stage()
    stage.kind, stage.wall, stage.grounded = 1, 1 + WALLS.index(pattern), 1
    stage.wall_y = rng.uniform(0.9, 1.5)
    codes = {"brick wall": ("#6f7f92", "#c4c7c9"), "bookshelf": ("#7a5234", "#2a1d14")}
    if pattern == "curtain":
        high = low = np.asarray(vary(rng, BACKDROP[colour], 0.06))
    else:
        high, low = (np.asarray(vary(rng, linear(code), 0.08)) for code in codes[pattern])
    stage.high, stage.low = wp.vec3(*high), wp.vec3(*low)
    floor = np.asarray(vary(rng, _FLOORS[2], 0.1))
    stage.floor, stage.floor2 = wp.vec3(*floor), wp.vec3(*(floor * 0.6))
    stage.pattern, stage.window = 1, wp.vec4(0.0, 0.0, 0.0, 0.0)
    return stage


def scenery(rng: Rng, name: str) -> tuple[Stage, np.ndarray]:
    """Open air: beach, street, garden or evening."""
    stage = Stage()
    stage.kind, stage.wall_y, stage.grounded = 2, 1e4, 1
    ground, pattern, high, low = _SCENERY[name]
    floor, sky = (np.asarray(vary(rng, linear(code), 0.06)) for code in (ground, high))
    horizon = np.asarray(vary(rng, linear(low), 0.04))
    stage.floor, stage.floor2, stage.pattern = wp.vec3(*floor), wp.vec3(*(floor * 0.8)), pattern
    stage.high, stage.low = wp.vec3(*sky), wp.vec3(*horizon)
    boxes: Boxes = []
    if name == "beach":
        sea = vary(rng, linear("#2f7f98"), 0.1)
        boxes.append(_box(0.0, rng.uniform(3.5, 7), 0.0, (4000.0, 4000.0, 0.03), sea))
        boxes.append(_box(0.0, 3.2, 0.0, (4000.0, 0.25, 0.02), (0.75, 0.78, 0.78)))
    elif name == "street":
        for side in (-1.0, 1.0):
            x = side * rng.uniform(2.2, 3.2)
            for _ in range(3):
                width, depth, height = rng.uniform(4, 6), rng.uniform(3, 5), rng.uniform(5, 10)
                tone = vary(rng, _WALLS[int(rng.integers(len(_WALLS)))], 0.25)
                far = rng.uniform(4, 22)
                style = (1.0, 2.6, rng.uniform(1.6, 2.4))
                boxes.append(_box(x + side * width / 2, far, 0, (width, depth, height), tone, style))
    elif name == "garden":
        for _ in range(5):
            green = vary(rng, linear("#3f6a2c"), 0.2)
            size = (rng.uniform(1.0, 4.0), 1.0, rng.uniform(0.5, 2.0))
            boxes.append(_box(rng.uniform(-4, 4), rng.uniform(2.5, 7), 0, size, green))
    return stage, _pack(stage, boxes)


def choose_sky(rng: Rng) -> tuple[float, float, float]:
    """Blue, overcast or evening."""
    return vary(
        rng,
        linear(choose(rng, {"#5d92cf": 0.6, "#b4bcc4": 0.25, "#d39a6f": 0.15})),
        0.10,
    )


def _pack(stage: Stage, boxes: Boxes) -> np.ndarray:
    stage.boxes = len(boxes)
    return np.asarray(boxes, np.float32).reshape(-1, 4, 3) if boxes else NO_BOXES


def soft_light(rng: Rng, side: float) -> Light:
    """A large key light, warmer or colder, with sky, bounce and a rim."""
    light = Light()
    azimuth, height = rng.uniform(18, 55) * side, rng.uniform(28, 52)
    a, h = np.deg2rad(azimuth), np.deg2rad(height)
    key = np.array([np.sin(a) * np.cos(h), -np.cos(a) * np.cos(h), np.sin(h)])
    across = np.cross(key, [0, 0, 1])
    across /= np.linalg.norm(across)
    size = rng.uniform(0.07, 0.14)
    light.key, light.side = wp.vec3(*key), wp.vec3(*(across * size))
    light.over = wp.vec3(*(np.cross(across, key) * size))
    warmth, power = rng.uniform(-0.04, 0.05), rng.uniform(0.72, 0.92)
    light.colour = wp.vec3(power * (1 + warmth), power, power * (1 - warmth))
    fill = rng.uniform(0.40, 0.52)
    light.sky = wp.vec3(fill * 0.98, fill, fill * 1.03)
    light.ground = wp.vec3(fill * 0.62, fill * 0.58, fill * 0.55)
    light.rim = wp.vec3(-0.75 * side, 0.6, 0.3)
    light.rim_colour = wp.vec3(*([rng.uniform(0.08, 0.28)] * 3))
    light.exposure = rng.uniform(0.95, 1.06)
    return light


_SOURCES = {  # degrees to the picture's right and up
    "left": ((-62, -40), (20, 42)),
    "right": ((40, 62), (20, 42)),
    "above": ((-20, 20), (58, 66)),
    "behind": ((-20, 20), (30, 45)),  # the key is weak then, and the rim strong
}
_TONES = {"neutral": (1.0, 1.0, 1.0), "warm": (1.12, 0.98, 0.72), "cool": (0.84, 0.98, 1.16)}


def named_light(rng: Rng, source: str, tone: str) -> Light:
    """A smaller, stronger light than `soft_light`, from where and of the colour that it is said to be."""
    light, (around, above), behind = Light(), _SOURCES[source], source == "behind"
    a, h = np.deg2rad(rng.uniform(*around)), np.deg2rad(rng.uniform(*above))
    key = np.array([np.sin(a) * np.cos(h), -np.cos(a) * np.cos(h), np.sin(h)])
    across = np.cross(key, [0, 0, 1])
    across /= np.linalg.norm(across)
    size = rng.uniform(0.04, 0.08)
    light.key, light.side = wp.vec3(*key), wp.vec3(*(across * size))
    light.over = wp.vec3(*(np.cross(across, key) * size))
    colour = np.array(_TONES[tone]) * np.exp(rng.normal(0, 0.02, 3))
    power, fill = rng.uniform(0.85, 1.0) * (0.45 if behind else 1.0), rng.uniform(0.34, 0.44)
    mild = 1 + (colour - 1) * 0.5
    light.colour = wp.vec3(*(power * colour))
    light.sky, light.ground = wp.vec3(*(fill * mild)), wp.vec3(*(fill * 0.5 * mild))
    light.rim = wp.vec3(-0.75 * float(np.sign(key[0])), 0.6, 0.3)
    light.rim_colour = wp.vec3(*((3.0 if behind else 0.15) * colour))
    light.exposure = rng.uniform(0.97, 1.05)
    return light


def any_light(rng: Rng, outside: bool) -> Light:
    """From flat overcast to a hard low sun or a lamp at the side, warm or cold."""
    light = Light()
    azimuth, height = rng.uniform(-75, 75), rng.uniform(12, 62)
    a, h = np.deg2rad(azimuth), np.deg2rad(height)
    key = np.array([np.sin(a) * np.cos(h), -np.cos(a) * np.cos(h), np.sin(h)])
    across = np.cross(key, [0, 0, 1])
    across /= np.linalg.norm(across)
    size = rng.uniform(0.03, 0.16)
    light.key, light.side = wp.vec3(*key), wp.vec3(*(across * size))
    light.over = wp.vec3(*(np.cross(across, key) * size))
    warmth, share = rng.uniform(-0.10, 0.14), rng.uniform(0.45, 0.74)
    power, fill = 1.28 * share, 1.28 * (1 - share) * 0.95
    light.colour = wp.vec3(power * (1 + warmth), power, power * (1 - 1.2 * warmth))
    cool = -0.4 * warmth if outside else 0.2 * warmth
    light.sky = wp.vec3(fill * (1 + cool), fill, fill * (1 - cool))
    bounce = fill * rng.uniform(0.45, 0.7)
    light.ground = wp.vec3(bounce * 1.05, bounce, bounce * 0.94)
    light.rim = wp.vec3(float(-np.sign(azimuth)) * 0.75, 0.6, 0.3)
    light.rim_colour = wp.vec3(*([rng.uniform(0.0, 0.3)] * 3))
    light.exposure = rng.uniform(0.86, 1.12)
    return light
