"""Scores as in §9.2, with intervals over both raters and images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ._agreement import krippendorff_alpha
from ._answers import split_checks

_RESAMPLES = 4999
# Resampling fewer than this reflects the few rather than the population.
_LEAST = 5


def score_study(
    answers: pd.DataFrame, *, passed: float = 0.75, level: float = 0.95, seed: int = 0
) -> dict[str, Any]:
    """Preferences between systems, with their reliability.

    Args:
        answers: From :func:`fairhuman.experiments.study.read_answers`.
        passed: Minimum fraction of correct attention checks; other raters are excluded.
        level: Confidence level in (0, 1).
        seed: Seed of the resampling.

    Returns:
        For :func:`fairhuman.results.write_result`: ``scores`` (rows of :func:`preference_scores`),
        ``agreement`` (rows: ``question``, ``first``, ``second``, ``alpha``), ``raters``, ``left_out`` (their
        numbers), ``left_share`` (fraction of non-tied answers in which the left image won), ``level``.

    Raises:
        ValueError: There are no answers, or no rater passed the checks.
    """
    if not 0 <= passed <= 1:
        raise ValueError(f"passed: must be in [0, 1], got {passed}")
    comparisons, checks = split_checks(answers)
    shares = (checks.score == 1).groupby(checks.rater).mean()
    failed = sorted(int(rater) for rater in shares.index[shares < passed])
    kept = comparisons[~comparisons.rater.isin(failed)]
    if kept.empty:
        raise ValueError(
            f"answers: none to score of {answers.rater.nunique()} raters, {len(failed)} left out"
        )
    decided = kept[kept.score != 0.5]
    agreement = [
        dict(zip(("question", "first", "second"), names, strict=True))
        | {"alpha": krippendorff_alpha(_matrix(rows), "ordinal")}
        for names, rows in kept.groupby(["question", "first", "second"], sort=False)
    ]
    return {
        "scores": preference_scores(kept, level=level, seed=seed).to_dict("records"),
        "agreement": agreement,
        "raters": int(kept.rater.nunique()),
        "left_out": failed,
        "left_share": float(((decided.score == 1) == decided.left).mean()) if len(decided) else float("nan"),
        "level": level,
    }


def preference_scores(answers: pd.DataFrame, *, level: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """Mean score of each system in each comparison: 1 where it was preferred, 0 where not, 0.5 for a tie.

    Another study would have other raters *and* other images, so both are resampled independently (Owen, *The
    pigeonhole bootstrap*, 2007); intervals are slightly too wide rather than too narrow.

    Args:
        answers: Comparisons, without attention checks.
        level: Confidence level in (0, 1).
        seed: Seed of the resampling.

    Returns:
        Columns ``question``, ``first``, ``second``, ``system``, ``value``, ``low``, ``high``, ``n``
        (answers), ``supported`` (whether the interval excludes one half). There is no interval for fewer than
        five raters or pairs.
    """
    rows = []
    for names, votes in answers.groupby(["question", "first", "second"], sort=False):
        question, first, second = names
        value = float(votes.score.mean())
        low, high = _pigeonhole(_matrix(votes), level, seed)
        for system, v, lo, hi in ((first, value, low, high), (second, 1 - value, 1 - high, 1 - low)):
            rows.append(
                {
                    "question": question,
                    "first": first,
                    "second": second,
                    "system": system,
                    "value": v,
                    "low": lo,
                    "high": hi,
                    "n": len(votes),
                    "supported": bool(lo > 0.5 or hi < 0.5),
                }
            )
    return pd.DataFrame(rows)


def _matrix(answers: pd.DataFrame) -> np.ndarray:
    return answers.pivot(index="rater", columns="trial", values="score").to_numpy()


def _pigeonhole(scores: np.ndarray, level: float, seed: int) -> tuple[float, float]:
    raters, pairs = scores.shape
    if min(raters, pairs) < _LEAST:
        return float("nan"), float("nan")
    random = np.random.default_rng(seed)
    known = np.isfinite(scores)
    rows = random.multinomial(raters, np.full(raters, 1 / raters), size=_RESAMPLES).astype(float)
    columns = random.multinomial(pairs, np.full(pairs, 1 / pairs), size=_RESAMPLES).astype(float)
    totals = ((rows @ np.where(known, scores, 0)) * columns).sum(axis=1)
    counts = ((rows @ known) * columns).sum(axis=1)
    means = totals[counts > 0] / counts[counts > 0]
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)
