"""Does quality fall with region area, and how much of that is due to the detector? (§3.1, Fig. 2)

Detectors also fail on small real faces. Renders, which have correct faces, are therefore compared with images
generated from their captions; the quantity of interest is the gap between the two at equal area. The area is
the requested one, that of the region in the render.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairhuman.detectors import Detection
from fairhuman.evaluation.detection_rates import AREA_EDGES, tabulate_detections
from fairhuman.evaluation.statistics import estimate_proportion
from fairhuman.experiments.regression import firth_logistic, least_squares

if TYPE_CHECKING:
    from fairhuman.data import HumanRecord

__all__ = ["choose_by_framing", "framing_of", "gap_by_area", "judge_sources"]

FRAMINGS = ("face close-up", "hand close-up", "head and shoulders", "upper body", "whole body")
"""From near to far."""
REGIONS = ("face", "hand")
"""Judged by the detectors of these names; others are made for other distances."""
AREA_UNIT = 0.01
"""x = log₂(area / 1 %): an area of 1 % is at 0, one of 8 % at 3."""
BINS = (0.005, 0.01, 0.02, 0.04, 0.08, 0.16)
"""Bounds of the areas whose observed rates stand under the fitted curves."""
_RESAMPLES = 999
_LEAST = 10  # images of a source; resampling fewer says more about the few than about the rest
_COEFFICIENTS = ("intercept", "slope", "bend", "gap", "slope_gap", "bend_gap")
_KNOTS = (0.1, 0.5, 0.9)  # quantiles of the areas at which a curve may bend


def choose_by_framing(records: Sequence[HumanRecord], count: int) -> list[int]:
    """Numbers of the first images of each framing in turn, so that all are shown alike.

    Args:
        records: Rendered images, whose ``attributes`` tell the framing; others count as one framing.
        count: How many, all that there are at most.
    """
    by_framing = defaultdict(list)
    for number, record in enumerate(records):
        by_framing[framing_of(record)].append(number)
    chosen: list[int] = []
    while len(chosen) < count and any(by_framing.values()):
        for framing in sorted(by_framing, key=_place):
            if by_framing[framing] and len(chosen) < count:
                chosen.append(by_framing[framing].pop(0))
    return sorted(chosen)


def judge_sources(
    detections: Mapping[str, Sequence[Detection]],
    numbers: Mapping[str, Sequence[int]],
    truth: pd.DataFrame,
    records: Sequence[HumanRecord],
) -> pd.DataFrame:
    """What detectors find in each source's images, one row per image and region that is to be expected.

    Args:
        detections: Source, such as ``renders`` and ``generated`` → detections in its images.
        numbers: Source → which record each image belongs to, in the same order.
        truth: From :func:`fairhuman.evaluation.expected_regions`, one row per record.
        records: The renders.

    Returns:
        ``source``, ``image`` (the record's number), ``framing``, ``region``, ``area`` (share of the image),
        ``found``, ``score`` (best, 0 where nothing is found).

    Raises:
        ValueError: A source with another number of detections than of images.
    """
    tables = []
    for source, found in detections.items():
        places = list(numbers[source])
        if len(places) != len(found):
            raise ValueError(f"numbers: {source!r} needs {len(found)}, one a detection, got {len(places)}")
        table = tabulate_detections(found, truth.iloc[places].reset_index(drop=True))
        table = table[table.expected & table.detector.isin(REGIONS)].rename(columns={"best": "score"})
        table["image"] = [places[place] for place in table.image]
        table = table.assign(source=source, region=table.detector, found=table.found > 0)
        tables.append(table.assign(framing=[framing_of(records[number]) for number in table.image]))
    columns = ["source", "image", "framing", "region", "area", "found", "score"]
    return pd.concat(tables, ignore_index=True)[columns]


def gap_by_area(
    table: pd.DataFrame,
    region: str,
    *,
    sources: tuple[str, str] = ("renders", "generated"),
    areas: Sequence[float] = (0.005, 0.02, 0.08),
    level: float = 0.95,
    seed: int = 0,
) -> dict[str, Any]:
    """What is found, and how surely, by area: observed and fitted, with the gap between two sources.

    Detection: logit p = f(x) + s g(x), with x = log₂(area / 1 %) and s = 1 for the second source, by Firth's
    penalised likelihood, which stays finite where one source misses nothing. f and g are natural cubic
    splines with three knots, so that each curve may bend once. Score, misses as zero: the same right-hand
    side by least squares. No coefficient says whether the gap grows towards small areas, for a curve need not
    be monotonic; ``widening`` does, from the observed rates alone: the gap below 1 % of the image less the
    gap above 4 %. Below zero, the second source falls off more than the control does, which is the paper's
    observation less the detector's part in it.

    Args:
        table: From :func:`judge_sources`.
        region: ``face`` or ``hand``.
        sources: Control and what is judged.
        areas: Shares of the image at which the gap is given.
        level: Confidence level.
        seed: Seed of the bootstrap. Prompts are resampled, both images of one together.

    Returns:
        ``region``, ``n`` (images of each source), ``coefficients`` (rows ``model``, ``term``, ``value``,
        ``low``, ``high``), ``gaps`` (rows ``model``, ``area``, each source's value, ``gap`` with ``low`` and
        ``high``: second − first), ``curves`` (rows ``model``, ``source``, ``area``, ``value``, ``low``,
        ``high``), ``bins`` and ``framings`` (observed rates: rows ``source``, ``area`` or ``framing``,
        ``value``, ``low``, ``high``, ``n``), ``widening`` (``value``, ``low``, ``high``, ``n``; without
        interval where a source has fewer than ten images on either side), ``level``.

    Raises:
        ValueError: A source with fewer than 10 images of the region, or all of one area.
    """
    rows = table[(table.region == region) & table.source.isin(sources)].reset_index(drop=True)
    counts = {source: int((rows.source == source).sum()) for source in sources}
    if min(counts.values()) < _LEAST or rows.area.nunique() < 2:
        needed = f"both sources with {region}s of several areas, at least {_LEAST} each"
        raise ValueError(f"table: needs {needed}, got {counts}")
    x, second = np.log2(rows.area.to_numpy() / AREA_UNIT), (rows.source == sources[1]).to_numpy(float)
    knots = np.quantile(x, _KNOTS)
    basis = _spline(x, knots)
    design = np.concatenate([basis, second[:, None] * basis], axis=1)
    weights = _resampled(rows, sources[1], seed)
    fits = {
        "found": firth_logistic(design, rows.found.to_numpy(float), weights),
        "score": least_squares(design, rows.score.to_numpy(float), weights),
    }
    coefficients, gaps, curves = [], [], []
    grid = np.geomspace(rows.area.min(), rows.area.max(), 25)
    for model, fitted in fits.items():
        for term, values in zip(_COEFFICIENTS, fitted.T, strict=True):
            coefficients.append({"model": model, "term": term} | _interval(values, level))
        first, other = _predicted(fitted, np.asarray(areas), knots, model)
        for place, area in enumerate(areas):
            row = {"model": model, "area": area, sources[0]: first[0, place], sources[1]: other[0, place]}
            interval = _interval((other - first)[:, place], level)
            gaps.append(row | {"gap": interval["value"], "low": interval["low"], "high": interval["high"]})
        for source, curve in zip(sources, _predicted(fitted, grid, knots, model), strict=True):
            for place, area in enumerate(grid):
                row = {"model": model, "source": source, "area": float(area)}
                curves.append(row | _interval(curve[:, place], level))
    found = {"coefficients": coefficients, "gaps": gaps, "curves": curves}
    observed = {
        "bins": _observed(rows.assign(area=_bin_names(rows.area)), "area", level),
        "framings": _observed(rows, "framing", level) if "framing" in rows else [],
        "widening": _widening(rows, second == 1, weights, level),
    }
    return {"region": region, "n": counts, **found, **observed, "level": level}


def _spline(x: NDArray, knots: NDArray) -> NDArray:
    """A natural cubic spline's columns: 1, x and one that bends between the knots, shape (n, 3)."""
    first, middle, last = knots
    if first < middle < last:
        cubes = [np.clip(x - knot, 0, None) ** 3 for knot in knots]
        share = (last - first) / (last - middle)
        bend = (cubes[0] - share * cubes[1] + (share - 1) * cubes[2]) / (last - first) ** 2
    else:  # areas of so few kinds allow no bend
        bend = np.zeros_like(x)
    return np.stack([np.ones_like(x), x, bend], axis=1)


def _bin_names(areas: pd.Series) -> NDArray:
    """Each area's bin, by its middle on the logarithmic scale."""
    edges = np.array([BINS[0] / 2, *BINS, BINS[-1] * 2])
    middles = np.sqrt(edges[:-1] * edges[1:])
    return middles[np.searchsorted(BINS, areas, side="right")]


def _observed(rows: pd.DataFrame, column: str, level: float) -> list[dict[str, Any]]:
    """Rates as they were seen; a source shows each prompt once, so its images are independent."""
    found = []
    for (source, value), own in rows.groupby(["source", column], sort=True):
        rate = estimate_proportion(int(own.found.sum()), len(own), level=level)
        found.append({"source": source, column: value} | rate.stored())
    return found


def _widening(rows: pd.DataFrame, second: NDArray, weights: NDArray, level: float) -> dict[str, Any]:
    """The gap below the least edge of the usual areas less the gap above the greatest."""
    found, area = rows.found.to_numpy(float), rows.area.to_numpy()
    sides = (area < AREA_EDGES[0], area >= AREA_EDGES[-1])
    least = min(int((side & one).sum()) for side in sides for one in (second, ~second))
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = {
            (side, one): weights[:, cells] @ found[cells] / weights[:, cells].sum(axis=1)
            for side in (0, 1)
            for one in (False, True)
            for cells in [sides[side] & (second == one)]
        }
    change = (rate[0, True] - rate[0, False]) - (rate[1, True] - rate[1, False])
    if least < _LEAST:
        return {"value": float(change[0]), "low": float("nan"), "high": float("nan"), "n": least}
    low, high = np.nanquantile(change[1:], [(1 - level) / 2, (1 + level) / 2])
    return {"value": float(change[0]), "low": float(low), "high": float(high), "n": least}


def _predicted(fitted: NDArray, areas: NDArray, knots: NDArray, model: str) -> tuple[NDArray, NDArray]:
    """What the model says of each source at these areas, shapes (fits, areas)."""
    basis = _spline(np.log2(areas / AREA_UNIT), knots)
    first = fitted[:, :3] @ basis.T
    second = first + fitted[:, 3:] @ basis.T
    if model == "found":
        return 1 / (1 + np.exp(-first)), 1 / (1 + np.exp(-second))
    return first, second


def _resampled(rows: pd.DataFrame, second: str, seed: int) -> NDArray:
    """Weights of each row, the sample itself first; prompts with a second image and those without apart."""
    random, weights = np.random.default_rng(seed), np.ones((_RESAMPLES + 1, len(rows)))
    paired = set(rows.image[rows.source == second])
    for images in (sorted(paired), sorted(set(rows.image) - paired)):
        if images:
            counts = random.multinomial(len(images), np.full(len(images), 1 / len(images)), size=_RESAMPLES)
            place = {image: column for column, image in enumerate(images)}
            for row, image in enumerate(rows.image):
                if image in place:
                    weights[1:, row] = counts[:, place[image]]
    return weights


def _interval(values: NDArray, level: float) -> dict[str, float]:
    """The first is the estimate, the others are resamples."""
    low, high = np.quantile(values[1:], [(1 - level) / 2, (1 + level) / 2])
    return {"value": float(values[0]), "low": float(low), "high": float(high)}


def framing_of(record: HumanRecord) -> str:
    """How much of a person a render shows; ``unknown`` where its metadata does not say."""
    return (record.metadata.get("attributes") or {}).get("framing", "unknown")


def _place(framing: str) -> int:
    return FRAMINGS.index(framing) if framing in FRAMINGS else len(FRAMINGS)
