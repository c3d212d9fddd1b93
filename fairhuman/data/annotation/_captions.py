"""Captions: from a table, from a text file beside the photograph, from a model, or one for all."""

from __future__ import annotations

import csv
import errno
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fairhuman.data.store import Refused

__all__ = ["read_captions", "sidecar", "written_caption"]

# A photograph's name may be so long that a text file's beside it could not exist.
_ABSENT: Final = (errno.ENOENT, errno.ENAMETOOLONG)


def read_captions(path: Path) -> dict[str, str]:
    """Captions of a CSV file with the columns ``file_name`` and ``text``.

    Raises:
        FileNotFoundError: No such file.
        ValueError: A column is missing, a line has no name or more fields than there are columns, or a name
            occurs twice; the message says where.
    """
    if not path.is_file():
        raise FileNotFoundError(f"captions: no such file: {path}")
    captions: dict[str, str] = {}
    try:
        with path.open(encoding="utf-8-sig", newline="") as lines:
            rows = csv.DictReader(lines)
            for column in ("file_name", "text"):
                if column not in (rows.fieldnames or ()):
                    raise ValueError(f"captions: {path} has no column {column!r}, got {rows.fieldnames}")
            for row in rows:
                name = (row["file_name"] or "").strip().replace("\\", "/").removeprefix("./")
                if not name or name in captions:
                    what = "names no file" if not name else f"names {name!r} a second time"
                    raise ValueError(f"captions: {path}, line {rows.line_num}: {what}")
                if None in row:
                    raise ValueError(
                        f"captions: {path}, line {rows.line_num}: {len(row[None])} fields more than columns; "
                        "a caption with a comma needs quotes"
                    )
                captions[name] = (row["text"] or "").strip()
    except UnicodeDecodeError as error:
        raise ValueError(f"captions: {path} is not UTF-8 text: {error}") from error
    except csv.Error as error:
        raise ValueError(f"captions: {path}, after line {rows.line_num}: {error}") from error
    return captions


def sidecar(path: Path) -> str | None:
    """The text file beside a photograph: ``photo.txt`` or ``photo.jpg.txt`` beside ``photo.jpg``.

    Raises:
        Refused: It is there but is no text.
    """
    for beside in (path.with_suffix(".txt"), path.with_name(f"{path.name}.txt")):
        try:
            text = " ".join(beside.read_text(encoding="utf-8-sig").split())
        except (OSError, UnicodeDecodeError) as error:
            if getattr(error, "errno", None) in _ABSENT:
                continue
            reason = getattr(error, "strerror", None) or error  # without the name, which may be no UTF-8
            raise Refused("unreadable", f"its caption: {reason}") from error
        if text:
            return text
    return None


def written_caption(name: str, path: Path, table: Mapping[str, str]) -> str | None:
    """The caption that somebody wrote for a photograph: the table's before the text file's."""
    return table.get(name) or sidecar(path)
