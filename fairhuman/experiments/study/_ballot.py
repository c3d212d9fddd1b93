"""Ballots: pairs, their order, and the side of each image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np
from PIL import Image

QUESTIONS: Mapping[str, str] = {
    "overall": "Which image is better as a whole: appearance, realism, coherence?",
    "regional": "In which image are faces and hands better: detail, plausibility, naturalness?",
}
"""The two criteria of §9.2."""

CHECK = "check"
"""Placeholder system name for a deliberately corrupted image."""


@dataclass(frozen=True)
class Trial:
    """One pair of images, of one prompt and one seed.

    Attributes:
        name: Reveals nothing about its content.
        prompt: Prompt of both images.
        systems: The two systems compared; ``(system, CHECK)`` in an attention check, in which the second
            image is a corrupted copy of the first.
        images: Names of their images, in the same order.
    """

    name: str
    prompt: str
    systems: tuple[str, str]
    images: tuple[str, str]

    @property
    def is_check(self) -> bool:
        """Whether there is a correct answer."""
        return self.systems[1] == CHECK


@dataclass(frozen=True)
class Study:
    """The material shown to raters, and its key.

    Attributes:
        trials: Every pair once.
        ballots: Each is an order of all trials, as (trial number, whether its images are swapped). Rater r
            gets ballot r modulo their number.
        images: Name → image. Names and order are random.
    """

    trials: tuple[Trial, ...]
    ballots: tuple[tuple[tuple[int, bool], ...], ...]
    images: Mapping[str, Image.Image]

    @property
    def fingerprint(self) -> str:
        """Identifies the study without revealing the key."""
        return hashlib.sha256(json.dumps(self.key(), sort_keys=True).encode()).hexdigest()[:12]

    def key(self) -> dict[str, Any]:
        """Maps images to systems; hidden from raters and needed for scoring."""
        trials = [
            {"name": t.name, "prompt": t.prompt, "systems": list(t.systems), "images": list(t.images)}
            for t in self.trials
        ]
        return {"trials": trials, "ballots": [[list(place) for place in order] for order in self.ballots]}


def build_study(
    images: Mapping[str, Sequence[Image.Image]],
    prompts: Sequence[str],
    *,
    checks: int = 4,
    ballots: int = 8,
    seed: int = 0,
) -> Study:
    """Pair every two systems' images of each prompt, blind and counterbalanced.

    Within a ballot, each of two compared systems is on the left half of the time (up to one pair if their
    number is odd), and every pair is swapped on the next ballot, so that a side bias favours no system.

    Args:
        images: System → its images, one for each prompt; at least two systems.
        prompts: In the same order.
        checks: Number of attention checks: an image of the first system next to an obviously corrupted copy.
        ballots: Number of orders, even, ≥ 2.
        seed: Seed of names, orders and sides.

    Raises:
        ValueError: There are fewer than two systems, the numbers of images and prompts differ, a system has
            the name of an attention check, or a count is out of range.

    >>> grey = [Image.new("RGB", (8, 8), "grey")] * 3
    >>> study = build_study({"base": grey, "mpd": grey}, ["a man", "a woman", "a child"], checks=1)
    >>> len(study.trials), sum(trial.is_check for trial in study.trials)
    (4, 1)
    """
    _check(images, prompts, checks, ballots)
    random = np.random.default_rng(seed)
    pairs = [(*names, i) for names in combinations(images, 2) for i in range(len(prompts))]
    checked = random.permutation(len(prompts))[:checks]
    first = next(iter(images))
    names = [f"{n:08x}" for n in random.choice(2**32, 3 * (len(pairs) + checks), replace=False)]

    trials, shown = [], {}
    for a, b, i in [*pairs, *((first, CHECK, int(i)) for i in checked)]:
        name, left, right = names.pop(), names.pop(), names.pop()
        shown[left] = images[a][i]
        shown[right] = spoil(images[a][i], int(random.integers(2**32))) if b == CHECK else images[b][i]
        trials.append(Trial(name, prompts[i], (a, b), (left, right)))
    swapped = _sides([trial.systems for trial in trials], random)
    orders = tuple(
        tuple((int(t), bool(swapped[t] ^ (ballot % 2))) for t in random.permutation(len(trials)))
        for ballot in range(ballots)
    )
    return Study(tuple(trials), orders, {name: shown[name] for name in sorted(shown)})


def _sides(groups: Sequence[tuple[str, str]], random: np.random.Generator) -> np.ndarray:
    """The pairs to swap: half of each group, and half of all."""
    swapped, odd = np.zeros(len(groups), dtype=bool), 0
    for group in dict.fromkeys(groups):
        places = [i for i, other in enumerate(groups) if other == group]
        swapped[places] = random.permutation((np.arange(len(places)) + odd) % 2)
        odd ^= len(places) % 2
    return swapped


def spoil(image: Image.Image, seed: int = 0) -> Image.Image:
    """The image with shuffled tiles, obviously worse to any attentive rater."""
    picture = np.asarray(image.convert("RGB"))
    side = max(1, min(picture.shape[:2]) // 8)
    rows, columns = picture.shape[0] // side, picture.shape[1] // side
    tiles = picture[: rows * side, : columns * side].reshape(rows, side, columns, side, 3)
    tiles = tiles.swapaxes(1, 2).reshape(rows * columns, side, side, 3)
    tiles = np.random.default_rng(seed).permutation(tiles).reshape(rows, columns, side, side, 3)
    return Image.fromarray(np.ascontiguousarray(tiles.swapaxes(1, 2).reshape(rows * side, columns * side, 3)))


def _check(
    images: Mapping[str, Sequence[Image.Image]], prompts: Sequence[str], checks: int, ballots: int
) -> None:
    counts = {system: len(found) for system, found in images.items()}
    if len(images) < 2:
        raise ValueError(f"images: must hold at least two systems, got {list(images)}")
    if CHECK in images:
        raise ValueError(f"images: {CHECK!r} names the attention checks, not a system")
    if set(counts.values()) != {len(prompts)} or not prompts:
        raise ValueError(f"images: each system needs one for each of {len(prompts)} prompts, got {counts}")
    if not 0 <= checks <= len(prompts):
        raise ValueError(f"checks: must be in [0, {len(prompts)}], the number of prompts, got {checks}")
    if ballots < 2 or ballots % 2:
        raise ValueError(f"ballots: must be even and ≥ 2, got {ballots}")
