"""Rows of an evaluation, group by group; a statistic that its sample does not allow is empty and says why."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from fairhuman.detectors import Detection
from fairhuman.evaluation.anatomy import MEASURES, Anatomy, estimate_measure, tabulate_anatomy
from fairhuman.evaluation.crop_rates import evaluate_crops
from fairhuman.evaluation.crops import Crops
from fairhuman.evaluation.depth_alignment import explain_depths, judge_depths, summarise_depths
from fairhuman.evaluation.detection_rates import evaluate_detection
from fairhuman.evaluation.distances import frechet_distance, kernel_distance
from fairhuman.evaluation.evaluate._features import LazyImages
from fairhuman.evaluation.pose_alignment import judge_poses, summarise_poses
from fairhuman.evaluation.reader import AttributeReader, caption_agreement
from fairhuman.evaluation.statistics import Estimate

Row = dict[str, Any]

_FIELDS = ("value", "low", "high", "n", "interval", "level")
_log = logging.getLogger(__name__)


def detection_rows(
    found: Sequence[Detection], truth: pd.DataFrame | None, group: str, level: float, seed: int
) -> list[Row]:
    """Rate and confidence of every detector."""
    table = evaluate_detection(found, truth, level=level, seed=seed)
    return [
        _row(group, row["detector"], row["metric"], {name: row[name] for name in _FIELDS})
        for row in table.to_dict("records")
    ]


def anatomy_rows(anatomy: Anatomy, level: float, seed: int) -> list[Row]:
    """Faces and hands one by one: found when enlarged, shaped right, as many as were asked for."""
    table = tabulate_anatomy(anatomy)
    rows = []
    for measure in MEASURES:
        subject = "face" if measure.startswith("face") else "hand"
        estimate = estimate_measure(table, measure, level=level, seed=seed)
        rows.append(_row("anatomy", subject, measure, estimate.stored()))
    return rows


def crop_rows(crops: Crops, level: float, seed: int) -> list[Row]:
    """The same in crops around the regions asked for."""
    table = evaluate_crops(crops, level=level, seed=seed)
    return [
        _row("crops", row["detector"], row["metric"], {name: row[name] for name in _FIELDS})
        for row in table.to_dict("records")
    ]


def distance_rows(
    reference: Mapping[str, np.ndarray],
    features: Mapping[str, np.ndarray],
    level: float,
    seed: int,
    names: tuple[str, str] = ("kernel", "Fréchet"),
) -> list[Row]:
    """Distances from the reference, view by view; by Inception's features their names are KID and FID."""
    rows = []
    for view in features:
        for metric, distance in zip(names, (kernel_distance, frechet_distance), strict=True):
            rows.append(
                _tried(
                    "distance",
                    view,
                    metric,
                    lambda distance=distance, view=view: distance(
                        reference[view], features[view], level=level, seed=seed
                    ),
                    len(features[view]),
                    level,
                )
            )
    return rows


def caption_rows(
    images: LazyImages, prompts: Sequence[str], reader: AttributeReader, level: float, seed: int
) -> list[Row]:
    """Agreement of what the reader sees with what the captions say, attribute by attribute."""
    table = caption_agreement(images, prompts, reader=reader, level=level, seed=seed)
    rows = []
    for row in table.to_dict("records"):
        said = _row("caption", row["attribute"], "agreement", {name: row[name] for name in _FIELDS})
        if row["n"]:
            said["note"] = f"chance {row['chance']:.2f}"
        else:
            said["note"] = "no prompt states it in words that the reader knows"
        rows.append(said)
    return rows


def pose_rows(asked: Sequence[np.ndarray], found: Sequence[np.ndarray], level: float, seed: int) -> list[Row]:
    """Distance of the pose found from the one asked for."""
    estimates = summarise_poses(judge_poses(asked, found), level=level, seed=seed)
    return [_row("pose", "body", metric, estimate.stored()) for metric, estimate in estimates.items()]


def depth_rows(
    asked: Iterable[np.ndarray], found: Iterable[np.ndarray], level: float, seed: int, absent: str = ""
) -> list[Row]:
    """Agreement of the depth estimated with the one asked for; empty where ``absent`` says why."""
    judged = judge_depths(asked, found)
    estimates = summarise_depths(judged, level=level, seed=seed)
    rows = [_row("depth", "body", metric, estimate.stored()) for metric, estimate in estimates.items()]
    said = absent or explain_depths(judged)
    return [row | {"note": "; ".join(filter(None, [row["note"], said]))} for row in rows]


def preference_rows(estimates: Sequence[Row], absent: Mapping[str, str]) -> list[Row]:
    """Preference scores; empty where weights are absent."""
    return [
        _row("preference", row["metric"], "score", {name: row[name] for name in _FIELDS})
        | {"system": row["system"], "note": absent.get(row["metric"], "")}
        for row in estimates
    ]


def _tried(
    group: str, subject: str, metric: str, compute: Callable[[], Estimate], n: int, level: float
) -> Row:
    try:
        return _row(group, subject, metric, compute().stored())
    except ValueError as error:
        empty = Estimate(math.nan, math.nan, math.nan, n, "none", level)
        return _row(group, subject, metric, empty.stored()) | {"note": str(error)}


def _row(group: str, subject: str, metric: str, estimate: Row) -> Row:
    row = {"group": group, "subject": subject, "metric": metric, **estimate, "note": ""}
    if row["interval"] == "none" and row["n"]:
        row["note"] = "too few images for an interval"
    return row
