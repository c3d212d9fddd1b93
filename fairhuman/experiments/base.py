"""What a base must reach before anything is built on it, and whether its samples support that it does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd

from fairhuman.evaluation.anatomy import Anatomy, tabulate_anatomy
from fairhuman.evaluation.detection_rates import AREA_EDGES, area_names
from fairhuman.evaluation.statistics import Estimate, estimate_proportion, paired_ratio_difference

__all__ = ["AGREEMENTS", "AGAINST_RENDERS", "CLOSE_UP_SHAPES", "base_gates"]

AGAINST_RENDERS: Final = (
    ("face on crop", "≥ 4 %", 0.95),
    ("face on crop", "1–4 %", 0.80),
    ("hand on crop", "≥ 4 %", 0.85),
    ("hand on crop", "1–4 %", 0.60),
)
"""Measure, area, and the least share of the renders' rate."""
CLOSE_UP_SHAPES: Final = 0.80
"""Least share of close-up faces, those of the largest area, that are shaped as renders' are."""
AGREEMENTS: Final = {"shirt_color": 0.95, "framing": 0.95, "hair": 0.95, "pose": 0.80, "gesture": 0.80}
"""Attribute to the least agreement with captions; of poses and gestures each one's."""


def base_gates(
    renders: Anatomy, samples: Anatomy, agreement: Sequence[Mapping[str, Any]] = ()
) -> list[dict[str, Any]]:
    """Each gate with its value and what the samples say of it.

    Args:
        renders, samples: From :func:`fairhuman.evaluation.anatomy.judge_anatomy` for the same records.
        agreement: Rows of :func:`fairhuman.evaluation.reader.caption_agreement` by value, with ``system``.

    Returns:
        ``gate``, ``value``, ``asked``, ``reached`` (by the value) and ``supported`` (by the whole interval of
        95 %; None where it holds the bound, so that the samples leave it open). A rate against the renders'
        is judged by the difference of the samples' rate and the asked-for share of the renders', paired by
        prompt; the fall with area by the difference between small and large regions of what the samples lack
        against the renders, which must be negative and is reached only if its interval is.
    """
    both = tabulate_anatomy(renders).assign(other=tabulate_anatomy(samples).value)
    both["bin"] = np.array(area_names())[np.searchsorted(AREA_EDGES, both.area, side="right").clip(max=2)]
    gates = []
    for measure, area, share in AGAINST_RENDERS:
        part = both[(both.measure == measure) & (both.bin == area)]
        sums = part.groupby("prompt").agg(r=("value", "sum"), s=("other", "sum"), n=("value", "size"))
        margin = paired_ratio_difference((share * sums.r, sums.n), (sums.s, sums.n))
        quotient = sums.s.sum() / sums.r.sum() if sums.r.sum() else np.nan
        gates.append(_gate(f"{measure}, {area}, against renders", quotient, share, margin))
    shapes = both[(both.measure == "face shape") & (both.bin == area_names()[-1])].other
    inside = estimate_proportion(int(shapes.sum()), len(shapes))
    name = "close-up faces shaped as renders"
    gates.append(_gate(name, inside.value, CLOSE_UP_SHAPES, inside, CLOSE_UP_SHAPES))
    for measure in ("face on crop", "hand on crop"):
        fall = _fall(both[both.measure == measure])
        fallen = {"value": fall.value, "asked": "< 0", "reached": fall.high < 0}
        supported = fall.high < 0 if fall.excludes(0) else None
        name = f"{measure}, fall with area beyond the renders'"
        gates.append({"gate": name, **fallen, "supported": supported})
    for row in agreement:
        each = row["attribute"] in ("pose", "gesture")
        if row["system"] == "samples" and row["attribute"] in AGREEMENTS and each == (row["asked"] != "all"):
            bound = AGREEMENTS[row["attribute"]]
            estimate = Estimate(row["value"], row["low"], row["high"], row["n"], row["interval"])
            of_value = f": {row['asked']}" if each else ""
            name = f"{row['attribute']}{of_value} as the caption says"
            gates.append(_gate(name, row["value"], bound, estimate, bound))
    return gates


def _fall(rows: pd.DataFrame) -> Estimate:
    """Samples less renders in the smallest regions, less the same in the largest; prompts resampled whole."""
    small, large = area_names()[0], area_names()[-1]
    pairs = []
    for area in (large, small):
        lack = (rows.other - rows.value).where(rows.bin == area, 0.0).groupby(rows.prompt).sum()
        pairs.append((lack, (rows.bin == area).groupby(rows.prompt).sum()))
    return paired_ratio_difference(*pairs)


def _gate(name: str, value: float, asked: float, estimate: Estimate, bound: float = 0.0) -> dict[str, Any]:
    """A gate whose estimate must not lie below a bound."""
    supported = True if estimate.low >= bound else False if estimate.high < bound else None
    return {"gate": name, "value": value, "asked": asked, "reached": value >= asked, "supported": supported}
