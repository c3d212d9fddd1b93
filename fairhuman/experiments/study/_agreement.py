"""How far raters agree beyond chance."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

Level = Literal["nominal", "ordinal", "interval"]


def krippendorff_alpha(ratings: ArrayLike, level: Level = "nominal") -> float:
    """Krippendorff's α, 1 − observed over expected disagreement: 1 is full agreement, 0 is chance.

    Any number of raters, with ratings missing. Following K. Krippendorff, *Computing Krippendorff's
    Alpha-Reliability* (2011), whose worked example is among the tests.

    Args:
        ratings: Shape (raters, units); NaN where there is none.
        level: How far apart two ratings are: ``nominal``, equal or not; ``ordinal``, by the ratings that lie
            between; ``interval``, by their squared difference.

    Returns:
        α ≤ 1; NaN where it is undefined: no unit has two ratings, or all ratings are alike.

    Raises:
        ValueError: Not two dimensions, or an unknown level.

    >>> float(krippendorff_alpha([[0, 1, 1, 0], [0, 1, 1, 0]]))
    1.0
    """
    table = np.asarray(ratings, dtype=float)
    if table.ndim != 2:
        raise ValueError(f"ratings: must have shape (raters, units), got {table.shape}")
    values = np.unique(table[np.isfinite(table)])
    counts = np.stack([(table == value).sum(axis=0) for value in values]) if len(values) else np.zeros((0, 0))
    counts = counts[:, counts.sum(axis=0) >= 2].astype(float)  # alone, a rating agrees with nothing
    if not counts.size:
        return float("nan")
    per_unit = counts.sum(axis=0)
    coincidences = (counts / (per_unit - 1)) @ counts.T - np.diag((counts / (per_unit - 1)).sum(axis=1))
    totals = coincidences.sum(axis=1)
    expected = np.outer(totals, totals) - np.diag(totals)
    distance = _distances(values, totals, level)
    chance = (expected * distance).sum() / (totals.sum() - 1)
    return float(1 - (coincidences * distance).sum() / chance) if chance > 0 else float("nan")


def _distances(values: np.ndarray, totals: np.ndarray, level: str) -> np.ndarray:
    if level == "nominal":
        return 1 - np.eye(len(values))
    if level == "interval":
        return (values[:, None] - values[None]) ** 2
    if level == "ordinal":
        middles = np.cumsum(totals) - totals / 2
        return (middles[:, None] - middles[None]) ** 2
    raise ValueError(f"level: must be nominal, ordinal or interval, got {level!r}")
