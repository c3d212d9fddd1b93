"""The lines of another data set's ``metadata.jsonl`` in the two forms that can be imported."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairhuman.data.store import METADATA, REGIONS

__all__ = ["Line", "boxes_of", "file_of", "read_lines", "text_of"]


@dataclass(frozen=True)
class Line:
    """One image of the other data set: its line's number in the listing, what it says, its name.

    The name is that of its file; where an earlier line has the same, the line's number is added.
    """

    number: int
    entry: Mapping[str, Any]
    name: str

    @property
    def key(self) -> str:
        """What its files are called here: 16 hexadecimal digits."""
        return hashlib.blake2b(f"{self.number} {self.name}".encode(), digest_size=8).hexdigest()


def read_lines(source: Path, image_key: str) -> Iterator[Line]:
    """The lines of a folder's listing, one after the other.

    Raises:
        FileNotFoundError: No such folder or listing.
        ValueError: A line that is no JSON object or names no image; the message names it.
    """
    listing = source / METADATA
    if not listing.is_file():
        raise FileNotFoundError(f"source: {source} has no metadata.jsonl")
    names: set[str] = set()
    with listing.open("rb") as lines:
        for number, text in enumerate(lines, start=1):
            if not text.strip():
                continue
            try:
                entry = json.loads(text.decode())
            except ValueError as error:
                raise ValueError(f"{listing}, line {number}: not a JSON object ({error})") from error
            name = entry.get(image_key) if isinstance(entry, dict) else None
            if not isinstance(name, str) or not name:
                raise ValueError(f"{listing}, line {number}: {image_key!r} must name a file, got {name!r}")
            yield Line(number, entry, f"{name} (line {number})" if name in names else name)
            names.add(name)


def file_of(source: Path, line: Line, key: str) -> Path:
    """The file that a line names, inside the folder.

    Raises:
        ValueError: No name, or one that leaves the folder.
    """
    name = line.entry.get(key)
    if not isinstance(name, str) or not name:
        raise ValueError(f"line {line.number}: {key!r} must name a file, got {name!r}")
    path = source / name
    if not path.resolve().is_relative_to(source.resolve()):
        raise ValueError(f"line {line.number}: {key!r} leaves the data set's folder: {name!r}")
    return path


def text_of(line: Line, key: str) -> str:
    """The caption of a line."""
    text = line.entry.get(key)
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"line {line.number}: {key!r} must be a caption, got {text!r}")
    return text.strip()


def boxes_of(line: Line, categories: Mapping[str, str]) -> dict[str, list[list[float]]]:
    """Boxes (x0, y0, x1, y1) of faces and hands.

    Read are ``face_boxes`` and ``hand_boxes``, which are such corners; or ``objects`` as Hugging Face's
    ImageFolder has it, with ``bbox`` (x, y, width, height) and ``categories`` or ``category``.

    Args:
        line: The line.
        categories: What the data set calls its categories, to ``face`` or ``hand``; others are passed over.

    Raises:
        ValueError: Neither is there, or something is no list of boxes with an extent.
    """
    entry = line.entry
    if all(f"{region}_boxes" in entry for region in REGIONS):
        return {
            region: [_corners(box, line, extent=False) for box in _listed(line, entry, f"{region}_boxes")]
            for region in REGIONS
        }
    objects = entry.get("objects")
    if not isinstance(objects, dict) or "bbox" not in objects:
        raise ValueError(f"line {line.number}: needs 'face_boxes' and 'hand_boxes', or 'objects' with 'bbox'")
    boxes = _listed(line, objects, "bbox")
    names = objects.get("categories", objects.get("category"))
    if not isinstance(names, list) or len(names) != len(boxes):
        raise ValueError(f"line {line.number}: 'objects' needs as many 'categories' as boxes, got {names!r}")
    found: dict[str, list[list[float]]] = {region: [] for region in REGIONS}
    for name, box in zip(names, boxes, strict=True):
        region = categories.get(str(name))
        if region is not None:
            found[region].append(_corners(box, line, extent=True))
    return found


def _listed(line: Line, entry: Mapping[str, Any], key: str) -> list[Any]:
    if not isinstance(entry[key], list):
        raise ValueError(f"line {line.number}: {key!r} must be a list of boxes, got {entry[key]!r}")
    return entry[key]


def _corners(box: Any, line: Line, extent: bool) -> list[float]:
    numbers = isinstance(box, list) and all(isinstance(v, (int, float)) and math.isfinite(v) for v in box)
    if not numbers or len(box) != 4:
        raise ValueError(f"line {line.number}: a box must be four finite numbers, got {box!r}")
    x0, y0, x1, y1 = (box[0], box[1], box[0] + box[2], box[1] + box[3]) if extent else box
    if not (x0 < x1 and y0 < y1):
        raise ValueError(f"line {line.number}: a box must have an extent, got {box!r}")
    return [x0, y0, x1, y1]
