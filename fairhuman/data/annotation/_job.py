"""Many images into one data set: shares of the work, interruptions, and the lists made of it all at the end.

Every item's outcome is one line of a journal. A share of the work has a journal of its own, so that several
machines can write into one folder; when all are complete the journals become ``metadata.jsonl``.
"""

from __future__ import annotations

import fcntl
import json
import os
import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from fairhuman.data.annotation._finish import METADATA, finish
from fairhuman.data.annotation._pool import work_through

__all__ = ["OWNER", "Shard", "check_out", "do_shard", "merge_shards", "write_text"]

OWNER: Final = "annotation.json"
_JOURNAL: Final = re.compile(r"journal(?:-(\d+)-of-(\d+))?\.jsonl")


class Item(Protocol):
    """What is worked on: its name in messages and lists, and the key its files are called by."""

    @property
    def name(self) -> str: ...
    @property
    def key(self) -> str: ...


class Shard(NamedTuple):
    """The ``index``-th of ``count`` shares of the work, counted from 1."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """A share as written on the command line.

        >>> Shard.parse("2/8")
        Shard(index=2, count=8)
        """
        numbers = re.fullmatch(r"(\d+)/(\d+)", text)
        if numbers is None or not 1 <= int(numbers[1]) <= int(numbers[2]):
            raise ValueError(f"shard: must be i/n with 1 ≤ i ≤ n, such as 2/8, got {text!r}")
        return cls(int(numbers[1]), int(numbers[2]))

    def holds(self, item: Item) -> bool:
        """Whether an item belongs to this share: its key alone decides."""
        return int(item.key, 16) % self.count == self.index - 1

    @property
    def journal(self) -> str:
        """Name of this share's journal."""
        return "journal.jsonl" if self.count == 1 else f"journal-{self.index}-of-{self.count}.jsonl"


def do_shard(
    items: Callable[[], Iterable[Item]],
    out: Path,
    identity: dict[str, Any],
    shard: Shard,
    workers: int,
    progress: bool,
    task: Callable[..., dict[str, Any]],
    *arguments: Any,
) -> None:
    """Does what is left of a share; its journal then says that it is complete.

    Args:
        items: Called for the items, all of them, as often as they are needed: they are never held together.
        out: The data set's folder, which :func:`check_out` has found fit.
        identity: What is done: folders and settings, which a later run must share.
        shard: The share.
        workers: Number of processes.
        progress: Show a bar with the time left.
        task: Called as ``task(item, *arguments)``; gives the metadata line, or a line with ``kind``.
        arguments: More of its arguments.
    """
    from tqdm import tqdm

    out.mkdir(parents=True, exist_ok=True)
    if not (out / OWNER).is_file():
        write_text(out / OWNER, json.dumps(identity, indent=1) + "\n")
    path = out / shard.journal
    with _locked(path):
        done, complete = _read_journal(path)
        if complete:
            return
        total = sum(1 for item in items() if shard.holds(item))
        rest = (item for item in items() if shard.holds(item) and item.name not in done)
        interval = 0.1 if sys.stderr.isatty() else 30
        bar = tqdm(total=total, initial=min(total, len(done)), unit=" images", disable=not progress,
                   mininterval=interval)  # fmt: skip
        with bar, path.open("a", encoding="utf-8") as journal:
            for item, entry in work_through(task, rest, workers, *arguments):
                if entry is None:
                    reason = "it brought the process that read it down"
                    entry = {"original": item.name, "kind": "unreadable", "reason": reason}
                _write_line(journal, entry)
                bar.update()
            _write_line(journal, {"complete": True})


def merge_shards(out: Path, duplicate_distance: int) -> None:
    """Turns the complete journals of a folder into its lists and report.

    Raises:
        ValueError: A share is missing or not complete; the message names the first such.
    """
    if (out / METADATA).is_file():
        _clear(out)
        return
    journals = [out / shard.journal for shard in _shards(out)]
    for journal in journals:
        if not journal.is_file():
            raise ValueError(f"out: {journal} is missing: that share of the work has not been begun")
        with _locked(journal):
            if not _read_journal(journal)[1]:
                raise ValueError(f"out: {journal} is not complete: run that share again, it continues")
    finish(out, journals, duplicate_distance)
    _clear(out)


def check_out(out: Path, identity: dict[str, Any], shard: Shard) -> None:
    """Refuses a folder that holds something else, another annotation, or other shares of this one."""
    if not out.exists() and not out.is_symlink():
        return
    if not out.is_dir():
        raise ValueError(f"out: {out} is no folder")
    owner = out / OWNER
    if not owner.is_file():
        if other := next(iter(sorted(out.iterdir())), None):
            raise ValueError(f"out: {out} holds something else ({other.name}); choose an empty folder")
        return
    there = json.loads(owner.read_text(encoding="utf-8"))
    of, here = (what.get("photographs") for what in (there, identity))
    if of != here:
        raise ValueError(f"out: {out} is the annotation of {of}, not of {here}; choose another folder")
    for name, value in identity["settings"].items():
        if there["settings"].get(name) != value:
            raise ValueError(
                f"{name}: must be {there['settings'].get(name)!r}, as {out} was begun with, got {value!r}"
            )
    for name in ("images", "masks", "pose", "depth"):
        if (out / name).is_symlink():
            raise ValueError(f"out: {out / name} is a link that may lead elsewhere; choose another folder")
    for other in _shards(out):
        if other.count != shard.count:
            raise ValueError(f"shard: {out} was begun in {other.count} shares, got one of {shard.count}")


def write_text(path: Path, text: str) -> None:
    """Writes a text file whole or not at all."""
    # Shares that start together write the same text, each to a file of its own.
    partial = path.with_name(f".{path.name}.{os.urandom(8).hex()}.partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    partial.replace(path)


def _shards(out: Path) -> list[Shard]:
    """All the shares that the work was begun in, whether their journals are there or not."""
    for path in sorted(out.glob("journal*.jsonl")):
        if found := _JOURNAL.fullmatch(path.name):
            count = int(found[2] or 1)
            return [Shard(index, count) for index in range(1, count + 1)]
    return []


def _clear(out: Path) -> None:
    for shard in _shards(out):
        (out / shard.journal).unlink(missing_ok=True)


def _read_journal(path: Path) -> tuple[set[str], bool]:
    """Names that are done, and whether all are; a last line that a kill cut short is cut off the file."""
    done: set[str] = set()
    complete, whole = False, 0
    with path.open("rb") as lines:
        for line in lines:
            if not line.endswith(b"\n"):
                break
            whole += len(line)
            entry = json.loads(line)
            complete = complete or "complete" in entry
            done.add(entry.get("original", ""))
    if whole < path.stat().st_size:
        os.truncate(path, whole)
    return done - {""}, complete


def _write_line(journal: Any, entry: dict[str, Any]) -> None:
    journal.write(json.dumps(entry, ensure_ascii=False, allow_nan=False) + "\n")
    journal.flush()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("a") as journal:
        try:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"out: another run is at work on {path}") from None
        yield
