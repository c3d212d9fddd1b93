"""What only images that follow a pose and depth can be asked: in its place, in its crop, and as a pose."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from PIL import Image

from fairhuman.data import HumanRecord
from fairhuman.evaluation.detectors import Box, Detection, detect_crops, match_regions
from fairhuman.evaluation.evaluate._rows import Row, crop_rows, detection_rows, pose_rows
from fairhuman.evaluation.pose_alignment import detect_poses

if TYPE_CHECKING:
    from fairhuman.evaluation.evaluate._evaluate import EvaluateSettings

__all__ = ["posed_rows"]

_REGION = {"face": "face", "left_hand": "hand", "right_hand": "hand"}


def posed_rows(
    paths: Sequence[Path],
    records: Sequence[HumanRecord],
    found: Sequence[Detection],
    truth: pd.DataFrame,
    settings: EvaluateSettings,
) -> list[Row]:
    """Rows of the groups ``in place``, ``crops`` and ``pose``, those that are wanted.

    Boxes and keypoints are scaled from the annotated image to the one judged. Crops are cut where a face or
    hand is to be expected.

    Args:
        paths: The images.
        records: What each should show.
        found: What was found in each.
        truth: Of :func:`fairhuman.evaluation.expected_regions`.
        settings: How images are judged.
    """
    sure = {"level": settings.level, "seed": settings.seed}
    ratios = [_ratio(record, one) for record, one in zip(records, found, strict=True)]
    boxes = [
        {name: _scaled(record.boxes.get(name), *ratio) for name in _REGION}
        for record, ratio in zip(records, ratios, strict=True)
    ]
    rows: list[Row] = []
    if "in place" in settings.groups:
        rows += detection_rows(match_regions(found, boxes), truth, "in place", **sure)
    if "crops" in settings.groups:
        wanted: list[Mapping[str, Box | None]] = [
            {name: box for name, box in own.items() if truth[f"{_REGION[name]}_expected"].iloc[place]}
            for place, own in enumerate(boxes)
        ]
        rows += crop_rows(detect_crops(paths, wanted, **settings.detecting), **sure)
    if "pose" in settings.groups:
        none = np.zeros((17, 3))
        joints = [
            record.keypoints.get("body", none) * [*ratio, 1]
            for record, ratio in zip(records, ratios, strict=True)
        ]
        rows += pose_rows(joints, detect_poses(paths, **settings.detecting), **sure)
    return rows


def _ratio(record: HumanRecord, found: Detection) -> tuple[float, float]:
    """Size of the image judged over that of the annotated one, across and down."""
    size = record.metadata.get("width"), record.metadata.get("height")
    if None in size:
        with Image.open(record.image) as image:
            size = image.size
    return found.width / size[0], found.height / size[1]


def _scaled(box: Box | None, across: float, down: float) -> Box | None:
    return box and (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
