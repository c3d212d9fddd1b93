"""Estimates with confidence intervals.

Intervals are frequentist and two-sided. ``Estimate.interval`` names the kind:

- ``"wilson"``: Wilson's score interval, for proportions;
- ``"bca"``: bias-corrected and accelerated bootstrap (Efron 1987), for means and their differences;
- ``"percentile"``: percentile bootstrap, for ratios, because their resamples may be undefined;
- ``"batches"``: Student's t over the means of blocks of one run, for consecutive steps;
- ``"crossed"``, ``"images"``: over training seeds and images, see :mod:`fairhuman.evaluation.crossed`;
- ``"bounded"``: for samples with only equal values, for which the bootstrap interval would have zero width. A
  value not seen in n draws may still have a probability of z² / (n + z²), Wilson's bound, and lie anywhere
  within the quantity's bounds. For proportions of 0 and 1, this is Wilson's interval itself.
- ``"none"``: the sample allows no interval, because it has fewer than five values or ten clusters, or only
  equal values with unknown bounds; ``low`` and ``high`` are NaN.

Bootstrap intervals from fewer than about twenty units are too narrow: at 95 %, they cover the true value
about nine times in ten. Treat them as a lower bound of the uncertainty.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

__all__ = [
    "Estimate",
    "corrected_level",
    "estimate_mean",
    "estimate_proportion",
    "estimate_ratio",
    "estimate_steps",
    "paired_difference",
    "paired_ratio_difference",
]

_RESAMPLES = 9999
# Resampling fewer units than this reflects the few units rather than the population.
_LEAST_VALUES, _LEAST_CLUSTERS = 5, 10
_AT_ONCE = 2_000_000  # numbers resampled at a time, which bounds memory
_BATCHES, _LEAST_STEPS = 10, 5  # stretches of a run, and steps in each


@dataclass(frozen=True)
class Estimate:
    """An estimate with its interval and sample size.

    Attributes:
        value: The estimate; NaN if the sample is empty.
        low, high: Bounds of the interval; NaN if there is none.
        n: Number of independent units (images, not detections).
        interval: Kind of interval, see above.
        level: Its confidence level in (0, 1).
        error: Standard error of the value; NaN if only the interval is known.
    """

    value: float
    low: float
    high: float
    n: int
    interval: str
    level: float = 0.95
    error: float = math.nan

    def __str__(self) -> str:
        """The value and its interval.

        >>> str(Estimate(1 / 3, 0.1, 0.7, 6, "wilson"))
        '0.333 [0.1, 0.7]'
        """
        return f"{self.value:.3g} [{self.low:.3g}, {self.high:.3g}]"

    def excludes(self, value: float) -> bool:
        """Whether the interval lies entirely on one side of ``value``; False if there is no interval.

        >>> Estimate(0.2, 0.1, 0.3, 40, "bca").excludes(0)
        True
        """
        return self.low > value or self.high < value

    def lies_within(self, margin: float) -> bool:
        """Whether the whole interval lies inside (−margin, margin): equivalence by two one-sided tests.

        The level of each one-sided test is half of 1 − ``level``. False if there is no interval.

        >>> Estimate(0.0, -0.1, 0.1, 40, "bca").lies_within(0.2)
        True
        """
        return -margin < self.low and self.high < margin

    def least_detectable(self, power: float = 0.8) -> float:
        """The smallest true difference that an interval of this width would distinguish from zero.

        This is half the interval's width plus z(power) standard errors: with this true difference, the
        interval excludes zero with probability ``power``. NaN if there is no interval.

        >>> f"{Estimate(0.0, -1.96, 1.96, 40, 'bca').least_detectable():.2f}"
        '2.80'
        """
        arm = (self.high - self.low) / 2
        error = arm / stats.norm.ppf((1 + self.level) / 2) if math.isnan(self.error) else self.error
        return float(arm + stats.norm.ppf(power) * error)

    def stored(self) -> dict[str, float | int | str]:
        """The estimate in the form for :func:`fairhuman.results.write_result`."""
        return {
            "value": self.value,
            "low": self.low,
            "high": self.high,
            "n": self.n,
            "interval": self.interval,
            "level": self.level,
        }


def corrected_level(level: float, comparisons: int) -> float:
    """Bonferroni-corrected level for each of m joint intervals: 1 − (1 − level) / m.

    The probability that any of the m intervals misses its true value is then at most 1 − level.

    Args:
        level: Joint confidence level in (0, 1).
        comparisons: Number m of intervals, at least 0; 0 counts as 1.

    Raises:
        ValueError: A value is out of range.

    >>> f"{corrected_level(0.95, 10):.3f}"
    '0.995'
    """
    _check_level(level)
    if comparisons < 0:
        raise ValueError(f"comparisons: must be at least 0, got {comparisons}")
    return 1 - (1 - level) / max(1, comparisons)


def estimate_proportion(successes: int, trials: int, *, level: float = 0.95) -> Estimate:
    """Proportion of successful trials, with Wilson's interval.

    Args:
        successes: Number of successes.
        trials: Number of trials.
        level: Confidence level in (0, 1).

    Raises:
        ValueError: The number of successes is negative or exceeds the trials, or the level is out of range.

    >>> e = estimate_proportion(24, 24)
    >>> f"{e.value:.2f} [{e.low:.2f}, {e.high:.2f}]"
    '1.00 [0.86, 1.00]'
    """
    _check_level(level)
    if not 0 <= successes <= trials:
        raise ValueError(f"successes: must be in [0, {trials}], the number of trials, got {successes}")
    if trials == 0:
        return _nothing(level)
    interval = stats.binomtest(int(successes), int(trials)).proportion_ci(level, method="wilson")
    return Estimate(float(successes / trials), interval.low, interval.high, int(trials), "wilson", level)


def estimate_mean(
    values: ArrayLike, *, bounds: tuple[float, float] | None = None, level: float = 0.95, seed: int = 0
) -> Estimate:
    """Mean with a BCa bootstrap interval; for equal values the bounded one, if ``bounds`` are known.

    Args:
        values: One finite number per unit, shape (n,).
        bounds: Minimum and maximum possible value, such as (0, 1) for a score.
        level: Confidence level in (0, 1).
        seed: Seed of the resampling; the same seed gives the same interval.

    Raises:
        ValueError: Values are not finite or outside the bounds, or the level is out of range.
    """
    sample = _sample("values", values, level)
    if bounds is not None and sample.size and not bounds[0] <= sample.min() <= sample.max() <= bounds[1]:
        raise ValueError(f"values: must be in {list(bounds)}, got {sample.min():g} to {sample.max():g}")
    if sample.size == 0:
        return _nothing(level)
    value = float(sample.mean())
    if sample.size == 1 or np.ptp(sample) <= 1e-12 * max(1.0, abs(value)):
        return _bounded(value, sample.size, bounds, level)
    if sample.size < _LEAST_VALUES:
        return _bounded(value, sample.size, None, level)
    return _bootstrap((sample,), np.mean, value, sample.size, "bca", level, seed)


def estimate_ratio(totals: ArrayLike, counts: ArrayLike, *, level: float = 0.95, seed: int = 0) -> Estimate:
    """Mean over items that come in clusters: Σ totals / Σ counts, such as the score of detections in images.

    Clusters are resampled as a whole, because the faces of one image are not independent. Clusters without
    items carry no information on the mean and are excluded; ``n`` counts the others.

    Args:
        totals: Sum over the items of each cluster, shape (n,).
        counts: Number of items of each cluster, shape (n,).
        level: Confidence level in (0, 1).
        seed: Seed of the resampling.

    Raises:
        ValueError: Shapes differ, values are not finite, or counts are negative.
    """
    totals, counts = _clusters(totals, counts, level)
    totals, counts = totals[counts > 0], counts[counts > 0]
    if counts.size == 0:
        return _nothing(level)
    value = float(totals.sum() / counts.sum())
    if counts.size < _LEAST_CLUSTERS:
        return _bounded(value, counts.size, None, level)
    return _bootstrap((totals, counts), _ratio, value, counts.size, "percentile", level, seed)


def estimate_steps(
    values: ArrayLike, *, bounds: tuple[float, float] | None = None, level: float = 0.95
) -> Estimate:
    """Mean over the consecutive steps of one run, which depend on one another.

    The run is cut into ten stretches of consecutive steps. Their means are nearly independent where a stretch
    is much longer than the memory of the run, and Student's interval is taken over them (the method of batch
    means). It says nothing about other runs.

    Args:
        values: One finite number per step, in order, shape (n,).
        bounds: Minimum and maximum value the quantity can take; the interval is cut there.
        level: Confidence level in (0, 1).

    Returns:
        ``n`` counts stretches. Fewer than 50 steps give no interval.

    Raises:
        ValueError: Values are not finite, or the level is out of range.

    >>> estimate_steps([0, 1] * 50, bounds=(0, 1)).n
    10
    """
    sample = _sample("values", values, level)
    if sample.size == 0:
        return _nothing(level)
    value = float(sample.mean())
    if sample.size < _BATCHES * _LEAST_STEPS:
        return _bounded(value, sample.size, None, level)
    means = np.array([stretch.mean() for stretch in np.array_split(sample, _BATCHES)])
    if np.ptp(means) <= 1e-12 * max(1.0, abs(value)):
        return _bounded(value, _BATCHES, bounds if np.ptp(sample) == 0 else None, level)
    low, high = stats.ttest_1samp(means, 0).confidence_interval(level)
    low, high = low + value - means.mean(), high + value - means.mean()  # the last stretches may be shorter
    if bounds is not None:
        low, high = max(low, bounds[0]), min(high, bounds[1])
    return Estimate(value, float(low), float(high), _BATCHES, "batches", level)


def paired_difference(
    first: ArrayLike,
    second: ArrayLike,
    *,
    bounds: tuple[float, float] | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Mean of ``second − first`` over units measured twice, such as the same prompt and seed in two systems.

    Args:
        first, second: One finite number per unit, in the same order, shape (n,).
        bounds: Minimum and maximum value of each measurement.
        level: Confidence level in (0, 1).
        seed: Seed of the resampling.

    Raises:
        ValueError: Different lengths, or what :func:`estimate_mean` refuses.

    >>> paired_difference([0.1, 0.5, 0.3, 0.2, 0.4], [0.3, 0.8, 0.5, 0.3, 0.5]).excludes(0)
    True
    """
    first, second = _sample("first", first, level), _sample("second", second, level)
    if first.size != second.size:
        raise ValueError(f"first, second: must be of one length, got {first.size} and {second.size}")
    spread = None if bounds is None else (bounds[0] - bounds[1], bounds[1] - bounds[0])
    return estimate_mean(second - first, bounds=spread, level=level, seed=seed)


def paired_ratio_difference(
    first: tuple[ArrayLike, ArrayLike],
    second: tuple[ArrayLike, ArrayLike],
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Difference of two :func:`estimate_ratio`, second − first, over the same clusters.

    ``n`` is the smaller number of clusters that have items. Resamples in which a system has no item are left
    out.

    Args:
        first, second: Totals and counts of each system, all of shape (n,).
        level: Confidence level in (0, 1).
        seed: Seed of the resampling.

    Raises:
        ValueError: Shapes differ, values are not finite, or counts are negative.
    """
    data = (*_clusters(*first, level), *_clusters(*second, level))
    if data[0].size != data[2].size:
        raise ValueError(f"first, second: must be of one length, got {data[0].size} and {data[2].size}")
    data = tuple(column[(data[1] > 0) | (data[3] > 0)] for column in data)
    n = int(min((data[1] > 0).sum(), (data[3] > 0).sum()))
    if n == 0:
        return _nothing(level)
    value = float(_ratio(*data[2:], axis=-1) - _ratio(*data[:2], axis=-1))
    if n < _LEAST_CLUSTERS:
        return _bounded(value, n, None, level)
    return _bootstrap(data, _ratio_difference, value, n, "percentile", level, seed)


def _ratio(totals: np.ndarray, counts: np.ndarray, axis: int) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return totals.sum(axis=axis) / counts.sum(axis=axis)


def _ratio_difference(*data: np.ndarray, axis: int) -> np.ndarray:
    return _ratio(*data[2:], axis=axis) - _ratio(*data[:2], axis=axis)


def _bootstrap(
    data: tuple[np.ndarray, ...],
    statistic: Callable,
    value: float,
    n: int,
    method: str,
    level: float,
    seed: int,
) -> Estimate:
    result = stats.bootstrap(
        data,
        statistic,
        paired=len(data) > 1,
        vectorized=True,
        axis=-1,
        n_resamples=_RESAMPLES,
        batch=max(1, _AT_ONCE // data[0].size),
        confidence_level=level,
        method=method,
        rng=np.random.default_rng(seed),
    )
    low, high = result.confidence_interval
    if math.isnan(low):  # some resamples were undefined, or BCa's acceleration was
        tail = (1 - level) / 2
        low, high = np.nanquantile(result.bootstrap_distribution, [tail, 1 - tail])
        method = "percentile"
    if high - low <= 1e-12 * max(1.0, abs(value)):  # clusters that are all alike
        return _bounded(value, n, None, level)
    return Estimate(value, float(low), float(high), n, method, level)


def _bounded(value: float, n: int, bounds: tuple[float, float] | None, level: float) -> Estimate:
    if bounds is None:
        return Estimate(value, math.nan, math.nan, n, "none", level)
    unseen = stats.binomtest(0, n).proportion_ci(level, method="wilson").high
    low, high = value - unseen * (value - bounds[0]), value + unseen * (bounds[1] - value)
    return Estimate(value, float(low), float(high), n, "bounded", level)


def _nothing(level: float) -> Estimate:
    return Estimate(math.nan, math.nan, math.nan, 0, "none", level)


def _sample(name: str, values: ArrayLike, level: float) -> np.ndarray:
    _check_level(level)
    sample = np.asarray(values, dtype=np.float64)
    if sample.ndim != 1:
        raise ValueError(f"{name}: must have one dimension, got shape {sample.shape}")
    if not np.isfinite(sample).all():
        raise ValueError(f"{name}: must be finite, got {sample[~np.isfinite(sample)][0]} among them")
    return sample


def _check_level(level: float) -> None:
    if not 0 < level < 1:
        raise ValueError(f"level: must be in (0, 1), got {level!r}")


def _clusters(totals: ArrayLike, counts: ArrayLike, level: float) -> tuple[np.ndarray, np.ndarray]:
    totals, counts = _sample("totals", totals, level), _sample("counts", counts, level)
    if totals.shape != counts.shape:
        raise ValueError(f"totals, counts: must be of one length, got {totals.size} and {counts.size}")
    if counts.size and counts.min() < 0:
        raise ValueError(f"counts: must not be negative, got {counts.min():g}")
    return totals, counts
