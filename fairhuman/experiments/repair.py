"""Small regions judged enlarged and re-inpainted: does the detector fail, or the model?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd
from PIL import Image

from fairhuman.detectors import Detection, detect
from fairhuman.evaluation.statistics import estimate_proportion, paired_difference
from fairhuman.experiments.close_ups import (
    Square,
    close_up,
    close_up_prompts,
    redraw_close_ups,
    region_square,
)
from fairhuman.experiments.motivation import REGIONS, judge_sources
from fairhuman.images import as_rgb

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

    from fairhuman.data import HumanRecord

__all__ = ["VIEWS", "Repair", "judge_enlarged", "judge_repairs", "repair_gain", "repair_small", "view_rates"]

VIEWS = ("as it is", "enlarged", "drawn anew", "drawn anew, enlarged")
"""Ways to look at a region: in the whole image, cut out and enlarged, and the same two after a repair."""


@dataclass(frozen=True)
class Repair:
    """The generated images of one region, before and after.

    Attributes:
        numbers: Which record each belongs to.
        before, after: The images.
        squares: The re-inpainted squares, (x0, y0, x1, y1) in pixels.
    """

    numbers: list[int]
    before: list[Image.Image]
    after: list[Image.Image]
    squares: list[Square]


def judge_enlarged(
    table: pd.DataFrame,
    generated: Mapping[int, Image.Image],
    truth: pd.DataFrame,
    records: Sequence[HumanRecord],
    seen: Mapping[str, Mapping[int, Detection]],
    *,
    margin: float = 1.0,
    workers: int = 1,
) -> pd.DataFrame:
    """Each region of a table cut out of its image, enlarged, and judged again.

    Args:
        table: From :func:`fairhuman.experiments.motivation.judge_sources`, with ``renders`` and
            ``generated``.
        generated: Record's number → generated image.
        truth, records: As there.
        seen: Source → record's number → what was found in that image: where to cut.
        margin: See :func:`fairhuman.experiments.close_ups.region_square`.
        workers: Processes of the detectors.

    Returns:
        The rows of the table as view ``as it is`` and as many as view ``enlarged``.
    """
    views = [table.assign(view=VIEWS[0])]
    for region in REGIONS:
        found, numbers = {}, {}
        for source in table.source.unique():
            images = table.image[(table.region == region) & (table.source == source)].tolist()
            pictures = [
                generated[n] if source == "generated" else Image.fromarray(as_rgb(records[n].image))
                for n in images
            ]
            cuts = [
                close_up(picture, _square(records[n], region, margin, seen[source][n]))
                for n, picture in zip(images, pictures, strict=True)
            ]
            found[source], numbers[source] = detect(cuts, workers=workers), images
        views.append(_of_region(judge_sources(found, numbers, truth, records), region, VIEWS[1]))
    return pd.concat(views, ignore_index=True)


def _square(record: HumanRecord, region: str, margin: float, detection: Detection) -> Square:
    square = region_square(record, region, margin, detection)
    if square is None:
        raise ValueError(f"{record.place}: has no {region} to cut out")
    return square


def repair_small(
    pipeline: StableDiffusionXLPipeline,
    table: pd.DataFrame,
    generated: Mapping[int, Image.Image],
    records: Sequence[HumanRecord],
    seen: Mapping[int, Detection],
    *,
    small: float,
    margin: float = 1.0,
    **options: Any,
) -> dict[str, Repair]:
    """Re-inpaint the small regions of generated images.

    Args:
        pipeline: With which the images were generated.
        table, generated, records, margin: As in :func:`judge_enlarged`.
        seen: Record's number → what was found in its generated image, which is where ADetailer draws too;
            where nothing was, the render tells the place.
        small: Largest area that is repaired, a share of the image.
        options: Options of :func:`fairhuman.experiments.close_ups.redraw_close_ups`.

    Returns:
        Region → its repair.
    """
    repairs = {}
    rows = table[(table.source == "generated") & (table.area <= small)]
    for region in REGIONS:
        numbers = rows.image[rows.region == region].tolist()
        squares = [_square(records[n], region, margin, seen[n]) for n in numbers]
        before = [generated[n] for n in numbers]
        prompts = close_up_prompts([records[n] for n in numbers], region)
        after = redraw_close_ups(pipeline, before, squares, prompts, **options)
        repairs[region] = Repair(numbers, before, after, squares)
    return repairs


def judge_repairs(
    repairs: Mapping[str, Repair],
    truth: pd.DataFrame,
    records: Sequence[HumanRecord],
    *,
    workers: int = 1,
) -> pd.DataFrame:
    """The repaired images judged whole, and their regions cut out and enlarged: views three and four."""
    views = []
    for region, repair in repairs.items():
        cuts = [close_up(image, square) for image, square in zip(repair.after, repair.squares, strict=True)]
        for view, pictures in zip(VIEWS[2:], (repair.after, cuts), strict=True):
            found = {"generated": detect(pictures, workers=workers)}
            table = judge_sources(found, {"generated": repair.numbers}, truth, records)
            views.append(_of_region(table, region, view))
    return pd.concat(views, ignore_index=True)


def view_rates(views: pd.DataFrame, small: float, *, level: float = 0.95) -> list[dict[str, Any]]:
    """Share found by region, source and view, among the small regions alone: the same images in each row."""
    rows = views[views.area <= small]
    rates = []
    for region in REGIONS:
        for view in VIEWS:
            for source in ("renders", "generated"):
                chosen = rows[(rows.region == region) & (rows["view"] == view) & (rows.source == source)]
                if len(chosen):
                    rate = estimate_proportion(int(chosen.found.sum()), len(chosen), level=level)
                    rates.append({"region": region, "source": source, "view": view} | rate.stored())
    return rates


def repair_gain(
    views: pd.DataFrame, small: float, *, view: str = "drawn anew", level: float = 0.95, seed: int = 0
) -> list[dict[str, Any]]:
    """How many more of the small regions are found after a repair, image by image.

    Args:
        views: Rows of :func:`judge_sources` with ``view``: ``as it is`` and the repaired one.
        small: Largest area of the regions compared, a share of the image.
        view: Which repair.
        level: Confidence level.
        seed: Seed of the resampling.

    Returns:
        One row per region: ``region``, ``view`` and an estimate of the difference of the share found.
    """
    rows = views[(views.source == "generated") & (views.area <= small)]
    gains = []
    for region, table in rows.groupby("region", sort=False):
        found = table.pivot(index="image", columns="view", values="found").dropna(subset=[view])
        before, after = found["as it is"].astype(float), found[view].astype(float)
        gain = paired_difference(before, after, bounds=(0, 1), level=level, seed=seed)
        gains.append({"region": region, "view": view} | gain.stored())
    return gains


def _of_region(table: pd.DataFrame, region: str, view: str) -> pd.DataFrame:
    return table[table.region == region].assign(view=view)
