"""A folder of photographs to a training set: any number of processes and interruptions, the same files."""

from __future__ import annotations

import fcntl
import json
import os
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairhuman.data.annotation._captions import read_captions
from fairhuman.data.annotation._duplicates import find_duplicates
from fairhuman.data.annotation._photo import annotate_photograph, file_names
from fairhuman.data.annotation._pool import work_through
from fairhuman.data.annotation._report import write_report
from fairhuman.data.annotation._scan import Photograph, find_photographs
from fairhuman.data.annotation._settings import AnnotateSettings

__all__ = ["Annotation", "annotate"]

OWNER, JOURNAL = "annotation.json", "journal.jsonl"
METADATA, REJECTED = "metadata.jsonl", "rejected.jsonl"


@dataclass(frozen=True)
class Annotation:
    """A finished annotation: its folder, and how many photographs were kept and left out, by kind."""

    path: Path
    kept: int
    unreadable: int
    filtered: int
    duplicates: int


def annotate(
    photographs: str | os.PathLike[str],
    out: str | os.PathLike[str],
    settings: AnnotateSettings | None = None,
    *,
    workers: int = 1,
    progress: bool = True,
) -> Annotation:
    """Annotates every photograph under a folder; the result is read by :class:`fairhuman.data.HumanFolder`.

    ``out`` gets ``metadata.jsonl`` with ``images/``, ``masks/face``, ``masks/hand`` and ``pose/``;
    ``rejected.jsonl`` with every file that was left out and why; ``report.json`` and ``contact_sheet.jpg``.
    Masks cover all faces and hands found (``face_boxes``, ``hand_boxes``); ``face_box`` is the largest
    face's, ``left_hand_box`` and ``right_hand_box`` are the main person's. A run that was cut off continues;
    the files are the same, byte for byte, whatever the number of processes and interruptions. A finished one
    is left alone. Nothing of a photograph's EXIF is kept.

    Args:
        photographs: Folder, searched with its sub-folders.
        out: New, empty, or begun with the same settings and photographs.
        settings: See :class:`AnnotateSettings`.
        workers: Number of processes.
        progress: Show a bar with the time left.

    Raises:
        FileNotFoundError: No such folder or table of captions.
        ValueError: A folder that holds something else or another annotation, or no photographs at all.
    """
    root, out = Path(photographs), Path(out)
    settings = settings or AnnotateSettings()
    if not root.is_dir():
        raise FileNotFoundError(f"photographs: no such folder: {root}")
    if isinstance(workers, bool) or not isinstance(workers, int) or workers < 1:
        raise ValueError(f"workers: must be a whole number of at least 1, got {workers!r}")
    if root.resolve().is_relative_to(out.resolve()):
        raise ValueError(f"out: must not hold the photographs, got {out} for {root}")
    captions = read_captions(Path(settings.captions)) if settings.captions else {}
    identity = {"photographs": str(root.resolve()), "settings": settings.stored()}
    _check_out(out, identity)
    todo = list(find_photographs(root, out))
    if not todo:
        raise ValueError(f"photographs: {root} holds no files that could be photographs")
    if (out / METADATA).is_file():
        return _finished(out)
    out.mkdir(parents=True, exist_ok=True)
    _write_text(out / OWNER, json.dumps(identity, indent=1) + "\n")
    with _locked(out):
        entries = _read_journal(out / JOURNAL)
        _work(todo, entries, out, settings, captions, workers, progress)
        return _finish([entries[photograph.name] for photograph in todo], out, settings)


def _work(
    todo: list[Photograph],
    entries: dict[str, dict[str, Any]],
    out: Path,
    settings: AnnotateSettings,
    captions: dict[str, str],
    workers: int,
    progress: bool,
) -> None:
    from tqdm import tqdm

    rest = [photograph for photograph in todo if photograph.name not in entries]
    interval = 0.1 if sys.stderr.isatty() else 30
    bar = tqdm(total=len(todo), initial=len(todo) - len(rest), unit=" photographs",
               disable=not progress, mininterval=interval)  # fmt: skip
    with bar, (out / JOURNAL).open("a", encoding="utf-8") as journal:
        for photograph, entry in work_through(annotate_photograph, rest, workers, out, settings, captions):
            if entry is None:
                reason = "it brought the process that read it down"
                entry = {"original": photograph.name, "kind": "unreadable", "reason": reason}
            journal.write(_json(entry) + "\n")
            journal.flush()
            entries[photograph.name] = entry
            bar.update()


def _finish(entries: list[dict[str, Any]], out: Path, settings: AnnotateSettings) -> Annotation:
    """Leaves duplicates out, writes the lists and the report, clears the journal away."""
    good = [entry for entry in entries if "file_name" in entry]
    # The largest of a set of duplicates stays; of equally large ones the first.
    good.sort(key=lambda entry: (-entry["width"] * entry["height"], entry["original"]))
    same = find_duplicates([int(entry["perceptual_hash"], 16) for entry in good], settings.duplicate_distance)
    rejected = [entry for entry in entries if "file_name" not in entry]
    for entry, first in zip(good, same, strict=True):
        if first is not None:
            reason = f"duplicate of {good[first]['original']}"
            rejected.append({"original": entry["original"], "kind": "duplicate", "reason": reason})
            for key in file_names(""):
                (out / entry[key]).unlink(missing_ok=True)
    kept = [entry for entry, first in zip(good, same, strict=True) if first is None]
    kept.sort(key=lambda entry: entry["original"])
    rejected.sort(key=lambda entry: entry["original"])
    for partial in out.rglob(".*.partial"):
        partial.unlink()
    write_report(out, kept, rejected)
    _write_text(out / REJECTED, "".join(_json(entry) + "\n" for entry in rejected))
    _write_text(out / METADATA, "".join(_json(entry) + "\n" for entry in kept))
    (out / JOURNAL).unlink()
    return _finished(out)


def _finished(out: Path) -> Annotation:
    kinds = Counter(entry["kind"] for entry in _lines(out / REJECTED))
    kept = sum(1 for _ in _lines(out / METADATA))
    return Annotation(out, kept, kinds["unreadable"], kinds["filtered"], kinds["duplicate"])


def _lines(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        yield from map(json.loads, lines)


def _read_journal(path: Path) -> dict[str, dict[str, Any]]:
    """What is done; a last line that a kill cut short is cut off the file."""
    if not path.exists():
        return {}
    content = path.read_bytes()
    whole = content[: content.rfind(b"\n") + 1]
    if len(whole) < len(content):
        os.truncate(path, len(whole))
    entries = map(json.loads, whole.decode("utf-8").splitlines())
    return {entry["original"]: entry for entry in entries}


def _check_out(out: Path, identity: dict[str, Any]) -> None:
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
    if there.get("photographs") != identity["photographs"]:
        raise ValueError(f"out: {out} is the annotation of {there.get('photographs')}; choose another folder")
    for name, value in identity["settings"].items():
        if there["settings"].get(name) != value:
            raise ValueError(
                f"{name}: must be {there['settings'].get(name)!r}, as {out} was begun with, got {value!r}"
            )
    for name in ("images", "masks", "pose"):
        if (out / name).is_symlink():
            raise ValueError(f"out: {out / name} is a link that may lead elsewhere; choose another folder")


@contextmanager
def _locked(out: Path) -> Iterator[None]:
    with (out / JOURNAL).open("a") as journal:
        try:
            fcntl.flock(journal, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise ValueError(f"out: another run is at work in {out}") from None
        yield


def _json(entry: dict[str, Any]) -> str:
    return json.dumps(entry, ensure_ascii=False, allow_nan=False)


def _write_text(path: Path, text: str) -> None:
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8", newline="\n")
    partial.replace(path)
