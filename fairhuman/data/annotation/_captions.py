"""Captions from a table, text files, a model, or one caption for all."""

from __future__ import annotations

import csv
import io
import json
import logging
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from fairhuman.data.store import sidecar
from fairhuman.text import read_text

logger = logging.getLogger(__name__)

__all__ = ["read_captions", "written_caption"]


def read_captions(path: Path) -> dict[str, str]:
    """Read captions from a CSV file with the columns ``file_name`` and ``text``, or from a ``.jsonl`` file
    with objects that have these keys.

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: A column is missing, a line has no name, no text or too many fields, or a name is
            repeated; the message says where.
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
    for number, named, text in (_objects if path.suffix == ".jsonl" else _rows)(path, table):
        name = named.strip().replace("\\", "/").removeprefix("./")
        if not name or name in captions:
            what = "names no file" if not name else f"names {name!r} a second time"
            raise ValueError(f"captions: {path}, line {number}: {what}")
        captions[name] = text.strip()
    return captions


def _rows(path: Path, table: str) -> Iterator[tuple[int, str, str]]:
    """Line, name and text of the rows of a CSV table."""
    rows = csv.DictReader(io.StringIO(table, newline=""))
    try:
        for column in ("file_name", "text"):
            if column not in (rows.fieldnames or ()):
                raise ValueError(f"captions: {path} has no column {column!r}, got {rows.fieldnames}")
        for row in rows:
            if None in row:
                raise ValueError(
                    f"captions: {path}, line {rows.line_num}: {len(row[None])} fields more than columns; "
                    "a caption with a comma needs quotes"
                )
            yield rows.line_num, row["file_name"] or "", row["text"] or ""
    except csv.Error as error:
        raise ValueError(f"captions: {path}, after line {rows.line_num}: {error}") from error


def _objects(path: Path, table: str) -> Iterator[tuple[int, str, str]]:
    """Line, name and text of the JSON objects in lines."""
    for number, line in enumerate(table.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            entry: Any = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise ValueError(f"captions: {path}, line {number}: not a JSON object ({error})") from error
        name, text = (entry.get(key) if isinstance(entry, dict) else None for key in ("file_name", "text"))
        if not isinstance(name, str) or not isinstance(text, str):
            raise ValueError(
                f"captions: {path}, line {number}: 'file_name' and 'text' must be strings, got {line!r}"
            )
        yield number, name, text


def written_caption(name: str, path: Path, table: Mapping[str, str]) -> tuple[str, str] | None:
    """A photograph's written caption, from the table or else from its text file, with the note of
    :func:`sidecar`."""
    return (table[name], "") if table.get(name) else sidecar(path)
