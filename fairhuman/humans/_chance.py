"""Small draws that every preset makes. One stream of chance, one order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

Rng = np.random.Generator


def choose(rng: Rng, options: Mapping[str, float] | Sequence[str]) -> str:
    """One name, by weight."""
    if not isinstance(options, Mapping):
        return str(options[int(rng.integers(len(options)))])
    names, weights = list(options), np.asarray(list(options.values()), dtype=float)
    index = np.searchsorted(np.cumsum(weights / weights.sum()), rng.random(), side="right")
    return names[int(index.clip(0, len(names) - 1))]


def vary(rng: Rng, colour: tuple[float, float, float], amount: float) -> tuple[float, float, float]:
    """A colour a little lighter or darker, warmer or colder."""
    brightness = np.exp(rng.normal(0, amount))
    tint = np.exp(rng.normal(0, amount * 0.35, 3))
    red, green, blue = np.clip(np.asarray(colour) * brightness * tint, 0.004, 0.88)
    return float(red), float(green), float(blue)


def lips_of(skin: tuple[float, float, float], gender: str, rng: Rng) -> tuple[float, float, float]:
    """Lips for a skin: redder than it, more so on a woman."""
    tint = np.array([0.52, 0.14, 0.14]) if gender == "woman" else np.array([0.45, 0.19, 0.16])
    share = rng.uniform(0.35, 0.6) if gender == "woman" else rng.uniform(0.2, 0.35)
    red, green, blue = np.asarray(skin) * np.array([0.9, 0.66, 0.66]) * (1 - share) + tint * share * (
        0.35 + 0.65 * np.mean(skin) / 0.5
    )
    return float(red), float(green), float(blue)
