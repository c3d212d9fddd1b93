"""Paired differences between systems with the same prompts, corrected for their number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fairhuman.detectors import Detection
from fairhuman.evaluation.detection_rates import DETECTORS, METRICS, compare_detection
from fairhuman.evaluation.distances import kernel_distance_difference
from fairhuman.evaluation.preference import SCORERS
from fairhuman.evaluation.statistics import corrected_level, paired_difference

__all__ = ["differences"]


def differences(
    found: Mapping[str, Sequence[Detection] | None],
    truth: pd.DataFrame | None,
    base: Mapping[str, np.ndarray] | None,
    features: Mapping[str, Mapping[str, np.ndarray]],
    scores: pd.DataFrame | None,
    *,
    level: float,
    seed: int,
) -> list[dict[str, Any]]:
    """Differences of each system from the first: detection, kernel distance of whole images, preference.

    Args:
        found: System → its detections, or None if these are not compared.
        truth: Expected content of the images, or None.
        base: Features of the reference, or None.
        features: System → its features.
        scores: From :func:`fairhuman.evaluation.preference.preference_scores`, or None.
        level: Joint confidence level of all differences (Bonferroni).
        seed: Seed of the resampling.
    """
    first, *others = found
    scores = pd.DataFrame() if scores is None else scores
    metrics = [name for name in SCORERS if name in scores and scores[name].notna().all()]
    least = min([len(views["whole"]) for views in (base, *features.values()) if views is not None], default=0)
    distant = base is not None and least >= 10
    detected = found[first] is not None
    count = len(others) * (detected * len(DETECTORS) * len(METRICS) + distant + len(metrics))
    each: dict[str, Any] = {"level": corrected_level(level, count), "seed": seed}
    rows = []
    for system in others:
        pair = {"system": system, "reference": first}
        before, after = found[first], found[system]
        if before is not None and after is not None:
            table = compare_detection(before, after, truth, **each)
            table = table.drop(columns="area").rename(columns={"detector": "subject"})
            rows += [pair | {"group": "detection"} | row for row in table.to_dict("records")]
        estimates = {}
        if distant:
            estimates["distance", "whole", "kernel"] = kernel_distance_difference(
                base["whole"], features[first]["whole"], features[system]["whole"], **each
            )
        for name in metrics:
            both = [scores.loc[scores.system == one, name].to_numpy() for one in (first, system)]
            estimates["preference", name, "score"] = paired_difference(*both, **each)
        for (group, subject, metric), estimate in estimates.items():
            row = {"group": group, "subject": subject, "metric": metric, **estimate.stored()}
            rows.append(pair | row | {"supported": estimate.excludes(0)})
    return rows
