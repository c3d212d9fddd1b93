"""Comparison of systems: estimates, and paired differences with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import pandas as pd

from fairhuman.detectors import Detection

from .detection_rates import METRICS, compare_detection, evaluate_detection
from .statistics import corrected_level, estimate_mean, paired_difference

_COMPARED = ("face", "hand")


def compare_systems(
    detections: Mapping[str, Sequence[Detection]],
    truth: pd.DataFrame | None = None,
    *,
    ceiling: str | None = None,
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Any]:
    """Detection results of each system, and supported differences between systems.

    Args:
        detections: System → detections in its images; all systems used the same prompts and seeds.
        truth: Expected content of the images; see :func:`fairhuman.evaluation.truth.expected_regions`.
        ceiling: A system that is reported but not compared, such as real images of the same scenes.
        level: Confidence level of each estimate, and joint level of all differences
            (:func:`~fairhuman.evaluation.statistics.corrected_level`).
        seed: Seed of the resampling.

    Returns:
        For :func:`fairhuman.results.write_result` and the figures: ``systems``, ``detection`` (rows of
        :func:`evaluate_detection` with ``system``), ``differences`` (rows of :func:`compare_detection` with
        ``reference`` and ``system``, for the full-range face detector and the hand detector), ``level``,
        ``comparisons`` (m), ``prompts``.

    Raises:
        ValueError: Systems have different numbers of images, there are none, or the ceiling is unknown.
    """
    counts = {system: len(found) for system, found in detections.items()}
    if not counts or len(set(counts.values())) != 1 or 0 in counts.values():
        raise ValueError(f"detections: every system needs the same images, at least one; got {counts}")
    if ceiling is not None and ceiling not in detections:
        raise ValueError(f"ceiling: must be one of {list(detections)}, got {ceiling!r}")
    tables = [
        evaluate_detection(found, truth, by_area=truth is not None, level=level, seed=seed).assign(
            system=system
        )
        for system, found in detections.items()
    ]
    pairs = list(combinations([system for system in detections if system != ceiling], 2))
    comparisons = len(pairs) * len(_COMPARED) * len(METRICS)
    corrected = corrected_level(level, comparisons)
    differences = [
        compare_detection(detections[a], detections[b], truth, level=corrected, seed=seed).assign(
            reference=a, system=b
        )
        for a, b in pairs
    ]
    return {
        "systems": list(detections),
        "detection": pd.concat(tables).to_dict("records"),
        "differences": [
            row for table in differences for row in table.to_dict("records") if row["detector"] in _COMPARED
        ],
        "level": level,
        "comparisons": comparisons,
        "prompts": next(iter(counts.values())),
    }


def compare_losses(
    losses: Mapping[str, pd.DataFrame], *, level: float = 0.95, seed: int = 0
) -> dict[str, Any]:
    """Held-out loss of each region and system, and paired differences between systems.

    Args:
        losses: System → table with the columns ``image``, ``region`` and ``loss``, one row per image that has
            the region; all systems used the same images, noise and timesteps.
        level: Confidence level, joint for differences as in :func:`compare_systems`.
        seed: Seed of the resampling.

    Returns:
        ``losses`` and ``loss_differences`` as rows with ``system`` (and ``reference``), ``region``,
        ``value``, ``low``, ``high``, ``n``, ``interval``, ``level``; differences also with ``supported``.

    Raises:
        ValueError: There are no systems, or they were evaluated on different images.
    """
    if not losses:
        raise ValueError("losses: at least one system is needed, found none")
    wide = {
        system: table.pivot(index="image", columns="region", values="loss")
        for system, table in losses.items()
    }
    first_system, first = next(iter(wide.items()))
    regions = list(dict.fromkeys(losses[first_system].region))
    for system, table in wide.items():
        if not (table.index.equals(first.index) and table[regions].isna().equals(first[regions].isna())):
            raise ValueError(
                f"losses: {system!r} was judged on other images or regions than {first_system!r}"
            )
    pairs = list(combinations(wide, 2))
    corrected = corrected_level(level, len(pairs) * len(regions))
    rows = [
        {"system": system, "region": region}
        | estimate_mean(table[region].dropna(), level=level, seed=seed).stored()
        for system, table in wide.items()
        for region in regions
    ]
    differences = []
    for a, b in pairs:
        for region in regions:
            estimate = paired_difference(
                wide[a][region].dropna(), wide[b][region].dropna(), level=corrected, seed=seed
            )
            row = {"reference": a, "system": b, "region": region, **estimate.stored()}
            differences.append(row | {"supported": estimate.excludes(0)})
    return {"losses": rows, "loss_differences": differences}
