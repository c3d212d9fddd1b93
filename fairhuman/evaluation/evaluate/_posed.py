"""What only images that follow a pose and depth can be asked: in its place, its crop, its pose and depth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from fairhuman.boxes import Box
from fairhuman.data import HumanRecord
from fairhuman.data.annotation import DepthModel
from fairhuman.detectors import Detection, match_regions
from fairhuman.evaluation._depth import check_depth, estimate_depths, load_depth_model, read_depth
from fairhuman.evaluation.crops import detect_crops
from fairhuman.evaluation.evaluate._rows import Row, crop_rows, depth_rows, detection_rows, pose_rows
from fairhuman.evaluation.pose_alignment import detect_poses
from fairhuman.images import read_picture

if TYPE_CHECKING:
    from fairhuman.evaluation.evaluate._evaluate import EvaluateSettings

__all__ = ["posed_depth_model", "posed_rows"]

_NO_DEPTH_MODEL = "no depth model; name the folder of one that transformers can read (--depth-model)"

_REGION = {"face": "face", "left_hand": "hand", "right_hand": "hand"}


def posed_depth_model(
    asked: Mapping[str, Sequence[HumanRecord]] | None, settings: EvaluateSettings
) -> DepthModel | None:
    """The depth model that the settings name, if depths are wanted.

    Args:
        asked: System to what its images should show.
        settings: How images are judged.

    Raises:
        FileNotFoundError, OSError, ValueError: Nothing asked, without a depth or with one that cannot be
            read; no model that can be loaded.
    """
    if settings.depth_model is None or "depth" not in settings.groups:
        return None
    if asked is None:
        raise ValueError("depth_model: needs asked, the data set whose depths the images follow, found none")
    for record in chain.from_iterable(asked.values()):
        if "depth" not in record.conditions:
            raise ValueError(f"asked: must be read with conditions=('depth',), found none of {record.place}")
        check_depth(record.conditions["depth"])
    return load_depth_model(settings.depth_model, settings.device)


def posed_rows(
    paths: Sequence[Path],
    records: Sequence[HumanRecord],
    found: Sequence[Detection],
    truth: pd.DataFrame,
    settings: EvaluateSettings,
    depth_model: DepthModel | None = None,
) -> list[Row]:
    """Rows of the groups ``in place``, ``crops``, ``pose`` and ``depth``, those that are wanted.

    Boxes, keypoints and depths are scaled from the annotated image to the one judged. Crops are cut where a
    face or hand is to be expected.

    Args:
        paths: The images.
        records: What each should show.
        found: What was found in each.
        truth: From :func:`fairhuman.evaluation.expected_regions`.
        settings: How images are judged.
        depth_model: Estimates depths; without it these rows are empty.
    """
    options: dict[str, Any] = {"level": settings.level, "seed": settings.seed}
    ratios = [_ratio(record, one) for record, one in zip(records, found, strict=True)]
    boxes = [
        {name: _scaled(record.boxes.get(name), *ratio) for name in _REGION}
        for record, ratio in zip(records, ratios, strict=True)
    ]
    rows: list[Row] = []
    if "in place" in settings.groups:
        rows += detection_rows(match_regions(found, boxes), truth, "in place", **options)
    if "crops" in settings.groups:
        wanted: list[Mapping[str, Box | None]] = [
            {name: box for name, box in regions.items() if truth[f"{_REGION[name]}_expected"].iloc[place]}
            for place, regions in enumerate(boxes)
        ]
        rows += crop_rows(detect_crops(paths, wanted, **settings.detecting), **options)
    if "pose" in settings.groups:
        none = np.zeros((17, 3))
        joints = [
            record.keypoints.get("body", none) * [*ratio, 1]
            for record, ratio in zip(records, ratios, strict=True)
        ]
        rows += pose_rows(joints, detect_poses(paths, **settings.detecting), **options)
    if "depth" in settings.groups and depth_model is not None:
        depths = (
            read_depth(record.conditions["depth"], (one.height, one.width))
            for record, one in zip(records, found, strict=True)
        )
        rows += depth_rows(depths, estimate_depths(paths, depth_model, progress=settings.progress), **options)
    elif "depth" in settings.groups:
        rows += depth_rows([], [], absent=_NO_DEPTH_MODEL, **options)
    return rows


def _ratio(record: HumanRecord, found: Detection) -> tuple[float, float]:
    """Size of the image judged over that of the annotated one, across and down."""
    width, height = record.metadata.get("width"), record.metadata.get("height")
    if width is None or height is None:
        height, width = read_picture(record.image).pixels.shape[:2]
    return found.width / width, found.height / height


def _scaled(box: Box | None, across: float, down: float) -> Box | None:
    return box and (box[0] * across, box[1] * down, box[2] * across, box[3] * down)
