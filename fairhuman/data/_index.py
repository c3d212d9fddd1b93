"""Cached index of a data set, so that its images need not be read again.

The index has one row per line of ``metadata.jsonl``. A line is read again only if its text, or the size or
time of one of its files, has changed. An interrupted verification resumes.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import time
import zipfile
from array import array
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from fairhuman.data._check import Facts, check_lines
from fairhuman.files import cache_root, file_state, written_whole
from fairhuman.processes import work_through

__all__ = ["Index", "line_key", "read_index", "stamp_of"]

logger = logging.getLogger(__name__)

_FORMAT: Final = 1  # of the stamp, and of what is checked: another one makes all stamps stale
_BOM: Final = b"\xef\xbb\xbf"
_AT_ONCE: Final = 32  # lines that a process verifies at a time
_SAVED_EVERY: Final = 60.0  # seconds of a verification that a kill may lose
_SETTLED: Final = 2_000_000_000  # ns within which a file may change again without another time


class Index:
    """Rows of a data set.

    Attributes:
        rows: Structured, shape (n,): ``key`` of the line's text, its ``offset`` and ``number``, ``size``
            (height, width) of the image and ``repeats``; and per file, in the order image, masks,
            conditions: ``bytes``, ``changed``, ``note`` (a place in ``notes``), ``present``, ``central``,
            ``half``.
        names: The files' names of each line, separated by NUL.
        notes: Conversions; the first is empty.
    """

    def __init__(self, rows: NDArray[np.void], names: list[bytes], notes: list[str]) -> None:
        self.rows, self.names, self.notes = rows, names, notes

    def put(self, place: int, facts: Facts) -> None:
        """Store the information on a line."""
        row = self.rows[place]
        row["size"], row["repeats"] = facts.size, facts.repeats
        row["bytes"], row["changed"] = zip(*facts.states, strict=True)
        row["present"], row["central"], row["half"] = facts.present, facts.central, facts.half
        for note in facts.notes:
            if note not in self.notes:
                self.notes.append(note)
        row["note"] = [self.notes.index(note) for note in facts.notes]
        self.names[place] = "\0".join(facts.names).encode()


def read_index(
    listing: Path, regions: Sequence[str], conditions: Sequence[str], *, workers: int, progress: bool | None
) -> Index:
    """The index of a data set; lines that are not cached are verified.

    Args:
        listing: ``metadata.jsonl``.
        regions, conditions: Files to read besides the images.
        workers: Number of verifying processes.
        progress: Show a progress bar. Default: on a terminal.

    Raises:
        FileNotFoundError, ValueError: As for :class:`fairhuman.data.HumanFolder`. Lines verified by then stay
            cached.
    """
    stamp = stamp_of(listing, regions, conditions)
    with _turn(stamp) as kept:
        try:
            index = _scan(listing, 1 + len(regions) + len(conditions))
        except OSError as error:
            raise ValueError(f"data set: cannot read {listing}: {error}") from error
        unknown = _recall(index, stamp, listing) if kept else np.arange(len(index.rows))
        if len(unknown):
            _verify(
                index, unknown, stamp if kept else None, (listing, regions, conditions), workers, progress
            )
    return index


def stamp_of(listing: Path, regions: Sequence[str], conditions: Sequence[str]) -> Path:
    """The file in which an index is kept."""
    identity = json.dumps([_FORMAT, str(listing.resolve()), [*regions], [*conditions]])
    return cache_root() / "datasets" / f"{hashlib.sha256(identity.encode()).hexdigest()[:32]}.npz"


def line_key(line: bytes) -> int:
    """64-bit hash of a line's text."""
    return int.from_bytes(hashlib.blake2b(line.rstrip(b"\r\n"), digest_size=8).digest(), "little")


def _scan(listing: Path, files: int) -> Index:
    """An index with only the positions of the lines."""
    keys, offsets, numbers, offset = array("Q"), array("q"), array("q"), 0
    with listing.open("rb") as lines:
        for number, line in enumerate(lines, start=1):
            mark = len(_BOM) if number == 1 and line.startswith(_BOM) else 0
            if (text := line[mark:]).strip():
                keys.append(line_key(text))
                offsets.append(offset + mark)
                numbers.append(number)
            offset += len(line)
    each = (files,)
    kinds: list[tuple] = [
        ("key", "u8"),
        ("offset", "i8"),
        ("number", "i8"),
        ("size", "i4", (2,)),
        ("repeats", "i4"),
    ]
    kinds += [("bytes", "i8", each), ("changed", "i8", each), ("note", "i4", each)]
    kinds += [("present", "?", each), ("central", "f8", each), ("half", "f4", (files, 2))]
    rows = np.zeros(len(keys), dtype=kinds)
    rows["key"], rows["offset"], rows["number"] = keys, offsets, numbers
    rows["changed"] = -1
    return Index(rows, [b""] * len(keys), [""])


def _recall(index: Index, stamp: Path, listing: Path) -> NDArray[np.intp]:
    """Copy valid information from the cache; returns the indices of the other lines."""
    former = _load(stamp, index.rows.dtype)
    if former is None or not len(former.rows):
        return np.arange(len(index.rows))
    order = np.argsort(former.rows["key"])
    found = np.searchsorted(former.rows["key"], index.rows["key"], sorter=order)
    match = order[np.minimum(found, len(order) - 1)]
    known = np.flatnonzero(former.rows["key"][match] == index.rows["key"])
    index.notes, root, unknown = former.notes, os.fsencode(listing.parent), []
    for name in set(index.rows.dtype.fields or ()) - {"key", "offset", "number"}:
        index.rows[name][known] = former.rows[name][match[known]]
    sizes, times = former.rows["bytes"], former.rows["changed"]
    for place, row in zip(known.tolist(), match[known].tolist(), strict=True):
        names = former.names[row]
        states = [
            file_state(os.path.join(root, name)) if name else (0, 0)  # noqa: PTH118 - a Path takes no bytes
            for name in names.split(b"\0")
        ]
        if states == list(zip(sizes[row].tolist(), times[row].tolist(), strict=True)):
            index.names[place] = names
        else:
            unknown.append(place)
            index.rows["changed"][place] = -1
    rest = np.setdiff1d(np.arange(len(index.rows)), known, assume_unique=True)
    return np.sort(np.concatenate([rest, np.array(unknown, dtype=np.intp)]))


def _verify(
    index: Index,
    places: NDArray[np.intp],
    stamp: Path | None,
    task: tuple[Path, Sequence[str], Sequence[str]],
    workers: int,
    progress: bool | None,
) -> None:
    lines = [(int(i), int(index.rows["offset"][i]), int(index.rows["number"][i])) for i in places]
    parts = [lines[start : start + _AT_ONCE] for start in range(0, len(lines), _AT_ONCE)]
    disable = None if progress is None else not progress
    bar = tqdm(total=len(lines), desc="verifying", unit="image", delay=1, disable=disable)
    saved = time.monotonic()
    try:
        with bar:
            for part, found in work_through(check_lines, parts, min(workers, len(parts)), *task):
                for (place, _, _), facts in zip(part, found, strict=True):
                    index.put(place, facts)
                bar.update(len(part))
                if stamp and time.monotonic() - saved > _SAVED_EVERY:
                    _save(index, stamp)
                    saved = time.monotonic()
    finally:
        if stamp:
            _save(index, stamp)


def _save(index: Index, stamp: Path) -> None:
    """Write the cache. A file that has just changed may change again within the time resolution, so its line
    is read once more next time."""
    rows = index.rows.copy()
    rows["changed"][rows["changed"] > time.time_ns() - _SETTLED] = -1
    ends = np.cumsum([len(name) for name in index.names], dtype=np.int64)
    names, notes = (np.frombuffer(text, np.uint8) for text in (b"".join(index.names), _joined(index.notes)))
    try:
        with written_whole(stamp, shared=True) as partial, partial.open("wb") as file:
            np.savez(file, rows=rows, names=names, ends=ends, notes=notes)
    except OSError as error:
        logger.warning("%s: what was verified cannot be kept: %s", stamp, error)


def _load(stamp: Path, kind: np.dtype) -> Index | None:
    """The cached index; ``None`` if it is missing, damaged or in another format."""
    try:
        with np.load(stamp, allow_pickle=False) as stored:
            rows, names, ends = stored["rows"], stored["names"].tobytes(), stored["ends"].tolist()
            notes = stored["notes"].tobytes().decode().split("\0")
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    if rows.dtype != kind or len(rows) != len(ends):
        return None
    return Index(rows, [names[i:j] for i, j in zip([0, *ends], ends, strict=False)], notes)


def _joined(notes: list[str]) -> bytes:
    return "\0".join(notes).encode()


@contextmanager
def _turn(stamp: Path) -> Iterator[bool]:
    """Wait for other processes that verify the same data set, to use their results; returns whether the cache
    is writable."""
    try:
        stamp.parent.mkdir(parents=True, exist_ok=True)
        file = stamp.with_suffix(".lock").open("a")
    except OSError as error:
        logger.warning("%s: the data set is verified at every start: %s", stamp.parent, error)
        yield False
        return
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            logger.info("waiting for another process that verifies the same data set")
            fcntl.flock(file, fcntl.LOCK_EX)
        except OSError:
            pass  # a file system without locks: each process verifies for itself
        yield True
