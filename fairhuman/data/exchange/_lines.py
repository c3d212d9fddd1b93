"""The images of another data set: lines of its ``metadata.jsonl``, or files of a trainer's folder."""

from __future__ import annotations

import codecs
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from fairhuman.data.store import METADATA, REGIONS, find_photographs, repeats_and_words

__all__ = ["Line", "boxes_of", "file_of", "read_folder", "read_lines", "text_of"]

_LARGEST: Final = 1e9  # of a box's numbers; JSON's have no bound


@dataclass(frozen=True)
class Line:
    """One image of the other data set: its line's number in the listing, what it says, its name.

    The name is that of its file; where an earlier line has the same, the line's number is added. ``problem``
    says why it cannot even be tried.
    """

    number: int
    entry: Mapping[str, Any]
    name: str
    problem: str = ""

    @property
    def key(self) -> str:
        """What its files are called here: 16 hexadecimal digits."""
        return hashlib.blake2b(f"{self.number} {self.name}".encode(), digest_size=8).hexdigest()


def read_lines(source: Path, image_key: str) -> Iterator[Line]:
    """The lines of a folder's listing, one after the other; one that is no JSON object or names no image has
    a problem.

    Raises:
        FileNotFoundError: No such folder or listing.
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
                entry = json.loads(text.removeprefix(codecs.BOM_UTF8).decode())
            except (ValueError, RecursionError) as error:
                yield Line(number, {}, f"line {number}", f"line {number}: not a JSON object ({error})")
                continue
            name = entry.get(image_key) if isinstance(entry, dict) else None
            if not isinstance(name, str) or not name:
                reason = f"line {number}: {image_key!r} must name a file, got {name!r}"
                yield Line(number, {}, f"line {number}", reason)
                continue
            name = name.encode(errors="backslashreplace").decode()  # half a character, as JSON may have it
            yield Line(number, entry, f"{name} (line {number})" if name in names else name)
            names.add(name)


def read_folder(source: Path, leave_out: Path) -> Iterator[Line]:
    """The images of a folder as kohya's scripts and OneTrainer keep it, one after the other, but for those in
    a folder that is left out.

    An entry has ``image``, ``mask`` if there is a ``-masklabel.png`` beside it, and of a sub-folder called
    ``10_a man`` the number of ``repeats`` and the ``words``.
    """
    for number, photograph in enumerate(find_photographs(source, leave_out), start=1):
        folder, path = photograph.path.parent, photograph.path
        entry: dict[str, Any] = {"image": str(path.relative_to(source))}
        if folder != source and (named := repeats_and_words(folder.name)):
            entry |= {"repeats": named[0], "words": named[1]}
        mask = path.with_name(f"{path.stem}-masklabel.png")
        if mask.exists():
            entry["mask"] = str(mask.relative_to(source))
        yield Line(number, entry, photograph.name, photograph.problem)


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
    text.encode()  # refuses half a character, which JSON may name
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
    numbers = isinstance(box, list) and all(isinstance(v, (int, float)) and abs(v) < _LARGEST for v in box)
    if not numbers or len(box) != 4:
        raise ValueError(f"line {line.number}: a box must be four finite numbers, got {box!r}")
    x0, y0, x1, y1 = (box[0], box[1], box[0] + box[2], box[1] + box[3]) if extent else box
    if not (x0 < x1 and y0 < y1):
        raise ValueError(f"line {line.number}: a box must have an extent, got {box!r}")
    return [x0, y0, x1, y1]
