"""How often faces and hands are found in crops about them, where size is no excuse, and with what score."""

from __future__ import annotations

import pandas as pd

from .crops import Crops
from .detection_rates import DETECTORS, detection_scores
from .statistics import estimate_ratio

__all__ = ["crop_scores", "evaluate_crops"]


def evaluate_crops(crops: Crops, *, level: float = 0.95, seed: int = 0) -> pd.DataFrame:
    """Rate and scores of each detector over the regions looked at; images are resampled whole.

    Args:
        crops: Of :func:`fairhuman.evaluation.detect_crops`.
        level: Confidence level of the intervals.
        seed: Of their resampling.

    Returns:
        A tidy table: ``detector``, ``metric`` (``rate``: share of crops in which one is found;
        ``confidence``: mean best score of these; ``confidence_with_misses``: over all crops, 0 where none is
        found), the estimate's fields (``n`` counts images), ``crops``.
    """
    rows = []
    for detector, scores in crop_scores(crops).groupby("detector", sort=False):
        for metric, (totals, counts) in _ratios(scores).items():
            estimate = estimate_ratio(totals, counts, level=level, seed=seed)
            row = {"detector": detector, "metric": metric, **estimate.stored()}
            rows.append(row | {"crops": int(scores.crops.sum())})
    return pd.DataFrame(rows)


def crop_scores(crops: Crops) -> pd.DataFrame:
    """One row per image and detector: ``crops``, the regions looked at; ``found``, those in which something
    was found; ``total``, the sum of the best score in each."""
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
