"""Rates of correct faces and hands, by area and framing, and differences between systems.

Regions of one prompt (two hands, several seeds) are not independent, so resampling is by prompt.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
import pandas as pd

from fairhuman.evaluation.anatomy._judge import Anatomy
from fairhuman.evaluation.detection_rates import AREA_EDGES, area_names
from fairhuman.evaluation.statistics import (
    Estimate,
    estimate_mean,
    estimate_proportion,
    estimate_ratio,
    paired_ratio_difference,
)

__all__ = [
    "MEASURES",
    "anatomy_rates",
    "compare_anatomy",
    "estimate_measure",
    "measure_totals",
    "tabulate_anatomy",
]

MEASURES: Final = {
    "face on crop": "faces asked for that are found in the enlarged crop (the primary measure)",
    "face on crop, second detector": "the same by a detector of another make",
    "face in image": "images that should show a face in which one is found",
    "face shape": "faces asked for whose mesh in the crop lies within what renders span",
    "hand on crop": "hands asked for that are found in the enlarged crop (the primary measure)",
    "hand in image": "hands asked for that are found in the whole image, each counted once",
    "hands": "hands found per image",
    "too many hands": "images with more hands found than asked for",
    "unasked hands": "images in which a hand is found though none was asked for",
    "fingers": "images asked for a gesture whose raised hand stretches just its fingers out",
}
"""Measure → its denominator; ``hands`` is a mean count."""

_OF_REGIONS: Final = {
    "face on crop": ("face", "crop"),
    "face on crop, second detector": ("face", "second"),
    "face in image": ("face", "whole"),
    "face shape": ("face", "shape"),
    "hand on crop": ("hand", "crop"),
    "hand in image": ("hand", "whole"),
}


def tabulate_anatomy(anatomy: Anatomy, prompts: Sequence[int] | None = None) -> pd.DataFrame:
    """One row per measure and measured item, the basis of all other functions here.

    Args:
        anatomy: From :func:`fairhuman.evaluation.anatomy.judge_anatomy`.
        prompts: The prompt of each image. Default: a separate prompt per image.

    Returns:
        ``measure``, ``prompt``, ``framing``, ``area`` (NaN for whole images), ``value`` (0 or 1; of ``hands``
        a count).
    """
    regions, images = anatomy.regions, anatomy.images
    parts = []
    for measure, (kind, column) in _OF_REGIONS.items():
        rows = regions[regions.kind == kind]
        parts.append(rows[["image", "framing", "area"]].assign(measure=measure, value=rows[column]))
    counted = {
        "hands": (images, images.hands_found),
        "too many hands": (images, images.hands_found > images.hands_asked),
        "unasked hands": (images[images.hands_asked == 0], images.hands_found > 0),
        "fingers": (images[images.gesture.notna()], images.fingers),
    }
    for measure, (rows, values) in counted.items():
        part = rows[["image", "framing"]].assign(area=np.nan, measure=measure, value=values[rows.index])
        parts.append(part)
    table = pd.concat(parts, ignore_index=True)
    given = table.image if prompts is None else np.asarray(prompts)[table.image]
    table = table.assign(prompt=given, value=table.value.astype(float))
    # If the second detector is not installed, its missing results do not count as misses.
    table = table[table.value.notna()].reset_index(drop=True)
    return table[["measure", "prompt", "framing", "area", "value"]]


def anatomy_rates(
    anatomy: Anatomy, prompts: Sequence[int] | None = None, *, level: float = 0.95, seed: int = 0
) -> pd.DataFrame:
    """Every measure, over all images, by the area of the region and by framing.

    Args:
        anatomy, prompts: As for :func:`tabulate_anatomy`.
        level: Confidence level of the intervals.
        seed: Seed of the resampling.

    Returns:
        A tidy table: ``measure``, ``by`` (``all``, ``area``, ``framing``), ``group``, the estimate's fields
        (``n`` counts prompts), ``count`` (regions or images).
    """
    rows = []
    for measure, by, group, part in _groups(tabulate_anatomy(anatomy, prompts)):
        estimate = estimate_measure(part, measure, level=level, seed=seed)
        rows.append({"measure": measure, "by": by, "group": group, **estimate.stored(), "count": len(part)})
    return pd.DataFrame(rows)


def compare_anatomy(
    first: Anatomy,
    second: Anatomy,
    prompts: Sequence[int] | None = None,
    *,
    level: float = 0.95,
    seed: int = 0,
) -> pd.DataFrame:
    """Differences second − first of every measure, prompt by prompt, in the same groups.

    Args:
        first, second: Of two systems' images for the same records in the same order, such as renders and
            samples.
        prompts: As for :func:`tabulate_anatomy`.
        level: Of each interval; see :func:`~fairhuman.evaluation.statistics.corrected_level`.
        seed: Seed of the resampling.

    Returns:
        As :func:`anatomy_rates`, with ``quotient`` (second over first) and ``supported``: the interval of
        the difference excludes zero.

    Raises:
        ValueError: The requested regions differ.
    """
    tables = [tabulate_anatomy(one, prompts) for one in (first, second)]
    keys = ["measure", "prompt", "framing"]
    if not tables[0][keys].equals(tables[1][keys]):
        raise ValueError("first, second: must be of the same records in the same order")
    both = tables[0].assign(other=tables[1].value)
    rows = []
    for measure, by, group, part in _groups(both):
        pair = [measure_totals(one, measure) for one in (part, part.assign(value=part.other))]
        estimate = paired_ratio_difference(*pair, level=level, seed=seed)
        total = float(part.value.sum())
        row = {"measure": measure, "by": by, "group": group, **estimate.stored(), "count": len(part)}
        row["quotient"] = float(part.other.sum()) / total if total else np.nan
        rows.append(row | {"supported": estimate.excludes(0)})
    return pd.DataFrame(rows)


def measure_totals(table: pd.DataFrame, measure: str) -> tuple[pd.Series, pd.Series]:
    """Sum and count of a measure's values per prompt, for ratios and their differences.

    Args:
        table: From :func:`tabulate_anatomy`; of several seeds or strengths, one below the other.
        measure: Of :data:`MEASURES`.
    """
    sums = table[table.measure == measure].groupby("prompt").value.agg(["sum", "size"])
    return sums["sum"], sums["size"]


def estimate_measure(table: pd.DataFrame, measure: str, *, level: float = 0.95, seed: int = 0) -> Estimate:
    """A measure over the whole table, with prompts as independent units.

    Args:
        table, measure: As for :func:`measure_totals`.
        level: Confidence level of the interval.
        seed: Seed of the resampling.
    """
    totals, counts = measure_totals(table, measure)
    if measure == "hands":
        return estimate_ratio(totals, counts, level=level, seed=seed)
    if (counts == 1).all():
        return estimate_proportion(int(totals.sum()), len(totals), level=level)
    estimate = estimate_ratio(totals, counts, level=level, seed=seed)
    if estimate.interval != "none":
        return estimate
    # For few or identical prompts: their own rates are bounded, unlike a ratio's parts.
    return estimate_mean(totals / counts, bounds=(0, 1), level=level, seed=seed)


def _groups(table: pd.DataFrame) -> Iterator[tuple[str, str, str, pd.DataFrame]]:
    names = area_names()
    for measure in MEASURES:
        rows = table[table.measure == measure]
        yield measure, "all", "all", rows
        if rows.area.notna().any():
            places = np.searchsorted(AREA_EDGES, rows.area, side="right")
            for place, name in enumerate(names):
                yield measure, "area", name, rows[places == place]
        for framing in sorted(set(rows.framing)):
            yield measure, "framing", framing, rows[rows.framing == framing]
