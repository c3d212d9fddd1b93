"""One line of ``metadata.jsonl``: parsed and checked, with paths confined to the folder."""

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
"""Boxes that an image may have; left and right are the person's."""

KEYPOINTS = {
    "body": ("keypoints", 17),
    "left_hand": ("left_hand_keypoints", 21),
    "right_hand": ("right_hand_keypoints", 21),
}
"""Name → key in the metadata, number of points: COCO order for the body, MediaPipe's for hands."""

_MOST_REPEATS = 999_999
_LARGEST = 1e9  # of coordinates and degrees; JSON's numbers have no bound


@dataclass(frozen=True)
class HumanRecord:
    """One annotated image, not yet loaded.

    ``masks`` maps a region to its file, or to ``None`` if the metadata says that the image has none.
    ``repeats`` is the number of occurrences per epoch. ``place`` is file and line, for messages.
    """

    image: Path
    text: str
    masks: Mapping[str, Path | None]
    conditions: Mapping[str, Path] = field(default_factory=dict)
    boxes: Mapping[str, Box | None] = field(default_factory=dict)
    keypoints: Mapping[str, np.ndarray] = field(default_factory=dict)
    face_yaw: float | None = None
    repeats: int = 1
    metadata: Mapping[str, Any] = field(default_factory=dict)
    place: str = ""


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in names if names.count(name) > 1)!r} is there twice")
    return found


def read_record(
    line: str, place: str, root: Path, regions: tuple[str, ...], conditions: tuple[str, ...]
) -> HumanRecord:
    """Parse one metadata line. Every error names ``place``.

    Masks and conditions that are not requested may be missing, but paths of conditions must stay inside
    ``root``.

    Raises:
        ValueError: The line is not a JSON object, a key is missing or malformed, or a path leaves ``root``.
        FileNotFoundError: A listed file is missing.
    """
    try:
        entry = json.loads(line, object_pairs_hook=_distinct)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{place}: not a JSON object ({error})") from error
    if not isinstance(entry, dict):
        raise ValueError(f"{place}: must be a JSON object, got {type(entry).__name__}")

    text = entry.get("text")
    if not isinstance(text, str) or not text.strip() or not _is_unicode(text):
        raise ValueError(f"{place}: caption missing: 'text' must be a non-empty string, got {text!r}")
    yaw = entry.get("face_yaw")
    if yaw is not None and not _are_numbers([yaw]):
        raise ValueError(f"{place}: 'face_yaw' must be degrees or null, got {yaw!r}")
    repeats = entry.get("repeats", 1)
    if type(repeats) is not int or not 1 <= repeats <= _MOST_REPEATS:
        raise ValueError(f"{place}: 'repeats' must be from 1 to {_MOST_REPEATS}, got {repeats!r}")
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
        repeats=repeats,
        metadata=entry,
        place=place,
    )


def _file(entry: dict, key: str, place: str, root: Path) -> Path:
    path = _inside(entry, key, place, root)
    try:
        there = path.is_file()
    except OSError as error:  # a name that is too long
        raise ValueError(f"{place}: {key!r} names no file: {error.strerror}") from error
    if not there:
        raise FileNotFoundError(f"{place}: {key!r} names a missing file: {entry[key]!r}")
    return path


def _inside(entry: dict, key: str, place: str, root: Path) -> Path:
    name = entry.get(key)
    if not isinstance(name, str) or not name:
        raise ValueError(f"{place}: {key!r} must name a file, got {name!r}")
    try:
        path = (root / name).resolve()
    except (OSError, RuntimeError, ValueError) as error:
        raise ValueError(f"{place}: {key!r} names no file: {error}") from error
    if not path.is_relative_to(root.resolve()):
        raise ValueError(f"{place}: {key!r} leaves the data set's folder: {name!r}")
    return path


def _mask(entry: dict, key: str, place: str, root: Path) -> Path | None:
    # null means "none in this image"; a missing key means not annotated and must not count as null.
    if key not in entry:
        raise ValueError(f"{place}: {key!r} is missing; annotate the region, or write null for none")
    return None if entry[key] is None else _file(entry, key, place, root)


def _box(entry: dict, key: str, place: str) -> Box | None:
    box = entry[key]
    if box is None:
        return None
    numbers = isinstance(box, list) and len(box) == 4 and _are_numbers(box)
    if not numbers or not (box[0] < box[2] and box[1] < box[3]):
        raise ValueError(f"{place}: {key!r} must be [x0, y0, x1, y1] with x0 < x1, y0 < y1, got {box}")
    return tuple(box)


def _points(entry: dict, key: str, count: int, place: str) -> np.ndarray:
    try:
        points = np.asarray(entry[key], dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        points = np.empty(0)
    if points.shape != (count, 3) or not np.isfinite(points).all():
        raise ValueError(f"{place}: {key!r} must be {count} finite triples [x, y, visibility]")
    return points


def _are_numbers(values: list[Any]) -> bool:
    return all(isinstance(value, (int, float)) and abs(value) < _LARGEST for value in values)


def _is_unicode(text: str) -> bool:
    """JSON can contain unpaired surrogates, which no encoding can represent."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)
