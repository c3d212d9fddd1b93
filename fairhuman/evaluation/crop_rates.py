"""How often faces and hands are found in crops about them, where size is no excuse, and with what score."""

from __future__ import annotations

import pandas as pd

from .detectors import Crops
from .statistics import estimate_ratio

__all__ = ["evaluate_crops"]


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
    for detector, table in crops.scores().groupby("detector", sort=False):
        for metric, (totals, counts) in _ratios(table).items():
            estimate = estimate_ratio(totals, counts, level=level, seed=seed)
            row = {"detector": detector, "metric": metric, **estimate.stored()}
            rows.append(row | {"crops": int(table.crops.sum())})
    return pd.DataFrame(rows)


def _ratios(table: pd.DataFrame) -> dict[str, tuple[pd.Series, pd.Series]]:
    return {
        "rate": (table.found, table.crops),
        "confidence": (table.total, table.found),
        "confidence_with_misses": (table.total, table.crops),
    }
