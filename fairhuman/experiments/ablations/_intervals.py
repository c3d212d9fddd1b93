"""Intervals that allow for other seeds and other images both."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from fairhuman.evaluation.statistics import Estimate, estimate_mean

__all__ = ["crossed_mean", "seed_variance"]


def crossed_mean(
    values: ArrayLike, *, level: float = 0.95, seed_variance: tuple[float, float] | None = None
) -> Estimate:
    """Mean over seeds and images, with an interval for other seeds *and* other images.

    Effects of seed and image are taken as random, additive and independent. The variance of the mean is then
    at most A + B, A being that of the seeds' means divided by the number of seeds, B the same of the images;
    the interval is Student's with Satterthwaite's degrees of freedom,
    (A + B)² / (A² / (S − 1) + B² / (I − 1)). It is somewhat too wide rather than too narrow, and wide indeed
    for two or three seeds, of which it asks how different they might have been.

    Args:
        values: Shape (seeds, images); NaN where an image lacks the region, for all seeds alike.
        level: Confidence level in (0, 1).
        seed_variance: Variance between the seeds' means and its degrees of freedom, known better than from
            these seeds alone, such as from all settings of a table.

    Returns:
        ``interval`` is ``"crossed"``; with one seed ``"images"``, which says nothing about other seeds; ``n``
        counts images.

    Raises:
        ValueError: Not two dimensions, or NaN in some seeds only.

    >>> random = np.random.default_rng(0)
    >>> crossed_mean(1 + 0.1 * random.normal(size=(3, 50))).excludes(0)
    True
    """
    table = np.asarray(values, dtype=float)
    if table.ndim != 2:
        raise ValueError(f"values: must have shape (seeds, images), got {table.shape}")
    known = np.isfinite(table)
    if (known.any(axis=0) != known.all(axis=0)).any():
        raise ValueError("values: an image must have a value for every seed or for none")
    table = table[:, known.all(axis=0)]
    seeds, images = table.shape
    if seeds < 2 or images < 2:
        one = estimate_mean(table.mean(axis=0) if seeds else [], level=level)
        kind = one.interval if one.interval == "none" else "images"
        return Estimate(one.value, one.low, one.high, one.n, kind, level)
    value = float(table.mean())
    between, own_freedom = seed_variance or (table.mean(axis=1).var(ddof=1), seeds - 1)
    a = between / seeds
    b = table.mean(axis=0).var(ddof=1) / images
    if a + b == 0:
        return Estimate(value, math.nan, math.nan, images, "none", level)
    freedom = (a + b) ** 2 / (a**2 / own_freedom + b**2 / (images - 1))
    arm = float(stats.t.ppf((1 + level) / 2, freedom) * math.sqrt(a + b))
    return Estimate(value, value - arm, value + arm, images, "crossed", level)


def seed_variance(
    losses: Mapping[str, Mapping[str, np.ndarray]], region: str, pair: tuple[str, str]
) -> tuple[float, float] | None:
    """Variance between seeds of a difference of two settings, from all trained settings of the table.

    An analysis of variance with seeds as blocks: between two trained settings stands twice the mean square of
    what neither setting nor seed explains, taken to be the same for all settings, since a few seeds hardly
    tell a variance. The base has no seeds: a difference from it varies as the trained setting does, by that
    and by what a seed does to all settings alike.
    """
    means = np.array(
        [np.nanmean(table[region], axis=1) for table in losses.values() if len(table[region]) > 1]
    )
    settings, seeds = means.shape if means.size else (0, 0)
    if settings < 2 or seeds < 2:
        return None
    blocks = means.mean(axis=0) - means.mean()
    residuals = means - means.mean(axis=1, keepdims=True) - blocks
    freedom = (settings - 1) * (seeds - 1)
    unexplained = float((residuals**2).sum() / freedom)
    if min(len(losses[name][region]) for name in pair) > 1:
        return 2 * unexplained, freedom
    common = float((blocks**2).sum() / (seeds - 1))
    rest = unexplained * (settings - 1) / settings
    total = common + rest
    if total == 0:
        return 0.0, freedom
    return total, total**2 / (common**2 / (seeds - 1) + rest**2 / freedom)
