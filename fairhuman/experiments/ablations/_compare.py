"""Comparison of stored results: differences between settings, over images and seeds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from fairhuman.evaluation.crossed import crossed_bootstrap, crossed_difference, crossed_mean
from fairhuman.evaluation.statistics import (
    Estimate,
    estimate_mean,
    estimate_ratio,
    paired_difference,
    paired_ratio_difference,
)
from fairhuman.experiments.ablations._images import images_name
from fairhuman.experiments.ablations._named import SETTINGS, Setting, Table
from fairhuman.experiments.ablations._runner import DIVERGED, code_of, result_name
from fairhuman.experiments.plan import Plan, load_plan
from fairhuman.results import read_result

__all__ = ["compare_pair", "compare_table"]

Row = dict[str, Any]
Seen = dict[tuple[str, str], np.ndarray]

_MEASURED = ("heldout_images", "draws")
_SHARED = ("resolution", "batch_size", "learning_rate", "flip", "precision")
_BOUNDS = (0.0, 1.0)
_COMPARED = ("face", "hand")  # detectors whose finds are compared; the others' are shown


def compare_table(profile: str, table: Table, seeds: Sequence[int], *, level: float = 0.95) -> dict[str, Any]:
    """Losses and paired differences of a table's stored settings.

    Levels and margins of differences are the plan's (:mod:`fairhuman.experiments.plan`), whatever the table.

    Args:
        profile: Profile of the results.
        table: Settings not stored for all seeds are excluded and listed in ``missing``, those with a diverged
            run in ``diverged``.
        seeds: The runs of each setting.
        level: Confidence level of each setting's loss and detection rate.

    Returns:
        For figures and tables: ``table``, ``title``, ``settings`` (those there are), ``labels``,
        ``missing``, ``diverged``, ``seeds``, ``level``, ``plan`` (what the differences were judged by),
        ``code`` (versions of the code that made the runs); ``losses`` as rows with ``setting``, ``region``,
        ``value``, ``low``, ``high``, ``n``, ``interval``; ``differences`` as rows of :func:`compare_pair`;
        ``training`` as rows with steps and median weights
        (no times: runs that share a machine are no timing, see ``benchmarks/step_cost.py``); ``detection`` as
        rows of each detector and metric in the images sampled, and the kernel ``distance`` to the held-out
        renders of the first seed's; ``detection_differences`` as rows like ``differences``.

    Raises:
        ValueError: Settings were computed with unequal budgets; the message names them.
    """
    plan = load_plan()
    read = {name: _read(profile, name, seeds) for name in table.settings}
    stored = {name: results for name, results in read.items() if results is not None}
    diverged = [name for name, results in stored.items() if any(DIVERGED in one["values"] for one in results)]
    stored = {name: results for name, results in stored.items() if name not in diverged}
    _check_budget(table, stored)
    found = {name: [one["values"] for one in results] for name, results in stored.items()}
    losses = {name: _losses(results) for name, results in found.items()}
    seen = {name: images for name in found if (images := _seen(profile, SETTINGS[name], seeds))}
    regions = list(dict.fromkeys(region for by_region in losses.values() for region in by_region))
    pairs = [(a, b) for a in table.against for b in found if a in found and a != b and not _said(table, a, b)]
    return {
        "table": table.name,
        "title": table.title,
        "settings": list(found),
        "labels": {name: SETTINGS[name].label for name in found},
        "missing": [name for name, results in read.items() if results is None],
        "diverged": diverged,
        "seeds": list(seeds),
        "level": level,
        "plan": {"seeds": plan.seeds, "comparisons": plan.size, "exploratory": plan.exploratory},
        "code": sorted({code_of(one) for results in stored.values() for one in results}),
        "losses": [
            {"setting": name, "region": region} | crossed_mean(by_region[region], level=level).stored()
            for name, by_region in losses.items()
            for region in regions
        ],
        "differences": [row for pair in pairs for row in _loss_rows(losses, pair, regions, plan)],
        "training": [_training(name, results) for name, results in found.items() if SETTINGS[name].trained],
        "detection": _detection(profile, seen, level),
        "detection_differences": [
            row for pair in pairs if set(pair) <= set(seen) for row in _seen_rows(seen, pair, plan)
        ],
    }


def compare_pair(profile: str, reference: str, setting: str, seeds: Sequence[int]) -> list[Row]:
    """All stored differences between two settings, setting − reference.

    Args:
        profile: Profile of the results.
        reference, setting: Names.
        seeds: The runs of each setting.

    Returns:
        Rows with ``reference``, ``setting``, ``measure``, ``region``, ``value``, ``low``, ``high``, ``n``,
        ``interval``, ``level``, ``family``, ``margin``, ``supported``, ``equal``, ``least_detectable``,
        ``seeds`` (runs of each); of losses also ``share``, the change over the reference's. No rows if one is
        missing or diverged.

    Raises:
        ValueError: Settings made with unequal budgets; names them.
    """
    read = {}
    for name in (reference, setting):
        results = _read(profile, name, seeds)
        if results is None or any(DIVERGED in one["values"] for one in results):
            return []
        read[name] = results
    _check_budget(Table("pair", "", (reference, setting), (reference,)), read)
    losses = {name: _losses([one["values"] for one in results]) for name, results in read.items()}
    plan, pair = load_plan(), (reference, setting)
    rows = _loss_rows(losses, pair, list(losses[reference]), plan)
    seen = {name: _seen(profile, SETTINGS[name], seeds) for name in pair}
    return rows + (_seen_rows(seen, pair, plan) if all(seen.values()) else [])


def _loss_rows(
    losses: Mapping[str, Mapping[str, np.ndarray]], pair: tuple[str, str], regions: Sequence[str], plan: Plan
) -> list[Row]:
    rows = []
    for region in regions:
        first, second = (losses[name][region] for name in pair)
        estimate = crossed_difference(first, second, level=plan.level(*pair, "loss", region))
        usual, count = float(np.nanmean(first)), _runs(first, second, pair)
        row = _row(pair, "loss", region, estimate, count, plan, usual)
        rows.append(row | {"share": estimate.value / usual})
    return rows


def _seen_rows(seen: Mapping[str, Seen], pair: tuple[str, str], plan: Plan) -> list[Row]:
    """Differences of what detectors find; of several seeds as of losses, of one over its captions alone.

    Seeds of which only one of the two has images are left out: a lone run has no variance of its own.
    """
    rows = []
    for measure, region in seen[pair[0]]:
        first, second = (seen[name].get((measure, region)) for name in pair)
        if first is None or second is None or region not in _COMPARED:
            continue
        if first.shape[1] != second.shape[1]:
            continue
        runs = _runs(first, second, pair)
        level = plan.level(*pair, measure, region)
        estimate = _seen_difference(measure, first[:runs], second[:runs], level)
        rows.append(_row(pair, measure, region, estimate, runs, plan))
    return rows


def _seen_difference(measure: str, first: np.ndarray, second: np.ndarray, level: float) -> Estimate:
    if measure == "confidence":  # the mean over what was found: a ratio
        parts = [(table, (table > 0).astype(float)) for table in (first, second)]
        if max(len(first), len(second)) == 1:
            return paired_ratio_difference(*[tuple(map(np.squeeze, one)) for one in parts], level=level)
        return crossed_bootstrap(_ratio, *parts, level=level)
    if max(len(first), len(second)) == 1:
        return paired_difference(first[0], second[0], bounds=_BOUNDS, level=level)
    return crossed_difference(first, second, level=level)


def _linear(scores: np.ndarray) -> np.ndarray:
    """Each image's part in the mean score of what was found: their mean is it, their spread its own to first
    order, so that a mean over detections can be taken over seeds and images both."""
    found = scores > 0
    mean = scores.sum() / found.sum()
    return mean + (scores - mean * found) / found.mean()


def _ratio(totals: np.ndarray, counts: np.ndarray) -> np.ndarray:
    with np.errstate(invalid="ignore"):
        return totals.sum(axis=-1) / counts.sum(axis=-1)


def _row(
    pair: tuple[str, str],
    measure: str,
    region: str,
    estimate: Estimate,
    seeds: int,
    plan: Plan,
    scale: float = 1.0,
) -> Row:
    primary = plan.is_primary(*pair, measure, region)
    row = {"reference": pair[0], "setting": pair[1], "measure": measure, "region": region, "seeds": seeds}
    judged = plan.judged(estimate, measure=measure, primary=primary, scale=scale)
    return row | estimate.stored() | judged


def _runs(first: np.ndarray, second: np.ndarray, pair: tuple[str, str]) -> int:
    """Runs of each setting; the base has none, and counts for as many as the other."""
    return min(
        len(table) for table, name in zip((first, second), pair, strict=True) if SETTINGS[name].trained
    )


def _read(profile: str, name: str, seeds: Sequence[int]) -> list[Mapping[str, Any]] | None:
    setting = SETTINGS[name]
    try:
        names = [result_name(setting, seed) for seed in (seeds if setting.trained else (0,))]
        return [read_result(profile, one) for one in names]
    except FileNotFoundError:
        return None


def _check_budget(table: Table, stored: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """Exclude results of earlier sessions with other values, which are not comparable."""
    first: dict[str, tuple[str, Any]] = {}
    for name, results in stored.items():
        for result in results:
            for key, value in _budget(SETTINGS[name], result).items():
                other, usual = first.setdefault(key, (name, value))
                if value != usual:
                    raise ValueError(
                        f"table {table.name}: settings must have equal {key}, got {value} of {name} and "
                        f"{usual} of {other}; compute again what `ablate --state` calls outdated"
                    )


def _budget(setting: Setting, result: Mapping[str, Any]) -> dict[str, Any]:
    """What a result has in common with all others of its table, as far as it says."""
    parameters, trained = result["parameters"], result["parameters"].get("settings", {})
    budget = {name: parameters[name] for name in _MEASURED if name in parameters}
    budget |= {name: trained[name] for name in _SHARED if name in trained and name not in setting.changes}
    if setting.trained:
        budget["steps"] = round(result["values"]["steps"] / setting.longer)
    return budget


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
        "skipped": int(sum(one["skipped"] for one in results)),
        "median_weights": {
            objective: float(np.median([one["median_weights"][objective] for one in results]))
            for objective in objectives
        },
    }


def _detection(profile: str, seen: Mapping[str, Seen], level: float) -> list[Row]:
    """What detectors find in each setting's images; n counts captions that ask for it."""
    rows = []
    for name, by_measure in seen.items():
        for (measure, region), table in by_measure.items():
            row = {"setting": name, "detector": region, "metric": measure, "seeds": len(table)}
            if measure == "confidence" and (len(table) == 1 or not table.any()):
                rows.append(row | estimate_ratio(table[0], table[0] > 0, level=level).stored())
            elif len(table) > 1:
                parts = _linear(table) if measure == "confidence" else table
                rows.append(row | crossed_mean(parts, level=level).stored())
            else:
                rows.append(row | estimate_mean(table[0], bounds=_BOUNDS, level=level).stored())
        distance = read_result(profile, images_name(SETTINGS[name]))["values"]["distance"]
        rows.append({"setting": name, "detector": "distance", "metric": "distance"} | distance)
    return rows


def _seen(profile: str, setting: Setting, seeds: Sequence[int]) -> Seen:
    """Measure and detector → shape (seeds, captions that ask for it), of the first seeds that have images."""
    read = []
    for seed in seeds if setting.trained else seeds[:1]:
        try:
            read.append(read_result(profile, images_name(setting, seed))["values"])
        except FileNotFoundError:
            break
    if not read:
        return {}
    seen: Seen = {}
    for region in read[0]["detection"]:
        best = _asked([one["detection"][region] for one in read])
        seen["rate", region] = (best > 0).astype(float)
        seen["confidence", region] = seen["confidence_with_misses", region] = best
    for region in read[0].get("crops", {}):
        seen["crops", region] = _asked([one["crops"][region] for one in read])
    return seen


def _asked(values: Sequence[Sequence[float | None]]) -> np.ndarray:
    """Exclude captions that do not ask for the region."""
    table = np.array(values, dtype=float)
    return table[:, np.isfinite(table).all(axis=0)]
