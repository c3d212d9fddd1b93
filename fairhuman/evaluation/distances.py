"""Fréchet and kernel distance between two sets of images, for any features.

With Inception's features these are FID and KID; with the features of
:class:`fairhuman.evaluation.reader.AttributeReader` they are that reader's *feature distances*, which are not
comparable with published values. The Fréchet distance is biased upwards for small samples and singular if
there are no more images than features; it is refused in that case, and only comparable at equal numbers of
images. The kernel distance is unbiased at any size and is used for small samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from .statistics import Estimate

_Resample = tuple[NDArray[np.floating], NDArray[np.intp]]

__all__ = ["frechet_distance", "kernel_distance", "kernel_distance_difference", "mean_kernel_distance"]

_RESAMPLES = 999
_TILE = 4096  # images whose kernel is computed at a time
_BEYOND = 5  # resamples that must lie beyond each end of an interval
_LEAST = 10  # images of either set; below, a resample says more about the few than about the rest


def frechet_distance(
    reference: ArrayLike, generated: ArrayLike, *, level: float = 0.95, resamples: int = 100, seed: int = 0
) -> Estimate:
    """Squared Fréchet distance between the normal distributions fitted to two sets of features.

    |μ₁ − μ₂|² + tr(Σ₁ + Σ₂ − 2 (Σ₁ Σ₂)^½), as Heusel et al. (2017) define FID. The interval, ``"normal"``, is
    the value plus and minus a multiple of its bootstrap standard deviation. It refers to the distance at
    these numbers of images, including the bias.

    Args:
        reference, generated: Features, shapes (n, d) and (m, d).
        level: Confidence level in (0, 1).
        resamples: Number of bootstrap resamples.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: Shapes do not match, values are not finite, or there are no more images than features.
    """
    first, second = _features(reference, generated)
    least = first.shape[1] + 1
    if min(len(first), len(second)) < least:
        raise ValueError(
            f"reference, generated: a Fréchet distance of {first.shape[1]} features needs at least {least} "
            f"images a set, got {len(first)} and {len(second)}; take the kernel distance"
        )
    rng = np.random.default_rng(seed)
    drawn = [
        _frechet(
            (first, rng.integers(len(first), size=len(first))),
            (second, rng.integers(len(second), size=len(second))),
        )
        for _ in range(resamples)
    ]
    value = _frechet((first, np.arange(len(first))), (second, np.arange(len(second))))
    arm = float(stats.norm.ppf((1 + level) / 2) * np.std(drawn, ddof=1))
    return Estimate(value, value - arm, value + arm, len(second), "normal", level)


def kernel_distance(
    reference: ArrayLike,
    generated: ArrayLike,
    *,
    level: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
) -> Estimate:
    """Squared maximum mean discrepancy with the cubic kernel of KID (Bińkowski et al., 2018), unbiased.

    k(x, y) = (xᵀy / d + 1)³. The estimate can be negative for similar sets. In resamples, repeated images are
    not compared with themselves, which would introduce a bias; the interval uses percentiles.

    Args:
        reference, generated: Features, shapes (n, d) and (m, d).
        level: Confidence level in (0, 1).
        resamples: Number of bootstrap resamples. Default: 999, or more where the level is too high for so
            few.
        seed: Seed of the bootstrap.

    Raises:
        ValueError: Shapes do not match, values are not finite, or a set has fewer than 10 images.
    """
    first, second = _features(reference, generated)
    drawn = _Drawn(len(first), len(second), resamples, level, seed)
    value = _discrepancies(first, second, drawn.once)[0]
    return _percentiles(value, _discrepancies(first, second, drawn.weights), len(second), level)


def kernel_distance_difference(
    reference: ArrayLike,
    first: ArrayLike,
    second: ArrayLike,
    *,
    level: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
) -> Estimate:
    """Kernel distance of ``second`` minus that of ``first``, for systems with the same prompts and seeds.

    Prompts are resampled jointly for both systems, and the reference separately.

    Args:
        reference: Features, shape (n, d).
        first, second: Features of each system's images in the same order, shape (m, d).
        level, resamples, seed: As for :func:`kernel_distance`.

    Raises:
        ValueError: Systems with different numbers of images, or what :func:`kernel_distance` refuses.
    """
    if len(np.asarray(first)) != len(np.asarray(second)):
        raise ValueError(
            "first, second: must hold the same prompts, got "
            f"{len(np.asarray(first))} and {len(np.asarray(second))} images"
        )
    base, one = _features(reference, first)
    base, other = _features(reference, second)
    drawn = _Drawn(len(base), len(one), resamples, level, seed)
    value, resampled = (
        _discrepancies(base, other, weights) - _discrepancies(base, one, weights)
        for weights in (drawn.once, drawn.weights)
    )
    return _percentiles(value[0], resampled, len(one), level)


def mean_kernel_distance(
    reference: ArrayLike,
    sets: Sequence[ArrayLike],
    others: Sequence[ArrayLike] = (),
    *,
    level: float = 0.95,
    resamples: int | None = None,
    seed: int = 0,
) -> Estimate:
    """Mean kernel distance of several sets with the same prompts, such as one system at several strengths.

    Prompts are resampled jointly for all sets, and the reference separately.

    Args:
        reference: Features, shape (n, d).
        sets: Features of each set's images in the same order, shape (m, d).
        others: Another system's sets, the mean of which is subtracted. Default: none.
        level, resamples, seed: As for :func:`kernel_distance`.

    Raises:
        ValueError: No set, sets with different numbers of images, or what :func:`kernel_distance` refuses.
    """
    counts = [len(np.asarray(one)) for one in (*sets, *others)]
    if not len(sets) or len(set(counts)) != 1:
        raise ValueError(f"sets: must hold the same prompts, at least one set, got {counts} images")
    base = _features(reference, sets[0])[0]
    drawn = _Drawn(len(base), counts[0], resamples, level, seed)

    def mean(which: Sequence[ArrayLike], weights: tuple[NDArray[Any], ...]) -> NDArray[np.float64]:
        found = [_discrepancies(base, _features(base, one)[1], weights) for one in which]
        return np.mean(found, axis=0) if found else np.zeros(len(weights[0]))

    value, resampled = (
        mean(sets, weights) - mean(others, weights) for weights in (drawn.once, drawn.weights)
    )
    return _percentiles(value[0], resampled, counts[0], level)


class _Drawn:
    """Count of each image in each resample: (resamples, n) and (resamples, m)."""

    def __init__(self, n: int, m: int, resamples: int | None, level: float, seed: int) -> None:
        if min(n, m) < _LEAST:
            raise ValueError(
                f"reference, generated: a kernel distance needs at least {_LEAST} images a set, "
                f"got {n} and {m}"
            )
        if resamples is None:  # the extremes of too few would pass for the ends of a wider interval
            resamples = max(_RESAMPLES, math.ceil(2 * _BEYOND / (1 - level)))
        rng = np.random.default_rng(seed)
        self.once = (np.ones((1, n)), np.ones((1, m)))
        self.weights = tuple(_resampled(size, resamples, rng) for size in (n, m))


def _resampled(size: int, resamples: int, rng: np.random.Generator) -> NDArray[np.uint16]:
    """In small numbers, some at a time: 999 resamples of 50 000 images would take 400 MB."""
    shares, parts = np.full(size, 1 / size), range(0, resamples, 100)
    return np.concatenate(
        [rng.multinomial(size, shares, min(100, resamples - part)).astype(np.uint16) for part in parts]
    )


def _discrepancies(
    first: NDArray[np.floating], second: NDArray[np.floating], weights: tuple[NDArray[Any], ...]
) -> NDArray[np.float64]:
    """One unbiased estimate a row of the weights. Kernels are computed tile by tile: the whole of 50 000
    images would take 20 GB."""
    once, twice = (np.zeros(len(part)) for part in weights)
    for rows in _slices(len(first)):
        for columns in _slices(len(second)):
            once += _weighed(
                _kernel(first[rows], second[columns]), weights[0][:, rows], weights[1][:, columns]
            )
    mixed = once / (_total(weights[0]) * _total(weights[1]))
    return _within(first, weights[0]) + _within(second, weights[1]) - 2 * mixed


def _within(features: NDArray[np.floating], weights: NDArray[Any]) -> NDArray[np.float64]:
    found, tiles = np.zeros(len(weights)), _slices(len(features))
    for place, rows in enumerate(tiles):
        for columns in tiles[: place + 1]:  # the others are the same
            kernel = _kernel(features[rows], features[columns])
            if rows == columns:
                np.fill_diagonal(kernel, 0)
            found += (1 + (rows != columns)) * _weighed(kernel, weights[:, rows], weights[:, columns])
    pairs = _total(weights) ** 2 - np.array([(row.astype(float) ** 2).sum() for row in weights])
    return found / pairs


def _weighed(kernel: NDArray[np.float64], rows: NDArray[Any], columns: NDArray[Any]) -> NDArray[np.float64]:
    return ((rows.astype(float) @ kernel) * columns).sum(1)


def _total(weights: NDArray[Any]) -> NDArray[np.float64]:
    return weights.sum(1, dtype=float)


def _kernel(first: NDArray[np.floating], second: NDArray[np.floating]) -> NDArray[np.float64]:
    first, second = first.astype(float), second.astype(float)
    kernel = first @ second.T
    kernel /= first.shape[1]
    kernel += 1
    return kernel**3


def _slices(count: int) -> list[slice]:
    return [slice(start, min(start + _TILE, count)) for start in range(0, count, _TILE)]


def _frechet(first: _Resample, second: _Resample) -> float:
    (mean, a), (other, b) = _moments(*first), _moments(*second)
    shift = mean - other
    # tr (ab)^½ by the eigenvalues of the product, which are real and not negative.
    roots = np.sqrt(np.linalg.eigvals(a @ b).real.clip(min=0)).sum()
    return float(shift @ shift + np.trace(a) + np.trace(b) - 2 * roots)


def _moments(
    features: NDArray[np.floating], places: NDArray[np.intp]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Mean and covariance of the features at these places, without a copy of them all."""
    tiles = [places[part] for part in _slices(len(places))]
    if len(tiles) == 1:
        chosen = features[places].astype(float)
        return chosen.mean(0), np.cov(chosen, rowvar=False)
    mean = sum(features[tile].sum(0, dtype=float) for tile in tiles) / len(places)
    scatter = np.zeros((len(mean), len(mean)))
    for tile in tiles:
        centred = features[tile].astype(float) - mean
        scatter += centred.T @ centred
    return mean, scatter / (len(places) - 1)


def _percentiles(value: float, drawn: NDArray[np.float64], n: int, level: float) -> Estimate:
    low, high = np.quantile(drawn, [(1 - level) / 2, (1 + level) / 2])
    return Estimate(float(value), float(low), float(high), n, "percentile", level)


def _features(reference: ArrayLike, generated: ArrayLike) -> tuple[NDArray[np.floating], ...]:
    pair = tuple(np.asarray(features) for features in (reference, generated))
    pair = tuple(one if one.dtype == np.float32 else one.astype(np.float64) for one in pair)
    if any(features.ndim != 2 for features in pair) or pair[0].shape[1] != pair[1].shape[1]:
        raise ValueError(
            "reference, generated: must have shapes (n, d) and (m, d), "
            f"got {pair[0].shape} and {pair[1].shape}"
        )
    for features in pair:
        if not math.isfinite(features.sum(dtype=float)):
            raise ValueError("reference, generated: must be finite")
    return pair
