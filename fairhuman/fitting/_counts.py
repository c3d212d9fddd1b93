"""Face and hand counts in the images before and after, and in their enlarged crops."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairhuman.boxes import is_inside, middle
from fairhuman.data import HumanRecord
from fairhuman.detectors import Detection, Hand, detect, detect_all_hands, detect_bodies
from fairhuman.evaluation.anatomy import GESTURE_FINGERS, REGIONS, extended_fingers, place_regions
from fairhuman.evaluation.crops import cut_crops
from fairhuman.evaluation.statistics import paired_difference
from fairhuman.results import plain

__all__ = ["MEASURES", "Seen", "compare_counts", "count_regions"]

MEASURES: Final = {
    "face found": "fraction of images with a detected face",
    "face found enlarged": "fraction with a face detected in the enlarged crop around the face or head",
    "hand found": "fraction of images with a detected hand",
    "hand found enlarged": "fraction with a hand detected in the enlarged crop around a hand or wrist",
    "hands": "detected hands per image",
    "stray hands": "hands per image in excess of two per detected face, or of two if there is no face",
    "fingers": "for prompts with a gesture, fraction whose highest hand extends exactly its fingers",
}
"""Measure → description. The best value is 0 for ``stray hands`` and 1 for all others except ``hands``."""
_A_PERSONS_HANDS: Final = 2


@dataclass(frozen=True)
class Seen:
    """Detections in one system's images.

    Attributes:
        table: One row per image: ``prompt`` and a column for each of :data:`MEASURES`; ``fingers`` is NaN if
            the prompt names no gesture.
        crops: (image, region) → enlarged crop, shape (S, S, 3), uint8; regions are ``face``, ``left_hand``
            and ``right_hand``.
        found: (image, region) → whether the region is detected there.
    """

    table: pd.DataFrame
    crops: Mapping[tuple[int, str], NDArray[np.uint8]] = field(repr=False)
    found: Mapping[tuple[int, str], bool] = field(repr=False)


def count_regions(paths: Sequence[Path], prompts: Sequence[str], **options: Any) -> Seen:
    """Detect faces and hands in images and in enlarged crops.

    A region's position comes from its detection, or else from the body's landmarks. In its crop, it counts as
    found if its centre lies in the central half.

    Args:
        paths: The images.
        prompts: The prompt of each.
        options: Detector options: ``workers``, ``threshold``, ``progress``, ``cache``.
    """
    seen, hands = detect(paths, **options), detect_all_hands(paths, **options)
    placed = place_regions(
        [_everywhere(path, text, one) for path, text, one in zip(paths, prompts, seen, strict=True)],
        seen,
        hands,
        detect_bodies(paths, **options),
    )
    boxes = [{name: one.box for name, one in found.items() if one.by != "render"} for found in placed]
    places, pictures = cut_crops(paths, boxes, least_box=1.0)
    crops, found, raised = {}, {}, {}
    for place, picture, one in zip(places.itertuples(), pictures, detect(pictures, **options), strict=True):
        key = int(place.image), str(place.region)
        inside = _inside(one, REGIONS[key[1]], len(picture))
        crops[key], found[key] = picture, bool(inside)
        height = middle(boxes[key[0]][key[1]])[1]
        if key[1] != "face" and inside and height < raised.get(key[0], (np.inf, None))[0]:
            raised[key[0]] = height, inside[0]
    rows = []
    for number, (text, one, here) in enumerate(zip(prompts, seen, hands, strict=True)):
        hand = any(found.get((number, name), False) for name, kind in REGIONS.items() if kind == "hand")
        allowed = _A_PERSONS_HANDS * max(1, len(one.faces))
        values = (
            bool(one.faces),
            found.get((number, "face"), False),
            bool(here),
            hand,
            len(here),
            max(0, len(here) - allowed),
            _gesture_shown(text, raised.get(number, (0.0, None))[1]),
        )
        rows.append([text, *map(float, values)])
    return Seen(pd.DataFrame(rows, columns=["prompt", *MEASURES]), crops, found)


def compare_counts(before: Seen, after: Seen, *, level: float = 0.95, seed: int = 0) -> list[dict[str, Any]]:
    """Each measure before and after; images of the same prompt are averaged first.

    Args:
        before, after: For the same prompts and noise.
        level: Confidence level of each difference.
        seed: Seed of the resampling.

    Returns:
        For each measure with a value: ``measure``, ``before``, ``after``, ``difference`` (after − before)
        with ``low`` and ``high``, ``n`` (prompts), ``supported`` (the interval excludes 0). Non-finite
        numbers are None.
    """
    rows = []
    for measure in MEASURES:
        first, second = (one.table.groupby("prompt", sort=False)[measure].mean() for one in (before, after))
        there = first.notna()
        if not there.any():
            continue
        first, second = first[there], second[there]
        bounds = None if measure in ("hands", "stray hands") else (0.0, 1.0)
        estimate = paired_difference(first, second, bounds=bounds, level=level, seed=seed)
        row = {"measure": measure, "before": float(first.mean()), "after": float(second.mean())}
        row |= {"difference": estimate.value, "low": estimate.low, "high": estimate.high, "n": estimate.n}
        rows.append(row | {"supported": bool(estimate.excludes(0))})
    return plain(rows)


def _everywhere(path: Path, text: str, seen: Detection) -> HumanRecord:
    """Expected regions: a face and both hands, anywhere."""
    whole = (0.0, 0.0, float(seen.width), float(seen.height))
    return HumanRecord(path, text, masks={}, boxes=dict.fromkeys(REGIONS, whole))


def _inside(seen: Detection, kind: str, side: int) -> list[Any]:
    half = [(side / 4, side / 4, 3 * side / 4, 3 * side / 4)]
    if kind == "face":
        return [face for face in seen.faces if is_inside(middle(face.box), half)]
    return [hand for hand in seen.hands if is_inside(hand.middle, half)]


def _gesture_shown(prompt: str, hand: Hand | None) -> float:
    named = [name for name in GESTURE_FINGERS if re.search(rf"\b{name}\b", prompt, re.IGNORECASE)]
    if len(named) != 1:
        return float("nan")
    shown = hand is not None and hand.landmarks is not None
    return float(shown and extended_fingers(hand.landmarks) == GESTURE_FINGERS[named[0]])
