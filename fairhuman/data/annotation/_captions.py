"""Captions: from a table, from a text file beside the photograph, from a model, or one for all."""

from __future__ import annotations

import csv
import io
import logging
from collections.abc import Mapping
from pathlib import Path

from fairhuman.data.store import sidecar
from fairhuman.text import read_text

logger = logging.getLogger(__name__)

__all__ = ["read_captions", "written_caption"]


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
        table, note = read_text(path)
    except ValueError as error:
        raise ValueError(f"captions: {error}") from error
    if note:
        logger.warning("captions: %s: %s", path, note)
    rows = csv.DictReader(io.StringIO(table, newline=""))
    try:
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
    except csv.Error as error:
        raise ValueError(f"captions: {path}, after line {rows.line_num}: {error}") from error
    return captions


def written_caption(name: str, path: Path, table: Mapping[str, str]) -> tuple[str, str] | None:
    """The caption that somebody wrote for a photograph, the table's before the one beside it, with the
    note of :func:`sidecar`."""
    return (table[name], "") if table.get(name) else sidecar(path)
