"""From journals to the data set's lists: duplicates left out, everything in the order of its names."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

from fairhuman.data.store._duplicates import find_duplicates
from fairhuman.data.store._layout import files_of
from fairhuman.data.store._report import write_report
from fairhuman.files import remove_partials, write_lines

__all__ = ["METADATA", "REJECTED", "Annotation", "annotation_of", "read_lines", "write_listing"]

METADATA: Final = "metadata.jsonl"
REJECTED: Final = "rejected.jsonl"


@dataclass(frozen=True)
class Annotation:
    """A finished data set: its folder, and how many images were kept and left out, by kind."""

    path: Path
    kept: int
    unreadable: int
    filtered: int
    duplicates: int


class _Place(NamedTuple):
    """Of a line in a journal only what sorting and comparing need: lines are long, and may be millions."""

    original: str
    pixels: int
    hash: int
    journal: int
    offset: int


def write_listing(out: Path, journals: list[Path], duplicate_distance: int) -> None:
    """Leaves duplicates out and writes ``rejected.jsonl``, the report and, last, ``metadata.jsonl``."""
    with ExitStack() as stack:
        files = [stack.enter_context(journal.open("rb")) for journal in journals]
        good, rejected = _index(files)

        def line(place: _Place) -> dict[str, Any]:
            files[place.journal].seek(place.offset)
            return json.loads(files[place.journal].readline())

        # The largest of a set of duplicates stays; of equally large ones the first.
        good.sort(key=lambda place: (-place.pixels, place.original))
        same = find_duplicates([place.hash for place in good], duplicate_distance)
        kept = []
        for place, first in zip(good, same, strict=True):
            if first is None:
                kept.append(place)
                continue
            reason = f"duplicate of {good[first].original}"
            rejected.append({"original": place.original, "kind": "duplicate", "reason": reason})
            for name in files_of(line(place)):
                (out / name).unlink(missing_ok=True)
        kept.sort(key=attrgetter("original"))
        rejected.sort(key=lambda entry: entry["original"])
        remove_partials(out)
        write_lines(out / REJECTED, rejected)
        write_report(out, len(kept), map(line, kept), rejected)
        write_lines(out / METADATA, map(line, kept))


def read_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The entries of a JSON-lines file, one after the other."""
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def annotation_of(out: Path) -> Annotation:
    """The counts of a finished data set, by its lists."""
    kinds = Counter(entry["kind"] for entry in read_lines(out / REJECTED))
    kept = sum(1 for _ in read_lines(out / METADATA))
    return Annotation(out, kept, kinds["unreadable"], kinds["filtered"], kinds["duplicate"])


def _index(files: list[Any]) -> tuple[list[_Place], list[dict[str, Any]]]:
    good, rejected = [], []
    for number, lines in enumerate(files):
        offset = 0
        for line in lines:
            entry = json.loads(line)
            if "file_name" in entry:
                pixels = entry["width"] * entry["height"]
                value = int(entry["perceptual_hash"], 16)
                good.append(_Place(entry["original"], pixels, value, number, offset))
            elif "kind" in entry:
                rejected.append(entry)
            offset += len(line)
    return good, rejected
