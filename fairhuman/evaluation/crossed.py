"""Confidence intervals over both training seeds and images.

Two settings are each trained from several seeds and measured on the same images. Another study would have
other seeds *and* other images, so both count as samples:

- :func:`crossed_mean`, :func:`crossed_difference`: means. The half-widths of Student's intervals over seeds
  (Welch's, so each setting has its own variance) and over images are added in quadrature. If neither source
  dominates, this is somewhat too wide; it is never much too narrow, unlike one half-width with pooled degrees
  of freedom.
- :func:`crossed_bootstrap`: any other statistic, such as a ratio. Seeds of each setting and images are
  resampled independently (Owen, *The pigeonhole bootstrap*, 2007). It needs eight seeds: with three, its 95 %
  intervals cover the true value in only four cases out of five.

Steps of one run and regions of one image are not separate samples; they must be combined into one number per
seed and image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from .statistics import Estimate, estimate_mean

__all__ = ["LEAST_SEEDS", "crossed_bootstrap", "crossed_difference", "crossed_mean"]

LEAST_SEEDS = 8
"""Minimum number of training seeds per setting for :func:`crossed_bootstrap`."""

_RESAMPLES = 1999
_AT_ONCE = 4_000_000  # numbers resampled at a time, which bounds memory


def crossed_mean(values: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Mean of one setting over seeds and images.

    Args:
        values: Shape (seeds, images); NaN for images without the region, for all seeds.
        level: Confidence level in (0, 1).

    Returns:
        ``interval`` is ``"crossed"``, or ``"images"`` with one seed, which says nothing about other seeds;
        ``n`` counts images.

    Raises:
        ValueError: There are not two dimensions, or NaN in only some seeds.
    """
    (table,) = _complete(values)
    return _crossed([table.mean(axis=1)], table.mean(axis=0), level)


def crossed_difference(first: ArrayLike, second: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Mean of ``second − first``, two settings measured on the same images.

    Args:
        first, second: Shape (seeds, images) each, the seeds independent; one row for an untrained setting,
            which has no seeds. NaN for images without the region, for all seeds.
        level: Confidence level in (0, 1).

    Returns:
        As :func:`crossed_mean`; ``"images"`` if neither has several seeds.

    Raises:
        ValueError: The images differ, or :func:`crossed_mean` raises.

    >>> random = np.random.default_rng(0)
    >>> crossed_difference(random.normal(0, 0.1, (3, 50)), random.normal(1, 0.3, (3, 50))).excludes(0)
    True
    """
    a, b = _complete(first, second)
    return _crossed([a.mean(axis=1), b.mean(axis=1)], b.mean(axis=0) - a.mean(axis=0), level)


def crossed_bootstrap(
    statistic: Callable[..., np.ndarray],
    first: Sequence[ArrayLike],
    second: Sequence[ArrayLike],
    *,
    level: float = 0.95,
    seed: int = 0,
) -> Estimate:
    """Difference of a statistic between two settings, second − first, by resampling seeds and images.

    Args:
        statistic: Takes as many arrays as each setting has, of shape (..., cells), and reduces their last
            axis. For example, a ratio is ``lambda totals, counts: totals.sum(-1) / counts.sum(-1)``.
        first, second: Arrays of shape (seeds, images), with the same images in both.
        level: Confidence level in (0, 1).
        seed: Seed of the resampling.

    Returns:
        ``interval`` is ``"crossed"``, or ``"none"`` with fewer than :data:`LEAST_SEEDS` seeds in either or
        ten images.

    Raises:
        ValueError: The shapes do not match.
    """
    one, other = (np.stack([np.asarray(part, dtype=float) for part in parts]) for parts in (first, second))
    if one.ndim != 3 or other.ndim != 3 or one.shape[2] != other.shape[2]:
        raise ValueError(f"first, second: must be (seeds, images), got {one.shape[1:]} and {other.shape[1:]}")
    images = one.shape[2]
    value = float(statistic(*other.reshape(len(other), -1)) - statistic(*one.reshape(len(one), -1)))
    if min(one.shape[1], other.shape[1]) < LEAST_SEEDS or images < 10:
        return Estimate(value, math.nan, math.nan, images, "none", level)

    def difference(
        rows: np.ndarray, others: np.ndarray, columns: np.ndarray, axis: int = -1
    ) -> np.ndarray:  # indices of seeds, seeds and images
        found = [
            statistic(*(part[drawn[..., :, None], columns[..., None, :]].reshape(*drawn.shape[:-1], -1)
                        for part in parts))
            for parts, drawn in ((one, rows), (other, others))
        ]  # fmt: skip
        return found[1] - found[0]

    result = stats.bootstrap(
        tuple(np.arange(count) for count in (one.shape[1], other.shape[1], images)),
        difference,
        vectorized=True,
        n_resamples=_RESAMPLES,
        batch=max(1, _AT_ONCE // (max(one.shape[1], other.shape[1]) * images)),
        confidence_level=level,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    tail = (1 - level) / 2
    low, high = np.nanquantile(result.bootstrap_distribution, [tail, 1 - tail])
    return Estimate(value, float(low), float(high), images, "crossed", level)


def _crossed(seeds: list[np.ndarray], images: np.ndarray, level: float) -> Estimate:
    """From each setting's mean per seed, first and second, and the mean or difference per image."""
    several = [means for means in seeds if len(means) > 1]
    if not several or len(images) < 2:
        one = estimate_mean(images, level=level)
        kind = one.interval if one.interval == "none" else "images"
        return Estimate(one.value, one.low, one.high, one.n, kind, level)
    value, count = float(images.mean()), len(images)
    error = math.sqrt(sum(means.var(ddof=1) / len(means) for means in (*several, images)))
    if error == 0:
        return Estimate(value, math.nan, math.nan, count, "none", level)
    arm = math.hypot(_arm(several, level), _arm([images], level))
    return Estimate(value, value - arm, value + arm, count, "crossed", level, error)


def _arm(samples: list[np.ndarray], level: float) -> float:
    """Half of Student's interval of one sample's mean, or of Welch's of two samples' difference."""
    if all(np.ptp(sample) <= 1e-12 * max(1.0, np.abs(sample).max()) for sample in samples):
        return 0.0
    if len(samples) == 1:
        found = stats.ttest_1samp(samples[0], 0)
    else:
        found = stats.ttest_ind(*samples, equal_var=False)
    low, high = found.confidence_interval(level)
    return float(high - low) / 2


def _complete(*tables: ArrayLike) -> list[np.ndarray]:
    """The tables without the images that lack the region."""
    arrays = [np.asarray(table, dtype=float) for table in tables]
    for array in arrays:
        if array.ndim != 2:
            raise ValueError(f"values: must have shape (seeds, images), got {array.shape}")
    if len({array.shape[1] for array in arrays}) != 1:
        raise ValueError(f"first, second: must have the same images, got {[a.shape[1] for a in arrays]}")
    known = np.concatenate([np.isfinite(array) for array in arrays])
    if (known.any(axis=0) != known.all(axis=0)).any():
        raise ValueError("values: an image must have a value for every seed or for none")
    return [array[:, known.all(axis=0)] for array in arrays]
