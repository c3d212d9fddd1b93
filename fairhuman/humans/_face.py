"""Who a person is, and what the face does: phenotypes and expressions."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from fairhuman.humans._body import FACE_CHANGES

_PAIRED = (
    "browDown",
    "browOuterUp",
    "cheekSquint",
    "eyeBlink",
    "eyeSquint",
    "eyeWide",
    "mouthFrown",
    "mouthSmile",
    "mouthStretch",
    "mouthUpperUp",
    "mouthLowerDown",
    "mouthPress",
    "noseSneer",
)

EXPRESSIONS: Mapping[str, Mapping[str, float]] = {
    "neutral": {},
    "smiling": {"mouthSmile": 0.75, "cheekSquint": 0.35, "eyeSquint": 0.15},
    "laughing": {
        "mouthSmile": 0.85,
        "jawOpen": 0.34,
        "mouthUpperUp": 0.35,
        "mouthLowerDown": 0.25,
        "cheekSquint": 0.6,
        "eyeSquint": 0.35,
        "browOuterUp": 0.2,
    },
    "surprised": {
        "jawOpen": 0.42,
        "browInnerUp": 0.9,
        "browOuterUp": 0.9,
        "eyeWide": 0.8,
        "mouthFunnel": 0.3,
    },
    "frowning": {
        "browDown": 0.95,
        "mouthFrown": 0.75,
        "eyeSquint": 0.25,
        "mouthPress": 0.3,
        "noseSneer": 0.25,
    },
    "sad": {"browInnerUp": 0.95, "mouthFrown": 0.8, "eyeBlink": 0.18},
    "eyes closed": {"eyeBlink": 1.0, "mouthSmile": 0.15},
    "pouting": {"mouthPucker": 0.8, "browDown": 0.2},
}


def facial_actions(expression: str, strength: float) -> dict[str, float]:
    """anny's action weights of a named expression; paired actions on both sides."""
    result: dict[str, float] = {}
    for name, value in EXPRESSIONS[expression].items():
        weight = float(np.clip(value * strength, 0, 1))
        if name in _PAIRED:
            result[f"{name}Left"] = result[f"{name}Right"] = weight
        else:
            result[name] = weight
    return result


def phenotype(rng: np.random.Generator, gender: str, age: str, skin: str) -> dict[str, float]:
    """Proportions of an adult. anny's ages: 2/3 is a young adult, 1 is old."""
    low, high = {
        "young": (0.667, 0.70),
        "middle-aged": (0.74, 0.82),
        "elderly": (0.88, 0.97),
    }[age]
    ancestry = rng.dirichlet(
        {
            "very light": (0.2, 0.7, 3),
            "light": (0.3, 1.5, 2),
            "medium": (0.7, 1.5, 1.2),
            "tan": (1, 1.5, 0.8),
            "brown": (2, 0.8, 0.5),
            "dark": (3.5, 0.4, 0.2),
        }[skin]
    )
    woman = gender == "woman"
    return {
        "gender": rng.uniform(0.86, 1.0) if woman else rng.uniform(0.0, 0.10),
        "age": rng.uniform(low, high),
        "muscle": rng.uniform(0.35, 0.65) if woman else rng.uniform(0.42, 0.8),
        "weight": float(np.clip(rng.normal(0.5, 0.16), 0.18, 0.92)),
        "height": float(np.clip(rng.normal(0.5, 0.15), 0.15, 0.85)),
        "proportions": rng.uniform(0.5, 1.0),
        "african": float(ancestry[0]),
        "asian": float(ancestry[1]),
        "caucasian": float(ancestry[2]),
    }


def face_changes(rng: np.random.Generator, amount: float) -> dict[str, float]:
    """Small differences of nose, mouth, chin, cheeks and brow that make faces differ."""
    return {name: float(np.clip(rng.normal(0, amount), -0.8, 0.8)) for name in FACE_CHANGES}
