"""Depth agreement: depth estimated in a generated image against its depth condition.

Monocular estimators give inverse depth up to an unknown scale and shift. The estimate is therefore first
fitted to the condition's inverse depth by least squares, with one scale and shift per image (Ranftl et al.
2020, "Towards Robust Monocular Depth Estimation"). The scale may not be negative, so that a reversed estimate
is not flipped. The metrics cover the pixels where the condition has a depth: the mean absolute relative
error, and the fraction of pixels with a depth ratio below `DELTA`. A person's distances vary little, so even
a constant scores well on these two; its error is reported for comparison. The rank correlation needs no fit
and is undefined for a constant.

All metrics include the estimator's own error, which can be measured on the condition's original images.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from itertools import zip_longest
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from scipy.stats import rankdata

from ._depth import FARTHEST, estimate_depths, load_depth_model, read_depth
from .statistics import Estimate, estimate_mean

__all__ = [
    "estimate_depths",
    "explain_depths",
    "judge_depths",
    "load_depth_model",
    "read_depth",
    "summarise_depths",
]

DELTA: Final = 1.25
"""Depth ratio below which a pixel counts as correct."""
LEAST_PIXELS: Final = 100
"""Minimum number of pixels with a depth for a comparison."""

_REACH = 2.0  # fitted depths end at so many times the condition's greatest, else one pixel may be at infinity
_FLAT = 1e-5  # relative spread below which an estimate is constant but for float32 rounding
_FEW, _ONE_DEPTH = f"condition with depth at fewer than {LEAST_PIXELS} pixels", "condition of one depth"
_NOT_ASKED = (_FEW, _ONE_DEPTH)
_INVALID, _CONSTANT = "estimate that is not finite", "constant estimate"
_COLUMNS = ["pixels", "coverage", "error", "flat_error", "delta", "rank", "problem"]


def judge_depths(asked: Iterable[ArrayLike], found: Iterable[ArrayLike]) -> pd.DataFrame:
    """Each image's estimated depth against the condition's.

    Args:
        asked: Depth of each condition, shape (height, width), in millimetres. Pixels with 0 have no surface,
            and pixels from `FARTHEST` upwards (including infinity) have no known distance; neither is
            compared.
        found: From :func:`estimate_depths`: inverse depth on the same grid, in the same order.

    Returns:
        One row per image: ``pixels`` compared; ``coverage``, their fraction of the image; ``error``, the mean
        absolute relative error after the fit; ``flat_error``, that of a constant; ``delta``, the fraction of
        pixels with a depth ratio below `DELTA`; ``rank``, Spearman's correlation of nearness, in [-1, 1];
        ``problem``, empty, or why these four are NaN: the condition has fewer than `LEAST_PIXELS` or a
        constant depth, or the estimate is constant or not finite.

    Raises:
        ValueError: The numbers or shapes of the maps do not match, or a depth is negative.
    """
    rows, missing = [], object()
    for number, (condition, estimate) in enumerate(zip_longest(asked, found, fillvalue=missing)):
        if condition is missing or estimate is missing:
            short, long = ("asked", "found") if condition is missing else ("found", "asked")
            raise ValueError(f"asked, found: must be of one length, got {number} {short} and more {long}")
        depth, near = np.asarray(condition, np.float64), np.asarray(estimate, np.float64)
        if depth.ndim != 2 or depth.shape != near.shape:
            raise ValueError(
                f"asked[{number}], found[{number}]: must have one shape (height, width), "
                f"got {depth.shape} and {near.shape}"
            )
        if (depth < 0).any():
            raise ValueError(f"asked[{number}]: must not be negative, got {np.nanmin(depth):g}")
        rows.append(_judge(depth, near))
    return pd.DataFrame(rows, columns=_COLUMNS)


def summarise_depths(judged: pd.DataFrame, *, level: float = 0.95, seed: int = 0) -> dict[str, Estimate]:
    """Means over the compared images; ``depth_found`` is the fraction of images compared among those with a
    depth condition.

    Args:
        judged: From :func:`judge_depths`.
        level: Confidence level of the intervals.
        seed: Seed of the resampling.
    """
    wanted = judged[~judged.problem.isin(_NOT_ASKED)]
    rows = wanted[wanted.problem == ""]
    options: dict[str, Any] = {"level": level, "seed": seed}
    return {
        "error": estimate_mean(rows.error, **options),
        "flat_error": estimate_mean(rows.flat_error, **options),
        "delta": estimate_mean(rows.delta, bounds=(0, 1), **options),
        "rank": estimate_mean(rows["rank"], bounds=(-1, 1), **options),
        "coverage": estimate_mean(rows.coverage, bounds=(0, 1), **options),
        "depth_found": estimate_mean((wanted.problem == "").astype(float), bounds=(0, 1), **options),
    }


def explain_depths(judged: pd.DataFrame) -> str:
    """Count the images that are not compared by reason; empty if all are.

    >>> explain_depths(pd.DataFrame({"problem": ["", "constant estimate", "constant estimate"]}))
    'not compared: 2 × constant estimate'
    """
    counts = Counter(problem for problem in judged.problem if problem)
    return "not compared: " + ", ".join(f"{n} × {text}" for text, n in counts.items()) if counts else ""


def _judge(depth: NDArray[np.float64], near: NDArray[np.float64]) -> dict[str, float | str]:
    shown = (depth > 0) & (depth < FARTHEST)
    depth, near = depth[shown], near[shown]
    row = {"pixels": int(shown.sum()), "coverage": float(shown.mean()) if shown.size else 0.0}
    problem = _problem(depth, near)
    if problem:
        return row | dict.fromkeys(("error", "flat_error", "delta", "rank"), np.nan) | {"problem": problem}
    fitted = _depth_fitted(depth, near)
    ratio = np.maximum(fitted / depth, depth / fitted)
    flat = 1 / np.mean(1 / depth)  # the same fit with nothing to scale
    return row | {
        "error": float(np.mean(np.abs(fitted - depth) / depth)),
        "flat_error": float(np.mean(np.abs(flat - depth) / depth)),
        "delta": float(np.mean(ratio < DELTA)),
        # Rounding may carry a correlation past 1. A depth's rank is its nearness's, reversed.
        "rank": float(np.clip(-np.corrcoef(rankdata(depth), rankdata(near))[0, 1], -1, 1)),
        "problem": "",
    }


def _problem(depth: NDArray[np.float64], near: NDArray[np.float64]) -> str:
    if depth.size < LEAST_PIXELS:
        return _FEW
    if np.ptp(depth) == 0:
        return _ONE_DEPTH
    if not np.isfinite(near).all():
        return _INVALID
    return _CONSTANT if np.ptp(near) <= _FLAT * np.abs(near).max() else ""


def _depth_fitted(depth: NDArray[np.float64], near: NDArray[np.float64]) -> NDArray[np.float64]:
    """Depth of the estimate, whose scale and shift are fitted to the condition's inverse depth."""
    wanted = 1 / depth
    centred = near - near.mean()
    scale = max(0.0, (centred @ (wanted - wanted.mean())) / (centred @ centred))
    return 1 / np.maximum(wanted.mean() + scale * centred, 1 / (_REACH * depth.max()))
