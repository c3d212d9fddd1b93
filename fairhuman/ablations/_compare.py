"""What the stored results say: differences between settings, over images and seeds both."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from fairhuman.ablations._named import SETTINGS, Table
from fairhuman.ablations._runner import result_name
from fairhuman.evaluation.statistics import Estimate, estimate_mean, paired_difference
from fairhuman.results import read_result

__all__ = ["compare_table", "crossed_mean"]


def crossed_mean(values: ArrayLike, *, level: float = 0.95) -> Estimate:
    """Mean over seeds and images, with an interval for other seeds *and* other images.

    Effects of seed and image are taken as random, additive and independent. The variance of the mean is then
    at most A + B, A being that of the seeds' means divided by the number of seeds, B the same of the images;
    the interval is Student's with Satterthwaite's degrees of freedom,
    (A + B)² / (A² / (S − 1) + B² / (I − 1)). It is somewhat too wide rather than too narrow, and wide indeed
    for two or three seeds, of which it asks how different they might have been.

    Args:
        values: Shape (seeds, images); NaN where an image lacks the region, for all seeds alike.
        level: Confidence level in (0, 1).

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
        raise ValueError(f"values: must have shape (seeds, images), found {table.shape}")
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
    a = table.mean(axis=1).var(ddof=1) / seeds
    b = table.mean(axis=0).var(ddof=1) / images
    if a + b == 0:
        return Estimate(value, math.nan, math.nan, images, "none", level)
    freedom = (a + b) ** 2 / (a**2 / (seeds - 1) + b**2 / (images - 1))
    arm = float(stats.t.ppf((1 + level) / 2, freedom) * math.sqrt(a + b))
    return Estimate(value, value - arm, value + arm, images, "crossed", level)


def compare_table(profile: str, table: Table, seeds: Sequence[int], *, level: float = 0.95) -> dict[str, Any]:
    """Losses and paired differences of a table's settings, as far as they are stored.

    Args:
        profile: Whose results.
        table: Settings that are not stored for all seeds are left out and named in ``missing``.
        seeds: The runs of each setting.
        level: Confidence level of each loss, and of all differences of the table taken together (Bonferroni).

    Returns:
        For figures and tables: ``table``, ``title``, ``settings`` (those there are), ``labels``, ``missing``,
        ``seeds``, ``level``, ``comparisons``; ``losses`` as rows with ``setting``, ``region``, ``value``,
        ``low``, ``high``, ``n``, ``interval``; ``differences`` as rows with ``reference`` besides, ``share``
        (of the reference's loss) and ``supported``; ``training`` as rows with seconds and median weights;
        ``detection`` as rows of seed 0, with the paired difference from the table's first reference.
    """
    stored = {name: _read(profile, name, seeds) for name in table.settings}
    found = {name: results for name, results in stored.items() if results is not None}
    losses = {name: _losses(results) for name, results in found.items()}
    regions = list(dict.fromkeys(region for own in losses.values() for region in own))
    pairs = [(a, b) for a in table.against for b in found if a in found and a != b and not _said(table, a, b)]
    comparisons = len(pairs) * len(regions)
    corrected = 1 - (1 - level) / max(1, comparisons)
    rows = [
        {"setting": name, "region": region} | crossed_mean(own[region], level=level).stored()
        for name, own in losses.items()
        for region in regions
    ]
    differences = []
    for reference, name in pairs:
        for region in regions:
            estimate = crossed_mean(losses[name][region] - losses[reference][region], level=corrected)
            share = estimate.value / float(np.nanmean(losses[reference][region]))
            row = {"reference": reference, "setting": name, "region": region, "share": share}
            differences.append(row | estimate.stored() | {"supported": estimate.excludes(0)})
    return {
        "table": table.name,
        "title": table.title,
        "settings": list(found),
        "labels": {name: SETTINGS[name].label for name in found},
        "missing": [name for name, results in stored.items() if results is None],
        "seeds": list(seeds),
        "level": level,
        "comparisons": comparisons,
        "losses": rows,
        "differences": differences,
        "training": [_training(name, results) for name, results in found.items() if SETTINGS[name].trained],
        "detection": _detection(table, found, level),
    }


def _read(profile: str, name: str, seeds: Sequence[int]) -> list[Mapping[str, Any]] | None:
    setting = SETTINGS[name]
    try:
        names = [result_name(setting, seed) for seed in (seeds if setting.trained else (0,))]
        return [read_result(profile, one)["figures"] for one in names]
    except FileNotFoundError:
        return None


def _losses(results: Sequence[Mapping[str, Any]]) -> dict[str, np.ndarray]:
    """Region → shape (seeds, images); the base, which has no seeds, has one row for all."""
    return {
        region: np.array([one["losses"][region] for one in results], dtype=float)
        for region in results[0]["losses"]
    }


def _said(table: Table, reference: str, name: str) -> bool:
    """Whether the same two are compared the other way round already."""
    order = table.against
    return name in order and order.index(name) < order.index(reference)


def _training(name: str, results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    objectives = results[0]["median_weights"]
    return {
        "setting": name,
        "steps": results[0]["steps"],
        "seconds": float(np.mean([one["seconds"] for one in results])),
        "seconds_a_step": float(np.median([one["seconds_a_step"] for one in results])),
        "skipped": int(sum(one["skipped"] for one in results)),
        "median_weights": {
            objective: float(np.median([one["median_weights"][objective] for one in results]))
            for objective in objectives
        },
    }


def _detection(table: Table, found: Mapping[str, Any], level: float) -> list[dict[str, Any]]:
    scores = {name: results[0]["detection"] for name, results in found.items() if "detection" in results[0]}
    reference = next((name for name in table.against if name in scores), None)
    rows = []
    for name, own in scores.items():
        for detector, best in own.items():
            rate = estimate_mean(np.array(best) > 0, bounds=(0, 1), level=level)
            row = {"setting": name, "detector": detector, "reference": reference} | rate.stored()
            if name != reference:
                other = np.array(scores[reference][detector]) > 0
                change = paired_difference(other, np.array(best) > 0, bounds=(0, 1), level=level)
                row |= {"change": change.value, "change_low": change.low, "change_high": change.high}
            rows.append(row)
    return rows
