"""Detection rates and confidence of faces and hands in images.

The paper reports the mean confidence over all detections (Table 1, "Face Confi.", "Hand Confi."), which
ignores images without detections. This module also reports the fraction of images with a detection, and the
mean with misses counted as zero.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from fairhuman.detectors import Detection

from .statistics import (
    Estimate,
    estimate_mean,
    estimate_proportion,
    estimate_ratio,
    paired_difference,
    paired_ratio_difference,
)

#: Detector to the region it looks for; what their scores mean: :mod:`fairhuman.detectors`.
DETECTORS = {"face": "face", "face_short": "face", "hand": "hand", "palm": "hand"}

#: Metric to what it means; all are shares or scores in [0, 1].
METRICS = {
    "rate": "share of images in which at least one is found",
    "confidence": "mean score over all detections; misses cost nothing (the paper's)",
    "confidence_with_misses": "mean over images of the best score, zero where nothing is found",
}

#: Bounds between small, middle and large regions, as shares of the image.
AREA_EDGES = (0.01, 0.04)


def tabulate_detections(detections: Sequence[Detection], truth: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row per image and detector, the basis of all other functions here.

    Args:
        detections: From :func:`fairhuman.detectors.detect`.
        truth: From :func:`fairhuman.evaluation.truth.expected_regions`, in the same order; without it, every
            region is expected in every image.

    Returns:
        Columns ``image`` (position), ``detector``, ``expected``, ``area`` (fraction of the image, NaN if
        unknown), ``found`` (number of detections), ``best`` (score, 0 if none), ``total`` (sum of the
        scores). The score of a hand is MediaPipe's handedness, as in the paper.

    Raises:
        ValueError: Truth of another length.
    """
    if truth is not None and len(truth) != len(detections):
        raise ValueError(f"truth: must have one row per image, got {len(truth)} for {len(detections)} images")
    rows = []
    for detector, region in DETECTORS.items():
        for image, detection in enumerate(detections):
            scores = detection_scores(detection, detector)
            rows.append(
                {
                    "image": image,
                    "detector": detector,
                    "expected": True if truth is None else bool(truth[f"{region}_expected"].iloc[image]),
                    "area": np.nan if truth is None else float(truth[f"{region}_area"].iloc[image]),
                    "found": len(scores),
                    "best": max(scores, default=0.0),
                    "total": sum(scores),
                }
            )
    columns = ["image", "detector", "expected", "area", "found", "best", "total"]
    return pd.DataFrame(rows, columns=columns)


def evaluate_detection(
    detections: Sequence[Detection],
    truth: pd.DataFrame | None = None,
    *,
    by_area: bool = False,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Every metric of every detector, over the images in which the region is expected.

    Args:
        detections: From :func:`fairhuman.detectors.detect`.
        truth: What the images should show; see :func:`tabulate_detections`.
        by_area: Also split by the region's expected area (:data:`AREA_EDGES`).
        level: Confidence level of the intervals.
        seed: Seed of the resampling.

    Returns:
        A tidy table: ``detector``, ``area`` ("all" or a range), ``metric``, ``value``, ``low``, ``high``,
        ``n`` (number of images; for ``confidence``, those with a detection), ``interval``, ``level``.

    Raises:
        ValueError: ``truth`` has a different length, or is missing for a split by area.
    """
    if by_area and truth is None:
        raise ValueError("by_area: needs truth, which holds the areas")
    table = tabulate_detections(detections, truth)
    rows = []
    for (detector, area), images in _groups(table, by_area):
        for metric, estimate in _estimates(images, level, seed).items():
            rows.append({"detector": detector, "area": area, "metric": metric, **estimate.stored()})
    return pd.DataFrame(rows)


def compare_detection(
    first: Sequence[Detection],
    second: Sequence[Detection],
    truth: pd.DataFrame | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Paired differences, second − first, between two systems given the same prompts and seeds.

    Args:
        first, second: Detections in the images of each system, in the same order.
        truth: What the images should show; see :func:`tabulate_detections`.
        level: Confidence level of each interval; for joint differences, see
            :func:`~fairhuman.evaluation.statistics.corrected_level`.
        seed: Seed of the resampling.

    Returns:
        A tidy table as from :func:`evaluate_detection`, with ``supported``: whether the interval excludes
        zero.

    Raises:
        ValueError: Different numbers of images, or truth of another length.
    """
    if len(first) != len(second):
        raise ValueError(f"first, second: must be of one length, got {len(first)} and {len(second)}")
    tables = [tabulate_detections(detections, truth) for detections in (first, second)]
    rows = []
    for detector in DETECTORS:
        a, b = (table[(table.detector == detector) & table.expected] for table in tables)
        differences = {
            "rate": paired_difference(a.found > 0, b.found > 0, bounds=(0, 1), level=level, seed=seed),
            "confidence": paired_ratio_difference(
                (a.total, a.found), (b.total, b.found), level=level, seed=seed
            ),
            "confidence_with_misses": paired_difference(
                a.best, b.best, bounds=(0, 1), level=level, seed=seed
            ),
        }
        for metric, estimate in differences.items():
            row = {"detector": detector, "area": "all", "metric": metric, **estimate.stored()}
            rows.append(row | {"supported": estimate.excludes(0)})
    return pd.DataFrame(rows)


def area_names(edges: Sequence[float] = AREA_EDGES) -> list[str]:
    """Names of the area ranges between edges, in ascending order.

    >>> area_names((0.01, 0.04))
    ['< 1 %', '1–4 %', '≥ 4 %']
    """
    percent = [f"{100 * edge:g}" for edge in edges]
    between = [f"{low}–{high} %" for low, high in zip(percent, percent[1:], strict=False)]
    return [f"< {percent[0]} %", *between, f"≥ {percent[-1]} %"]


def detection_scores(detection: Detection, detector: str) -> list[float]:
    """The scores of one of :data:`DETECTORS` in an image; a hand's score is MediaPipe's handedness."""
    if detector == "hand":
        return [hand.handedness for hand in detection.hands if hand.handedness is not None]
    found = {"face": "faces", "face_short": "short_range_faces", "palm": "palms"}[detector]
    return [one.score for one in getattr(detection, found)]


def _groups(table: pd.DataFrame, by_area: bool):
    names = area_names()
    for detector in DETECTORS:
        images = table[(table.detector == detector) & table.expected]
        yield (detector, "all"), images
        if by_area:
            places = np.searchsorted(AREA_EDGES, images.area, side="right")
            for place, name in enumerate(names):
                yield (detector, name), images[places == place]


def _estimates(images: pd.DataFrame, level: float, seed: int) -> dict[str, Estimate]:
    return {
        "rate": estimate_proportion(int((images.found > 0).sum()), len(images), level=level),
        "confidence": estimate_ratio(images.total, images.found, level=level, seed=seed),
        "confidence_with_misses": estimate_mean(images.best, bounds=(0, 1), level=level, seed=seed),
    }
