"""The file of an evaluation, written atomically; it only replaces an earlier evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from fairhuman.files import write_json
from fairhuman.results import plain

__all__ = ["check_place", "write_evaluation"]

_MARKS = {"rows", "differences", "provenance"}


def check_place(path: Path) -> None:
    """Check before any work that an evaluation may write this file.

    Raises:
        FileNotFoundError: Its folder does not exist.
        ValueError: The file exists and is not an earlier evaluation.
    """
    if not path.resolve().parent.is_dir():
        raise FileNotFoundError(f"out: no such folder: {path.resolve().parent}")
    if not path.exists():
        return
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        there = None
    if not isinstance(there, dict) or not there.keys() >= _MARKS:
        raise ValueError(f"out: must be a new file or an earlier evaluation, got {path}, which is neither")


def write_evaluation(path: Path, found: Mapping[str, Any]) -> dict[str, Any]:
    """Write an evaluation and return it as written."""
    check_place(path)
    content = plain(found)
    write_json(path, content)
    return content
