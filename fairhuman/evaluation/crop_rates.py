"""Detection rates and scores of faces and hands in enlarged crops, which remove the effect of size."""

from __future__ import annotations

import pandas as pd

from .crops import Crops
from .detection_rates import DETECTORS, detection_scores
from .statistics import estimate_ratio

__all__ = ["crop_scores", "evaluate_crops"]


def evaluate_crops(crops: Crops, *, level: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """Rate and scores of each detector over the cropped regions; resampling is by image.

    Args:
        crops: From :func:`fairhuman.evaluation.detect_crops`.
        level: Confidence level of the intervals.
        seed: Seed of the resampling.

    Returns:
        A tidy table: ``detector``, ``metric`` (``rate``: fraction of crops with a detection; ``confidence``:
        their mean best score; ``confidence_with_misses``: the mean over all crops, with 0 for misses), the
        estimate's fields (``n`` counts images), ``crops``.
    """
    rows = []
    for detector, scores in crop_scores(crops).groupby("detector", sort=False):
        for metric, (totals, counts) in _ratios(scores).items():
            estimate = estimate_ratio(totals, counts, level=level, seed=seed)
            row = {"detector": detector, "metric": metric, **estimate.stored()}
            rows.append(row | {"crops": int(scores.crops.sum())})
    return pd.DataFrame(rows)


def crop_scores(crops: Crops) -> pd.DataFrame:
    """One row per image and detector: ``crops``, the number of regions; ``found``, those with a detection;
    ``total``, the sum of the best scores."""
    rows = []
    for place, detection in zip(crops.places.itertuples(), crops.detections, strict=True):
        for detector, region in DETECTORS.items():
            if region == place.region.rsplit("_", 1)[-1]:
                best = max(detection_scores(detection, detector), default=0.0)
                rows.append((place.image, detector, 1, int(best > 0), best))
    table = pd.DataFrame(rows, columns=["image", "detector", "crops", "found", "total"])
    return table.groupby(["detector", "image"], sort=False, as_index=False).sum()


def _ratios(scores: pd.DataFrame) -> dict[str, tuple[pd.Series, pd.Series]]:
    return {
        "rate": (scores.found, scores.crops),
        "confidence": (scores.total, scores.found),
        "confidence_with_misses": (scores.total, scores.crops),
    }
