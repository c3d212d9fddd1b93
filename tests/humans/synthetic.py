"""A renderer for tests: a person of rectangles, annotated like a real one, in a millisecond."""

from __future__ import annotations

import time

import numpy as np

from fairhuman.humans._caption import WORDS
from fairhuman.humans._types import REGION_PARTS, Camera, HumanImage, Part


def draw_attributes(rng: np.random.Generator) -> dict[str, str]:
    """A value for each attribute that captions speak of."""
    values = {name: list(words) for name, words in WORDS.items()}
    return {name: str(rng.choice(options)) for name, options in values.items()}


def _block(size: int, box: tuple[float, float, float, float]) -> tuple[slice, slice]:
    x0, y0, x1, y1 = (round(size * value) for value in box)
    return slice(y0, y1), slice(x0, x1)


def draw_person(rng: np.random.Generator, preset: str, size: int, shift: float | None = None) -> HumanImage:
    """Head, trunk, arms, hands, legs and feet as rectangles, moved sideways by chance."""
    shift = float(rng.uniform(-0.1, 0.1)) if shift is None else shift
    parts = np.zeros((size, size), dtype=np.uint8)
    layout = {
        Part.HAIR: (0.42, 0.05, 0.58, 0.15),
        Part.FACE: (0.44, 0.10, 0.56, 0.25),
        Part.TOP: (0.38, 0.28, 0.62, 0.55),
        Part.BOTTOM: (0.40, 0.55, 0.60, 0.85),
        Part.RIGHT_HAND: (0.28, 0.45, 0.35, 0.52),
        Part.LEFT_HAND: (0.65, 0.45, 0.72, 0.52),
        Part.RIGHT_FOOT: (0.40, 0.85, 0.47, 0.90),
        Part.LEFT_FOOT: (0.53, 0.85, 0.60, 0.90),
    }
    for part, (x0, y0, x1, y1) in layout.items():
        parts[_block(size, (x0 + shift, y0, x1 + shift, y1))] = part
    parts[_block(size, (0.46 + shift, 0.14, 0.54 + shift, 0.17))] = Part.EYES
    palette = rng.integers(0, 256, (len(Part), 3), dtype=np.uint8)
    coverage = {
        name: np.isin(parts, list(labels)).astype(np.float32) for name, labels in REGION_PARTS.items()
    }
    x = np.array(
        [0.5, 0.52, 0.48, 0.56, 0.44, 0.6, 0.4, 0.66, 0.34, 0.68, 0.32, 0.55, 0.45, 0.55, 0.45, 0.55, 0.45]
    )
    y = np.array(
        [0.2, 0.15, 0.15, 0.16, 0.16, 0.3, 0.3, 0.4, 0.4, 0.47, 0.47, 0.56, 0.56, 0.7, 0.7, 0.86, 0.86]
    )
    keypoints = np.stack([(x + shift) * size, y * size, np.full(17, 2.0)], axis=1).astype(np.float32)
    spread = np.linspace(0, 0.05, 21)
    left = np.stack([(0.66 + shift + spread) * size, (0.46 + spread) * size, np.full(21, 2.0)], axis=1)
    right = np.stack([(0.29 + shift + spread) * size, (0.46 + spread) * size, np.full(21, 1.0)], axis=1)
    depth = np.where(parts > 0, rng.uniform(2.0, 3.0, (size, size)), 0).astype(np.float32)
    ahead = np.array([0.0, 0.0, 2.5])
    return HumanImage(
        image=palette[parts],
        parts=parts,
        coverage=coverage,
        depth=depth,
        keypoints=keypoints,
        left_hand=left.astype(np.float32),
        right_hand=right.astype(np.float32),
        keypoints_camera=np.tile(ahead, (17, 1)).astype(np.float32),
        left_hand_camera=np.tile(ahead, (21, 1)).astype(np.float32),
        right_hand_camera=np.tile(ahead, (21, 1)).astype(np.float32),
        camera=Camera(1.2 * size, 1.2 * size, size / 2, size / 2, np.eye(3), np.zeros(3)),
        face_yaw=float(rng.uniform(-40, 40)),
        attributes=draw_attributes(rng),
        preset=preset,
    )


def draw_nobody(rng: np.random.Generator, preset: str, size: int) -> HumanImage:
    """A person who stands outside the picture, so that all boxes are null."""
    return draw_person(rng, preset, size, shift=5.0)


def draw_slowly(rng: np.random.Generator, preset: str, size: int) -> HumanImage:
    time.sleep(0.05)
    return draw_person(rng, preset, size)


def draw_badly(rng: np.random.Generator, preset: str, size: int) -> HumanImage:
    raise ZeroDivisionError("a limb of no length")
