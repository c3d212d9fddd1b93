"""The photographs in a folder: found in a fixed order, each file once, links that run in circles listed."""

from __future__ import annotations

import hashlib
import os
import stat
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["Photograph", "find_photographs"]

# Beside photographs there may lie captions, tables, notes and what operating systems leave behind.
_NOT_PHOTOGRAPHS: Final = frozenset({".txt", ".csv", ".json", ".jsonl", ".md", ".yaml", ".yml", ".html"})
_NOT_PHOTOGRAPH_NAMES: Final = frozenset({"thumbs.db", "desktop.ini"})


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


def find_photographs(root: Path, leave_out: Path | None = None) -> Iterator[Photograph]:
    """Every file under a folder that may be a photograph.

    Hidden files, captions and tables are passed over. Links to folders are followed after all else, and no
    folder is entered twice.

    Args:
        root: The folder.
        leave_out: A folder that is not entered, such as the one that is written to.
    """
    entered: dict[tuple[int, int], str] = {}
    if leave_out is not None and leave_out.exists():
        entered[_identity(leave_out.stat())] = ""
    links: deque[Path] = deque()
    yield from _walk(root, root, entered, links)
    while links:
        link = links.popleft()
        name = _name(link, root)
        try:
            known = entered.get(_identity(link.stat()))
        except OSError as error:
            yield Photograph(name, link, f"unreadable: {error.strerror}")
            continue
        if known is None:
            yield from _walk(link, root, entered, links)
        elif known == "." or (known and f"{name}/".startswith(f"{known}/")):
            yield Photograph(name, link, f"symlink loop: it leads back to {known}")


def _walk(
    folder: Path, root: Path, entered: dict[tuple[int, int], str], links: deque[Path]
) -> Iterator[Photograph]:
    try:
        identity = _identity(folder.stat())
        if identity in entered:
            return
        entered[identity] = _name(folder, root)
        entries = sorted(os.scandir(folder), key=lambda entry: os.fsencode(entry.name))
    except OSError as error:
        yield Photograph(_name(folder, root), folder, f"unreadable: {error.strerror}")
        return
    for entry in entries:
        if entry.name.startswith("."):
            continue
        path = Path(entry.path)
        try:
            mode = entry.stat().st_mode
        except OSError as error:  # among others a link to itself
            yield Photograph(_name(path, root), path, f"unreadable: {error.strerror}")
            continue
        if stat.S_ISDIR(mode):
            if entry.is_symlink():
                links.append(path)
            else:
                yield from _walk(path, root, entered, links)
        elif path.suffix.lower() in _NOT_PHOTOGRAPHS or entry.name.lower() in _NOT_PHOTOGRAPH_NAMES:
            continue
        elif stat.S_ISREG(mode):
            yield Photograph(_name(path, root), path)
        else:
            yield Photograph(_name(path, root), path, "unreadable: not a regular file")


def _identity(found: os.stat_result) -> tuple[int, int]:
    return found.st_dev, found.st_ino


def _name(path: Path, root: Path) -> str:
    relative = path.relative_to(root).as_posix()
    return os.fsencode(relative).decode(errors="backslashreplace")
