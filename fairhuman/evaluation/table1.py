"""Table 1 in miniature: systems that are averaged over strengths, judged prompt by prompt.

The paper takes the mean of each metric over three values of β. Here each prompt's own mean over β comes
first, and intervals and differences are over prompts: three images of one prompt are not independent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fairhuman.data import HumanRecord
from fairhuman.detectors import detect
from fairhuman.evaluation.detection_rates import tabulate_detections
from fairhuman.evaluation.distances import mean_kernel_distance
from fairhuman.evaluation.pose_alignment import detect_poses, judge_poses, summarise_poses
from fairhuman.evaluation.reader import AttributeReader, caption_attributes
from fairhuman.evaluation.statistics import (
    Estimate,
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
        detection: One row a prompt and detector: ``detector``, ``expected``, ``rate`` (share of strengths at
            which something was found), ``best`` (mean best score, 0 for a miss), ``total``, ``found``.
        features: Of whole images, one array a strength.
        agreement: Share of the prompt's statements that the reader reads back, mean over strengths; NaN for a
            prompt that states nothing the reader knows.
        poses: Of :func:`fairhuman.evaluation.judge_poses`, summed over strengths.
    """

    detection: pd.DataFrame
    features: list[np.ndarray]
    agreement: np.ndarray
    poses: pd.DataFrame


def judge_system(
    images: Sequence[Sequence[ImageLike]],
    records: Sequence[HumanRecord],
    reader: AttributeReader,
    **options: Any,
) -> Judged:
    """Look at a system's images.

    Args:
        images: One sequence a strength, the i-th image of each made for the i-th record.
        records: What was asked for: captions, masks, poses.
        reader: The attribute reader.
        options: Of :func:`fairhuman.detectors.detect`: workers, threshold, progress, cache.

    Raises:
        ValueError: No strength, or other numbers of images than records.
    """
    counts = [len(own) for own in images]
    if not counts or set(counts) != {len(records)}:
        raise ValueError(f"images: must be one a record ({len(records)}) at each strength, found {counts}")
    truth = expected_regions(records)
    tables, features, agreements, poses = [], [], [], []
    asked = [record.keypoints.get("body", np.zeros((17, 3))) for record in records]
    for own in images:
        pixels = [as_rgb(image) for image in own]
        tables.append(tabulate_detections(detect(pixels, **options), truth))
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
        expected=("expected", "first"), rate=("rate", "mean"), best=("best", "mean"),
        total=("total", "sum"), found=("found", "sum"),
    )  # fmt: skip
    return Judged(
        detection.reset_index(), features, np.mean(agreements, axis=0), sum(poses[1:], start=poses[0])
    )


def system_rows(
    own: Judged, reference: np.ndarray, *, level: float = 0.95, seed: int = 0
) -> list[dict[str, Any]]:
    """Every metric of one system: ``metric`` and the estimate's fields.

    Args:
        own: Of :func:`judge_system`.
        reference: Features of the images that the distance is measured from.
        level: Of each interval.
        seed: Of the resampling.
    """
    sure = {"level": level, "seed": seed}
    rows = []
    for detector in _DETECTORS:
        table = _expected(own, detector)
        rows += [
            (f"{detector} rate", estimate_mean(table.rate, bounds=_BOUNDS, **sure)),
            (f"{detector} confidence", estimate_ratio(table.total, table.found, **sure)),
            (f"{detector} confidence_with_misses", estimate_mean(table.best, bounds=_BOUNDS, **sure)),
        ]
    said = own.agreement[np.isfinite(own.agreement)]
    rows += [
        ("distance", mean_kernel_distance(reference, own.features, **sure)),
        ("agreement", estimate_mean(said, bounds=_BOUNDS, **sure)),
    ]
    rows += [(f"pose {name}", estimate) for name, estimate in summarise_poses(own.poses, **sure).items()]
    return [{"metric": name, **estimate.stored()} for name, estimate in rows]


def system_differences(
    first: Judged, second: Judged, reference: np.ndarray, *, level: float = 0.95, seed: int = 0
) -> list[dict[str, Any]]:
    """Paired differences, second − first, over prompts: ``metric``, the estimate's fields, ``supported``.

    Args:
        first, second: Of the same records.
        reference: As for :func:`system_rows`.
        level: Of each interval; correct it for the number of differences that are read together.
        seed: Of the resampling.
    """
    sure = {"level": level, "seed": seed}
    found: dict[str, Estimate] = {}
    for detector in _DETECTORS:
        a, b = _expected(first, detector), _expected(second, detector)
        found[f"{detector} rate"] = paired_difference(a.rate, b.rate, bounds=_BOUNDS, **sure)
        found[f"{detector} confidence"] = paired_ratio_difference(
            (a.total, a.found), (b.total, b.found), **sure
        )
        found[f"{detector} confidence_with_misses"] = paired_difference(
            a.best, b.best, bounds=_BOUNDS, **sure
        )
    said = np.isfinite(first.agreement) & np.isfinite(second.agreement)
    found["distance"] = mean_kernel_distance(reference, second.features, first.features, **sure)
    found["agreement"] = paired_difference(
        first.agreement[said], second.agreement[said], bounds=_BOUNDS, **sure
    )
    for name, (top, bottom) in {"share": ("share", "matched"), "pck": ("right", "joints")}.items():
        found[f"pose {name}"] = paired_ratio_difference(
            *((judged.poses[top], judged.poses[bottom]) for judged in (first, second)), **sure
        )
    return [
        {"metric": name, **estimate.stored(), "supported": estimate.excludes(0)}
        for name, estimate in found.items()
    ]


def _expected(own: Judged, detector: str) -> pd.DataFrame:
    return own.detection[(own.detection.detector == detector) & own.detection.expected]


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
