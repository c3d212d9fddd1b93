"""Sharded, interruptible processing of many images into one data set.

Each item's outcome is one line of a journal. Each shard has its own journal, so that several machines can
write into one folder; when all are complete, the journals become ``metadata.jsonl``.
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from fairhuman.data.store._layout import FOLDERS
from fairhuman.data.store._listing import METADATA, write_listing
from fairhuman.files import check_same, is_begun, json_line, locked, write_json
from fairhuman.processes import work_through

__all__ = ["OWNER", "Shard", "check_out", "do_shard", "merge_shards", "read_owner"]

OWNER: Final = "annotation.json"
_JOURNAL: Final = re.compile(r"journal(?:-(\d+)-of-(\d+))?\.jsonl")


class Item(Protocol):
    """A work item: its name in messages and lists, and the key that names its files."""

    @property
    def name(self) -> str: ...
    @property
    def key(self) -> str: ...


class Shard(NamedTuple):
    """The ``index``-th of ``count`` shards, counted from 1."""

    index: int
    count: int

    @classmethod
    def parse(cls, text: str) -> Shard:
        """Parse a shard from the command line.

        >>> Shard.parse("2/8")
        Shard(index=2, count=8)
        """
        numbers = re.fullmatch(r"(\d+)/(\d+)", text)
        if numbers is None or not 1 <= int(numbers[1]) <= int(numbers[2]):
            raise ValueError(f"shard: must be i/n with 1 ≤ i ≤ n, such as 2/8, got {text!r}")
        return cls(int(numbers[1]), int(numbers[2]))

    def holds(self, item: Item) -> bool:
        """Whether an item belongs to this shard, which depends only on its key."""
        return int(item.key, 16) % self.count == self.index - 1

    @property
    def journal(self) -> str:
        """Name of this shard's journal."""
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
    apart: bool = False,
) -> None:
    """Process the remaining items of a shard and mark its journal complete.

    Args:
        items: Returns an iterator over all items each time it is called; items are never all in memory.
        out: The data set's folder, accepted by :func:`check_out`.
        identity: Folders and settings, which a later run must share.
        shard: The shard.
        workers: Number of processes.
        progress: Show a progress bar with the remaining time.
        task: Called as ``task(item, *arguments)``; returns the metadata line, or a line with ``kind``.
        arguments: Further arguments of the task.
        apart: Use a separate process even for one worker, so that an item may crash it.
    """
    from tqdm import tqdm

    out.mkdir(parents=True, exist_ok=True)
    if not (out / OWNER).is_file():
        write_json(out / OWNER, identity, shared=True)  # shares that start together write the same
    path = out / shard.journal
    with locked(path, "out"):
        done, complete = _read_journal(path)
        if complete:
            return
        total = sum(1 for item in items() if shard.holds(item))
        rest = (item for item in items() if shard.holds(item) and item.name not in done)
        interval = 0.1 if sys.stderr.isatty() else 30
        bar = tqdm(
            total=total,
            initial=min(total, len(done)),
            unit=" images",
            disable=not progress,
            mininterval=interval,
        )
        with bar, path.open("a", encoding="utf-8") as journal:
            for _, entry in work_through(task, rest, workers, *arguments, died=_unreadable, apart=apart):
                _write_line(journal, entry)
                bar.update()
            _write_line(journal, {"complete": True})


def merge_shards(out: Path, duplicate_distance: int) -> None:
    """Turn the complete journals of a folder into its lists and report.

    Raises:
        ValueError: A shard is missing or incomplete; the message names the first one.
    """
    if (out / METADATA).is_file():
        _clear(out)
        return
    journals = [out / shard.journal for shard in _shards(out)]
    for journal in journals:
        if not journal.is_file():
            raise ValueError(f"out: {journal} is missing: that shard has not been started")
        with locked(journal, "out"):
            if not _read_journal(journal)[1]:
                raise ValueError(f"out: {journal} is not complete: run that shard again to resume it")
    write_listing(out, journals, duplicate_distance)
    _clear(out)


def check_out(out: Path, identity: dict[str, Any], shard: Shard) -> None:
    """Check that a folder has no other content, other annotation, or other division into shards."""
    if not is_begun(out, [OWNER]):
        return
    there = read_owner(out)
    check_same(out, {"photographs": there.get("photographs")}, {"photographs": identity["photographs"]})
    check_same(out, there["settings"], identity["settings"])
    for name in sorted({folder.partition("/")[0] for folder in FOLDERS.values()}):
        if (out / name).is_symlink():
            raise ValueError(
                f"out: must hold its files itself, got {out / name}, a link that may lead elsewhere"
            )
    for other in _shards(out):
        if other.count != shard.count:
            raise ValueError(f"shard: {out} was started with {other.count} shards, got one of {shard.count}")


def read_owner(out: Path) -> dict[str, Any]:
    """What a folder was started with: ``photographs``, their folder, and ``settings``."""
    return json.loads((out / OWNER).read_text(encoding="utf-8"))


def _shards(out: Path) -> list[Shard]:
    """All shards of the work, with or without journals."""
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
    journal.write(json_line(entry))
    journal.flush()


def _unreadable(item: Item) -> dict[str, Any]:
    reason = "it brought the process that read it down"
    return {"original": item.name, "kind": "unreadable", "reason": reason}
