"""Simulated raters, for testing a study's length and analysis. They say nothing about the images."""

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
    """Answers of simulated raters, in the format of the page.

    A rater prefers the first image with probability 1 / (1 + e^(−u)), where u is the difference in the
    systems' appeal, plus a preference for the pair, plus ``left`` if it is on the left (Bradley and Terry's
    model).

    Args:
        study: The study.
        liking: System → its appeal in logits.
        raters: Number of raters, numbered from 0.
        ties: Probability that a rater sees no difference, in [0, 1].
        left: Preference for the left side.
        careless: Number of raters, the last ones, who answer at random, including attention checks.
        seed: Seed of all random choices.
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
