"""Dotted paths into stored results."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["enter"]


def enter(values: Any, path: str) -> Any:
    """Return the value at a path.

    Args:
        values: Mappings and lists of a result.
        path: Steps joined by dots; a dot within a step is written ``\\.``. In a list a step is an index,
            ``key=value,key=value`` for the one row that has these values, or ``rows:key=value,key=value`` for
            all rows that do.

    Raises:
        LookupError: A step matches nothing, or several rows where one is required; the message names the path
            and, for rows, the step.

    >>> enter({"rows": [{"of": "face", "low": 1}, {"of": "hand", "low": 2}]}, "rows.of=hand.low")
    2
    """
    found = values
    for escaped in re.split(r"(?<!\\)\.", path):
        step = escaped.replace("\\.", ".")
        if isinstance(found, list) and "=" in step:
            wanted = [part.split("=", 1) for part in step.removeprefix("rows:").split(",")]
            rows = [row for row in found if all(_says(row.get(key), said) for key, said in wanted)]
            every = step.startswith("rows:")
            if not rows or (len(rows) > 1 and not every):
                raise LookupError(f"{path}, whose {step} has {len(rows)} rows")
            found = rows if every else rows[0]
            continue
        try:
            found = found[int(step)] if isinstance(found, list) else _entry(found, step)
        except (KeyError, IndexError, ValueError):
            raise LookupError(path) from None
    return found


def _says(value: Any, said: str) -> bool:
    """Whether a value is written so; 1.0 as 1, for a dot would end the step."""
    return str(value) == said or (isinstance(value, float) and f"{value:g}" == said)


def _entry(found: Any, step: str) -> Any:
    if not isinstance(found, Mapping):
        raise KeyError(step)
    return found[step]
