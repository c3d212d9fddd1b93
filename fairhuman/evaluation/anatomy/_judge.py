"""Evaluation of individual faces and hands: detection when enlarged, shape, gesture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from fairhuman.boxes import Box, is_inside, middle
from fairhuman.data import HumanRecord
from fairhuman.detectors import (
    Hand,
    detect,
    detect_all_hands,
    detect_bodies,
    detect_meshes,
    detect_second_faces,
    has_second_detector,
)
from fairhuman.evaluation.anatomy._fingers import GESTURE_FINGERS, extended_fingers
from fairhuman.evaluation.anatomy._places import HANDS, REGIONS, place_regions
from fairhuman.evaluation.anatomy._shape import FaceShapes
from fairhuman.evaluation.crops import cut_crops
from fairhuman.evaluation.truth import HAND_LEAST_AREA, expected_regions
from fairhuman.images import ImageLike, read_mask

__all__ = ["Anatomy", "judge_anatomy"]


@dataclass(frozen=True)
class Anatomy:
    """Results for the faces and hands in one system's images.

    Attributes:
        regions: One row per expected face or hand: ``image``, ``region`` (``face``, ``left_hand``,
            ``right_hand``), ``kind`` (``face``, ``hand``), ``framing``, ``area`` (requested fraction of the
            image for the face, or for both hands together), ``placed`` (the source of its position: see
            :func:`place_regions`), ``whole`` (found in the whole image), ``crop`` (found in the enlarged
            crop), and of faces ``second`` (found there by the second detector; None if it is not installed)
            and ``shape`` (whether its mesh is within the range of renders; False without a mesh).
        images: One row per image: ``image``, ``framing``, ``hands_asked`` (in its record), ``hands_found``,
            ``gesture`` (the requested gesture; None if not in :data:`GESTURE_FINGERS`) and, for images with a
            gesture, ``hand`` (whether a hand is found in its crop) and ``fingers`` (whether it extends
            exactly these fingers; False without a hand).
    """

    regions: pd.DataFrame
    images: pd.DataFrame


def judge_anatomy(
    images: Sequence[ImageLike],
    records: Sequence[HumanRecord],
    *,
    shapes: FaceShapes | None = None,
    **options: Any,
) -> Anatomy:
    """Evaluate every requested face and hand at its position from :func:`place_regions`.

    A face or hand counts as found in its crop if the centre of the detection lies in the central half of the
    crop; a face in a hand's crop does not count. As in brief captions, either hand may make a gesture: the
    highest hand found in a crop is used, because the other one hangs down.

    Args:
        images: As for :func:`fairhuman.detectors.detect`.
        records: The target of each image, read with the regions ``face`` and ``hand``.
        shapes: Face shapes of renders. Default: those shipped with the package.
        options: Detector options: ``workers``, ``threshold``, ``progress``, ``cache``.

    Raises:
        ValueError: Different numbers of images and records, a record without masks.
    """
    shapes = FaceShapes.load() if shapes is None else shapes
    truth = expected_regions(records)
    found, hands = detect(images, **options), detect_all_hands(images, **options)
    placed = place_regions(records, found, hands, detect_bodies(images, **options))
    asked = [_asked(record, face) for record, face in zip(records, truth.face_expected, strict=True)]
    boxes = [
        {name: place.box for name, place in places.items() if name in names}
        for places, names in zip(placed, asked, strict=True)
    ]
    places, crops = cut_crops(images, boxes, least_box=0.0)
    faces = [crop for crop, name in zip(crops, places.region, strict=True) if name == "face"]
    seen = detect(crops, **options)
    meshes = iter(detect_meshes(faces, **options))
    untold = {name: value for name, value in options.items() if name != "threshold"}
    second = iter(detect_second_faces(faces, **untold)) if has_second_detector() else None
    rows, raised = [], {}
    for place, crop, one in zip(places.itertuples(), crops, seen, strict=True):
        number, name, side = place.image, place.region, len(crop)
        where = placed[number][name]
        row = {
            "image": number,
            "region": name,
            "kind": REGIONS[name],
            "framing": framing_of(records[number]),
            "area": float(truth[f"{REGIONS[name]}_area"].iloc[number]),
            "placed": where.by,
        }
        if name == "face":
            mesh = next(meshes)
            row["whole"] = bool(found[number].faces)
            row["crop"] = _centred([face.box for face in one.faces], side)
            row["second"] = second and _centred([face.box for face in next(second)], side)
            row["shape"] = mesh is not None and shapes.holds(mesh)
        else:
            row["whole"] = where.by == "found"
            inside = [hand for hand in one.hands if is_inside(hand.middle, [_middle_half(side)])]
            row["crop"] = bool(inside)
            height = middle(where.box)[1]
            if inside and height < raised.get(number, (np.inf, None))[0]:
                raised[number] = height, inside[0]
        rows.append(row)
    images_seen = [
        _image_row(number, record, hands[number], raised.get(number, (0.0, None))[1])
        for number, record in enumerate(records)
    ]
    return Anatomy(pd.DataFrame(rows, columns=_REGION_COLUMNS), pd.DataFrame(images_seen))


_REGION_COLUMNS = (
    "image", "region", "kind", "framing", "area", "placed", "whole", "crop", "second", "shape"
)  # fmt: skip


def framing_of(record: HumanRecord) -> str:
    """The framing of a render; ``unknown`` for other images."""
    return (record.metadata.get("attributes") or {}).get("framing", "unknown")


def _asked(record: HumanRecord, face: bool) -> list[str]:
    """The regions that a detector should find: faces expected from the annotation, and each sufficiently
    large hand."""
    asked = ["face"] if face else []
    shown = {name: box for name in HANDS if (box := record.boxes.get(name))}
    if shown and record.masks["hand"] is not None:
        mask = read_mask(record.masks["hand"]).pixels > 127
        for name, box in shown.items():
            x0, y0, x1, y1 = (round(edge) for edge in box)
            if mask[y0:y1, x0:x1].sum() >= HAND_LEAST_AREA * mask.size:
                asked.append(name)
    return asked


def _middle_half(side: int) -> Box:
    return side / 4, side / 4, 3 * side / 4, 3 * side / 4


def _centred(boxes: Sequence[Box], side: int) -> bool:
    return any(is_inside(middle(box), [_middle_half(side)]) for box in boxes)


def _image_row(
    number: int, record: HumanRecord, hands: Sequence[Hand], raised: Hand | None
) -> dict[str, Any]:
    facts = record.metadata.get("attributes") or {}
    gesture = facts.get("gesture") if facts.get("gesture") in GESTURE_FINGERS else None
    row = {
        "image": number,
        "framing": framing_of(record),
        "hands_asked": sum(record.boxes.get(name) is not None for name in HANDS),
        "hands_found": len(hands),
        "gesture": gesture,
        "hand": None,
        "fingers": None,
    }
    if gesture is not None:
        landmarks = None if raised is None else raised.landmarks
        row["hand"] = raised is not None
        row["fingers"] = landmarks is not None and extended_fingers(landmarks) == GESTURE_FINGERS[gesture]
    return row
