"""One line of ``metadata.jsonl``: parsed, checked, its paths kept inside the folder."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from fairhuman.boxes import Box
from fairhuman.data._condition import CONDITIONS

__all__ = ["BOXES", "KEYPOINTS", "HumanRecord", "read_record"]

BOXES = ("face", "left_hand", "right_hand", "left_foot", "right_foot")
"""Boxes an image may have; left and right are the person's own."""

KEYPOINTS = {
    "body": ("keypoints", 17),
    "left_hand": ("left_hand_keypoints", 21),
    "right_hand": ("right_hand_keypoints", 21),
}
"""Name → key in the metadata, number of points: COCO order for the body, MediaPipe's for hands."""


@dataclass(frozen=True)
class HumanRecord:
    """One annotated image, not yet loaded.

    ``masks`` maps a region to its file, or to ``None`` when the metadata says the image has none.
    ``place`` is file and line, for messages.
    """

    image: Path
    text: str
    masks: Mapping[str, Path | None]
    conditions: Mapping[str, Path] = field(default_factory=dict)
    boxes: Mapping[str, Box | None] = field(default_factory=dict)
    keypoints: Mapping[str, np.ndarray] = field(default_factory=dict)
    face_yaw: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""


def read_record(
    line: str, place: str, root: Path, regions: tuple[str, ...], conditions: tuple[str, ...]
) -> HumanRecord:
    """Parse one metadata line. Every error names ``place``.

    Masks and conditions that are not asked for may be absent, but no path of a condition leaves ``root``.

    Raises:
        ValueError: No JSON object, a key missing or malformed, a path that leaves ``root``.
        FileNotFoundError: A file that is named but not there.
    """
    try:
        entry = json.loads(line)
    except json.JSONDecodeError as error:
        raise ValueError(f"{place}: not a JSON object ({error})") from error
    if not isinstance(entry, dict):
        raise ValueError(f"{place}: must be a JSON object, got {type(entry).__name__}")

    text = entry.get("text")
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"{place}: caption missing: 'text' must be a non-empty string, got {text!r}")
    yaw = entry.get("face_yaw")
    if yaw is not None and not isinstance(yaw, (int, float)):
        raise ValueError(f"{place}: 'face_yaw' must be degrees or null, got {yaw!r}")
    for key in (f"{name}_file_name" for name in CONDITIONS if name not in conditions):
        if entry.get(key) is not None:
            _inside(entry, key, place, root)
    return HumanRecord(
        image=_file(entry, "file_name", place, root),
        text=text,
        masks={name: _mask(entry, f"{name}_mask_file_name", place, root) for name in regions},
        conditions={name: _file(entry, f"{name}_file_name", place, root) for name in conditions},
        boxes={name: _box(entry, f"{name}_box", place) for name in BOXES if f"{name}_box" in entry},
        keypoints={
            name: _points(entry, key, count, place)
            for name, (key, count) in KEYPOINTS.items()
            if entry.get(key) is not None
        },
        face_yaw=yaw,
        metadata=entry,
        place=place,
    )


def _file(entry: dict, key: str, place: str, root: Path) -> Path:
    path = _inside(entry, key, place, root)
    if not path.is_file():
        raise FileNotFoundError(f"{place}: {key!r} names a file that is not there: {entry[key]!r}")
    return path


def _inside(entry: dict, key: str, place: str, root: Path) -> Path:
    name = entry.get(key)
    if not isinstance(name, str) or not name:
        raise ValueError(f"{place}: {key!r} must name a file, got {name!r}")
    path = (root / name).resolve()
    if not path.is_relative_to(root.resolve()):
        raise ValueError(f"{place}: {key!r} leaves the data set's folder: {name!r}")
    return path


def _mask(entry: dict, key: str, place: str, root: Path) -> Path | None:
    # null says "none in this image"; a missing key says nobody looked, which must not pass for it.
    if key not in entry:
        raise ValueError(f"{place}: {key!r} is missing; annotate the region, or write null for none")
    return None if entry[key] is None else _file(entry, key, place, root)


def _box(entry: dict, key: str, place: str) -> Box | None:
    box = entry[key]
    if box is None:
        return None
    numbers = (
        isinstance(box, list) and len(box) == 4 and all(isinstance(value, (int, float)) for value in box)
    )
    if not numbers or not (box[0] < box[2] and box[1] < box[3]):
        raise ValueError(f"{place}: {key!r} must be [x0, y0, x1, y1] with x0 < x1, y0 < y1, got {box}")
    return tuple(box)


def _points(entry: dict, key: str, count: int, place: str) -> np.ndarray:
    try:
        points = np.asarray(entry[key], dtype=np.float64)
    except (TypeError, ValueError):
        points = np.empty(0)
    if points.shape != (count, 3) or not np.isfinite(points).all():
        raise ValueError(f"{place}: {key!r} must be {count} finite triples [x, y, visibility]")
    return points
