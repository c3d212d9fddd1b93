"""The photographs in a folder: found in a fixed order, each file once, links that lead elsewhere listed."""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Photograph", "find_photographs", "repeats_and_words"]

# Beside photographs there may lie captions, masks, tables, notes, what trainers cache and what operating
# systems leave behind.
_NOT_PHOTOGRAPHS: Final = frozenset(
    {".txt", ".caption", ".csv", ".json", ".jsonl", ".md", ".yaml", ".yml", ".toml", ".html"}
    | {".npz", ".npy", ".pt", ".safetensors"}
)
_NOT_PHOTOGRAPH_NAMES: Final = frozenset({"thumbs.db", "desktop.ini"})
_NOT_PHOTOGRAPH_STEMS: Final = ("-masklabel", "-condlabel")
_REPEATS: Final = re.compile(r"(\d{1,6})_(.*)")


@dataclass(frozen=True)
class Photograph:
    """A file that is to be annotated, or that cannot be.

    Attributes:
        name: Path within the folder, with forward slashes; bytes that are no UTF-8 as ``\\xNN``.
        path: Where it is.
        problem: Why it cannot even be tried, or an empty string.
    """

    name: str
    path: Path
    problem: str = ""

    @property
    def key(self) -> str:
        """What its files are called in the data set: 16 hexadecimal digits that depend on its path alone."""
        return hashlib.blake2b(self.name.encode(), digest_size=8).hexdigest()


def repeats_and_words(folder: str) -> tuple[int, str] | None:
    """What kohya's scripts read from the name of a folder: how often its images come in an epoch, at least 1,
    and words for those without a caption. ``None`` for other names.

    >>> repeats_and_words("10_a man")
    (10, 'a man')
    """
    named = _REPEATS.fullmatch(folder)
    return (max(1, int(named[1])), named[2].strip()) if named else None


def find_photographs(root: Path, leave_out: Path | None = None) -> Iterator[Photograph]:
    """Every file under a folder that may be a photograph.

    Hidden files, captions, masks, tables and caches are passed over. No link leads out of the folder.

    Args:
        root: The folder.
        leave_out: A folder that is not entered, such as the one that is written to.
    """
    yield from _walk(root, root, leave_out)


def _walk(folder: Path, root: Path, leave_out: Path | None) -> Iterator[Photograph]:
    try:
        if leave_out is not None and leave_out.exists() and folder.samefile(leave_out):
            return
        entries = sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        yield Photograph(_name(folder, root), folder, f"unreadable: {error.strerror}")
        return
    for entry in entries:
        path = Path(entry.path)
        if entry.name.startswith(".") or _is_beside(path):
            continue
        try:
            mode = entry.stat().st_mode
        except OSError as error:  # among others a link to itself
            yield Photograph(_name(path, root), path, f"unreadable: {error.strerror}")
            continue
        problem = _astray(path, root) if entry.is_symlink() else ""
        if stat.S_ISDIR(mode):
            if problem:
                yield Photograph(_name(path, root), path, problem)
            elif not entry.is_symlink():  # a link's folder is walked where it lies
                yield from _walk(path, root, leave_out)
        else:
            problem = problem or ("" if stat.S_ISREG(mode) else "unreadable: not a regular file")
            yield Photograph(_name(path, root), path, problem)


def _is_beside(path: Path) -> bool:
    return (
        path.suffix.lower() in _NOT_PHOTOGRAPHS
        or path.name.lower() in _NOT_PHOTOGRAPH_NAMES
        or path.stem.lower().endswith(_NOT_PHOTOGRAPH_STEMS)
    )


def _astray(link: Path, root: Path) -> str:
    """Why a link is not followed, or an empty string."""
    target, top = link.resolve(), root.resolve()
    if not target.is_relative_to(top):
        return "unreadable: a link that leads out of the folder"
    if link.parent.resolve().is_relative_to(target):
        return f"symlink loop: it leads back to {target.relative_to(top)}"
    return ""


def _name(path: Path, root: Path) -> str:
    relative = path.relative_to(root).as_posix()
    return os.fsencode(relative).decode(errors="backslashreplace")
