"""What the stored results say: differences between settings, over images and seeds both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import numpy as np

from fairhuman.evaluation.statistics import corrected_level, estimate_mean, paired_difference
from fairhuman.experiments.ablations._images import images_name
from fairhuman.experiments.ablations._intervals import crossed_mean, seed_variance
from fairhuman.experiments.ablations._named import SETTINGS, Setting, Table
from fairhuman.experiments.ablations._runner import DIVERGED, result_name
from fairhuman.results import read_result

__all__ = ["compare_table"]

_MEASURED = ("heldout_images", "draws")
_SHARED = ("resolution", "batch_size", "learning_rate", "flip", "precision")


def compare_table(profile: str, table: Table, seeds: Sequence[int], *, level: float = 0.95) -> dict[str, Any]:
    """Losses and paired differences of a table's settings, as far as they are stored.

    Args:
        profile: Whose results.
        table: Settings that are not stored for all seeds are left out and named in ``missing``, those with a
            run that diverged in ``diverged``.
        seeds: The runs of each setting.
        level: Confidence level of each loss, and of all differences of the table taken together (Bonferroni);
            changes of detection rates are a family of their own. The variance between seeds is pooled over
            the table's settings.

    Returns:
        For figures and tables: ``table``, ``title``, ``settings`` (those there are), ``labels``,
        ``missing``, ``diverged``, ``seeds``, ``level``, ``comparisons``; ``losses`` as rows with
        ``setting``, ``region``, ``value``, ``low``, ``high``, ``n``, ``interval``; ``differences`` as rows
        with ``reference`` besides, ``share`` (of the reference's loss) and ``supported``; ``training`` as
        rows with seconds and median weights; ``detection`` as rows of the images of seed 0: each detector's
        rate where something is asked for, with the paired difference from the table's first reference that
        has images (``change``, ``change_low``, ``change_high``, ``change_supported``), and the kernel
        ``distance`` to the held-out renders.

    Raises:
        ValueError: Settings made with unequal budgets; names them.
    """
    read = {name: _read(profile, name, seeds) for name in table.settings}
    stored = {name: results for name, results in read.items() if results is not None}
    diverged = [name for name, results in stored.items() if any(DIVERGED in one["values"] for one in results)]
    stored = {name: results for name, results in stored.items() if name not in diverged}
    _check_budget(table, stored)
    found = {name: [one["values"] for one in results] for name, results in stored.items()}
    losses = {name: _losses(results) for name, results in found.items()}
    regions = list(dict.fromkeys(region for by_region in losses.values() for region in by_region))
    pairs = [(a, b) for a in table.against for b in found if a in found and a != b and not _said(table, a, b)]
    comparisons = len(pairs) * len(regions)
    corrected = corrected_level(level, comparisons)
    rows = [
        {"setting": name, "region": region} | crossed_mean(by_region[region], level=level).stored()
        for name, by_region in losses.items()
        for region in regions
    ]
    differences = []
    for reference, name in pairs:
        for region in regions:
            between = seed_variance(losses, region, (reference, name))
            change = losses[name][region] - losses[reference][region]
            estimate = crossed_mean(change, level=corrected, seed_variance=between)
            share = estimate.value / float(np.nanmean(losses[reference][region]))
            row = {"reference": reference, "setting": name, "region": region, "share": share}
            differences.append(row | estimate.stored() | {"supported": estimate.excludes(0)})
    return {
        "table": table.name,
        "title": table.title,
        "settings": list(found),
        "labels": {name: SETTINGS[name].label for name in found},
        "missing": [name for name, results in read.items() if results is None],
        "diverged": diverged,
        "seeds": list(seeds),
        "level": level,
        "comparisons": comparisons,
        "losses": rows,
        "differences": differences,
        "training": [_training(name, results) for name, results in found.items() if SETTINGS[name].trained],
        "detection": _detection(profile, table, found, level),
    }


def _read(profile: str, name: str, seeds: Sequence[int]) -> list[Mapping[str, Any]] | None:
    setting = SETTINGS[name]
    try:
        names = [result_name(setting, seed) for seed in (seeds if setting.trained else (0,))]
        return [read_result(profile, one) for one in names]
    except FileNotFoundError:
        return None


def _check_budget(table: Table, stored: Mapping[str, Sequence[Mapping[str, Any]]]) -> None:
    """A sitting with other values may have left results behind, which compare with nothing."""
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
        "seconds": float(np.mean([one["seconds"] for one in results])),
        "seconds_a_step": float(np.median([one["seconds_a_step"] for one in results])),
        "skipped": int(sum(one["skipped"] for one in results)),
        "median_weights": {
            objective: float(np.median([one["median_weights"][objective] for one in results]))
            for objective in objectives
        },
    }


def _detection(profile: str, table: Table, found: Mapping[str, Any], level: float) -> list[dict[str, Any]]:
    scores, distances = {}, {}
    for name in found:
        with suppress(FileNotFoundError):
            seen = read_result(profile, images_name(SETTINGS[name]))["values"]
            scores[name], distances[name] = seen["detection"], seen["distance"]
    reference = next((name for name in table.against if name in scores), None)
    changes = sum(len(by_detector) for name, by_detector in scores.items() if name != reference)
    corrected = corrected_level(level, changes)
    rows = []
    for name, by_detector in scores.items():
        for detector, best in by_detector.items():
            rate = estimate_mean(_hits(best), bounds=(0, 1), level=level)
            row = {"setting": name, "detector": detector, "reference": reference} | rate.stored()
            if reference not in (None, name) and len(best) == len(scores[reference][detector]):
                pair = _hits(scores[reference][detector]), _hits(best)
                change = paired_difference(*pair, bounds=(0, 1), level=corrected)
                row |= {"change": change.value, "change_low": change.low, "change_high": change.high}
                row["change_supported"] = change.excludes(0)
            rows.append(row)
        rows.append({"setting": name, "detector": "distance", "reference": None} | distances[name])
    return rows


def _hits(best: Sequence[float | None]) -> np.ndarray:
    """Whether something was found, in the images that ask for it."""
    scores = np.array(best, dtype=float)
    return scores[np.isfinite(scores)] > 0
