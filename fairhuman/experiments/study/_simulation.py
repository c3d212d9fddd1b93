"""Raters made up by a program, to try a study's length and its analysis. They say nothing about images."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ._ballot import QUESTIONS, Study


def simulate_raters(
    study: Study,
    liking: Mapping[str, float],
    *,
    raters: int = 20,
    ties: float = 0.2,
    left: float = 0.0,
    careless: int = 0,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Answers of made-up raters, in the form in which the page saves them.

    A rater prefers the first image with probability 1 / (1 + e^(−u)), where u is the difference of the
    systems' likings, plus a taste for the pair, plus ``left`` if it stands left (Bradley and
    Terry's model).

    Args:
        study: What they rate.
        liking: System → how much it is liked, on the scale of logits.
        raters: How many, numbered from 0.
        ties: Probability that a rater sees no difference, in [0, 1].
        left: Liking for whatever stands left.
        careless: How many of them, the last ones, answer at random, attention checks included.
        seed: Of all draws.
    """
    random = np.random.default_rng(seed)
    taste = random.normal(0, 0.5, len(study.trials))
    contents = []
    for rater in range(raters):
        answers = {}
        for number, swapped in study.ballots[rater % len(study.ballots)]:
            trial = study.trials[number]
            answers[trial.name] = {}
            for question in QUESTIONS:
                if rater >= raters - careless:
                    choice = str(random.choice(["left", "right", "tie"]))
                elif trial.is_check:
                    choice = "right" if swapped else "left"
                elif random.random() < ties:
                    choice = "tie"
                else:
                    first, second = trial.systems
                    logit = liking[first] - liking[second] + taste[number] + (-left if swapped else left)
                    prefers_first = random.random() < 1 / (1 + np.exp(-logit))
                    choice = "left" if prefers_first != swapped else "right"
                answers[trial.name][question] = choice
        contents.append({"study": study.fingerprint, "rater": rater, "answers": answers})
    return contents
