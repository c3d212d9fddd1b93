"""Table 1 at small scale: systems averaged over strengths and evaluated per prompt.

The paper takes the mean of each metric over three values of β. Here, each prompt is first averaged over β,
and intervals and differences are over prompts, because three images of one prompt are not independent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd

from fairhuman.data import HumanRecord
from fairhuman.detectors import detect
from fairhuman.evaluation.anatomy import (
    MEASURES,
    estimate_measure,
    judge_anatomy,
    measure_totals,
    tabulate_anatomy,
)
from fairhuman.evaluation.detection_rates import tabulate_detections
from fairhuman.evaluation.distances import mean_kernel_distance
from fairhuman.evaluation.pose_alignment import detect_poses, judge_poses, summarise_poses
from fairhuman.evaluation.reader import AttributeReader, caption_attributes
from fairhuman.evaluation.statistics import (
    Estimate,
    corrected_level,
    estimate_mean,
    estimate_ratio,
    paired_difference,
    paired_ratio_difference,
)
from fairhuman.evaluation.truth import expected_regions
from fairhuman.images import ImageLike, as_rgb

__all__ = ["Judged", "judge_system", "system_differences", "system_rows"]

_DETECTORS = ("face", "hand")
_BOUNDS = (0.0, 1.0)


@dataclass(frozen=True)
class Judged:
    """One system's images at all of its strengths.

    Attributes:
        detection: One row per prompt and detector: ``detector``, ``expected``, ``rate`` (share of strengths
            at which something was found), ``best`` (mean best score, 0 for a miss), ``total``, ``found``.
        features: Of whole images, one array per strength.
        agreement: Share of the prompt's statements that the reader reads back, mean over strengths; NaN for a
            prompt that states nothing the reader knows.
        poses: From :func:`fairhuman.evaluation.judge_poses`, summed over strengths.
        anatomy: From :func:`fairhuman.evaluation.anatomy.tabulate_anatomy`, of all strengths.
    """

    detection: pd.DataFrame
    features: list[np.ndarray]
    agreement: np.ndarray
    poses: pd.DataFrame
    anatomy: pd.DataFrame


def judge_system(
    images: Sequence[Sequence[ImageLike]],
    records: Sequence[HumanRecord],
    reader: AttributeReader,
    **options: Any,
) -> Judged:
    """Evaluate a system's images.

    Args:
        images: One sequence per strength, the i-th image of each made for the i-th record.
        records: Targets: captions, masks, poses.
        reader: The attribute reader.
        options: Options of :func:`fairhuman.detectors.detect`: workers, threshold, progress, cache.

    Raises:
        ValueError: There are no strengths, or the numbers of images and records differ.
    """
    counts = [len(strength) for strength in images]
    if not counts or set(counts) != {len(records)}:
        raise ValueError(f"images: must be one per record ({len(records)}) at each strength, got {counts}")
    truth = expected_regions(records)
    tables, features, agreements, poses, anatomy = [], [], [], [], []
    asked = [record.keypoints.get("body", np.zeros((17, 3))) for record in records]
    for strength in images:
        pixels = [as_rgb(image) for image in strength]
        tables.append(tabulate_detections(detect(pixels, **options), truth))
        anatomy.append(tabulate_anatomy(judge_anatomy(pixels, records, **options)))
        features.append(reader.features(pixels))
        agreements.append(_agreement(pixels, [record.text for record in records], reader))
        scaled = [
            points * [image.shape[1] / _width(record), image.shape[0] / _height(record), 1]
            for points, image, record in zip(asked, pixels, records, strict=True)
        ]
        poses.append(judge_poses(scaled, detect_poses(pixels, **options)))
    table = pd.concat([one.assign(rate=one.found > 0) for one in tables])
    table = table[table.detector.isin(_DETECTORS)]
    detection = table.groupby(["detector", "image"], sort=False).agg(
        expected=("expected", "first"),
        rate=("rate", "mean"),
        best=("best", "mean"),
        total=("total", "sum"),
        found=("found", "sum"),
    )
    return Judged(
        detection.reset_index(),
        features,
        np.mean(agreements, axis=0),
        sum(poses[1:], start=poses[0]),
        pd.concat(anatomy, ignore_index=True),
    )


def system_rows(
    judged: Judged, reference: np.ndarray, *, level: float = 0.95, seed: int = 0
) -> list[dict[str, Any]]:
    """Every metric of one system: ``metric`` and the estimate's fields.

    Args:
        judged: From :func:`judge_system`.
        reference: Features of the images that the distance is measured from.
        level: Confidence level of each interval.
        seed: Seed of the resampling.
    """
    options: dict[str, Any] = {"level": level, "seed": seed}
    rows = []
    for detector in _DETECTORS:
        table = _expected(judged, detector)
        rows += [
            (f"{detector} rate", estimate_mean(table.rate, bounds=_BOUNDS, **options)),
            (f"{detector} confidence", estimate_ratio(table.total, table.found, **options)),
            (f"{detector} confidence_with_misses", estimate_mean(table.best, bounds=_BOUNDS, **options)),
        ]
    said = judged.agreement[np.isfinite(judged.agreement)]
    rows += [
        ("distance", mean_kernel_distance(reference, judged.features, **options)),
        ("agreement", estimate_mean(said, bounds=_BOUNDS, **options)),
    ]
    poses = summarise_poses(judged.poses, **options)
    rows += [(f"pose {name}", estimate) for name, estimate in poses.items()]
    rows += [(measure, estimate_measure(judged.anatomy, measure, **options)) for measure in MEASURES]
    return [{"metric": name, **estimate.stored()} for name, estimate in rows]


def system_differences(
    judged: Mapping[str, Judged],
    pairs: Sequence[tuple[str, str]],
    reference: np.ndarray,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> list[dict[str, Any]]:
    """Paired differences over prompts, second − first: ``reference``, ``system``, ``metric``, the estimate's
    fields, ``supported``.

    Args:
        judged: System → what was seen of it, all of the same records.
        pairs: Systems that are compared, first and second.
        reference: As for :func:`system_rows`.
        level: Of all differences of a family taken together
            (:func:`~fairhuman.evaluation.statistics.corrected_level`): the table's metrics are one, the
            measures of :mod:`fairhuman.evaluation.anatomy` another.
        seed: Seed of the resampling.
    """
    families = (
        {(a, b): _differences(judged[a], judged[b], reference) for a, b in pairs},
        {(a, b): _anatomy_differences(judged[a], judged[b]) for a, b in pairs},
    )
    rows = []
    for found in families:
        each = {"level": corrected_level(level, sum(map(len, found.values()))), "seed": seed}
        for (first, second), metrics in found.items():
            for metric, difference in metrics.items():
                estimate = difference(**each)
                row = {"reference": first, "system": second, "metric": metric, **estimate.stored()}
                rows.append(row | {"supported": estimate.excludes(0)})
    return rows


def _differences(first: Judged, second: Judged, reference: np.ndarray) -> dict[str, Callable[..., Estimate]]:
    """Metric → its difference, once a level and a seed are given."""
    found: dict[str, Callable[..., Estimate]] = {}
    for detector in _DETECTORS:
        a, b = _expected(first, detector), _expected(second, detector)
        found[f"{detector} rate"] = partial(paired_difference, a.rate, b.rate, bounds=_BOUNDS)
        found[f"{detector} confidence"] = partial(
            paired_ratio_difference, (a.total, a.found), (b.total, b.found)
        )
        found[f"{detector} confidence_with_misses"] = partial(
            paired_difference, a.best, b.best, bounds=_BOUNDS
        )
    said = np.isfinite(first.agreement) & np.isfinite(second.agreement)
    found["distance"] = partial(mean_kernel_distance, reference, second.features, first.features)
    found["agreement"] = partial(
        paired_difference, first.agreement[said], second.agreement[said], bounds=_BOUNDS
    )
    for name, (top, bottom) in {"share": ("share", "matched"), "pck": ("right", "joints")}.items():
        pair = [(judged.poses[top], judged.poses[bottom]) for judged in (first, second)]
        found[f"pose {name}"] = partial(paired_ratio_difference, *pair)
    return found


def _anatomy_differences(first: Judged, second: Judged) -> dict[str, Callable[..., Estimate]]:
    pairs = {m: [measure_totals(one.anatomy, m) for one in (first, second)] for m in MEASURES}
    return {measure: partial(paired_ratio_difference, *pair) for measure, pair in pairs.items()}


def _expected(judged: Judged, detector: str) -> pd.DataFrame:
    table = judged.detection
    return table[(table.detector == detector) & table.expected]


def _agreement(images: Sequence[np.ndarray], captions: Sequence[str], reader: AttributeReader) -> np.ndarray:
    """Each image's share of its caption's statements that are read back."""
    read, classes = reader.read(images).to_dict("records"), reader.classes["whole"]
    shares = []
    for seen, caption in zip(read, captions, strict=True):
        said: Mapping[str, str | None] = caption_attributes(caption)
        known = [name for name, value in said.items() if value in classes.get(name, ())]
        shares.append(np.mean([seen[name] == said[name] for name in known]) if known else np.nan)
    return np.array(shares)


def _width(record: HumanRecord) -> float:
    return float(record.metadata["width"])


def _height(record: HumanRecord) -> float:
    return float(record.metadata["height"])
