"""Numbers in Markdown, filled in from stored results: ``python -m fairhuman.experiments.filled PAGE ...``.

A mark is ``<!-- value: FILE PATH FORMAT -->text<!-- /value -->``. PATH is dotted; in a list a step is an
index, or ``key=value,key=value`` for the one row that has these values. FORMAT is a Python format such as
``.1%``, or one of

- ``share``: the change of a difference that is stored with its relative size, unsigned, with its interval;
- ``points``: a difference of rates in percentage points, with its interval;
- ``rate``: a rate with its interval.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

MARK = re.compile(r"(<!-- value: (\S+) (.+?) (\S+) -->).*?(<!-- /value -->)", flags=re.DOTALL)


def filled(text: str, root: Path) -> str:
    """The page with the number of every mark taken from the results under ``root``.

    Raises:
        ValueError: A path that names nothing, or several rows; the message says which.
    """

    def fill(mark: re.Match) -> str:
        opening, file, path, style, closing = mark.groups()
        value = json.loads((root / file).read_text())
        for step in path.split("."):
            value = _entered(value, step, f"path: must be in {file}, got {path}")
        return opening + STYLES.get(style, lambda found: format(found, style))(value) + closing

    return MARK.sub(fill, text)


def _entered(value: Any, step: str, error: str) -> Any:
    if isinstance(value, list) and "=" in step:
        wanted = [part.split("=", 1) for part in step.split(",")]
        rows = [row for row in value if all(str(row.get(key)) == said for key, said in wanted)]
        if len(rows) != 1:
            raise ValueError(f"{error}, whose {step} has {len(rows)} rows")
        return rows[0]
    try:
        return value[int(step) if isinstance(value, list) else step]
    except (KeyError, IndexError, ValueError, TypeError):
        raise ValueError(error) from None


def _share(difference: dict[str, float]) -> str:
    per_cent = 100 * difference["share"] / difference["value"]
    ends = sorted(abs(per_cent * difference[end]) for end in ("low", "high"))
    if difference["low"] <= 0 <= difference["high"]:
        raise ValueError(f"format: share must have an interval without zero, got {difference}")
    return f"{abs(100 * difference['share']):.1f} % [{ends[0]:.1f}, {ends[1]:.1f}]"


def _scaled(difference: dict[str, float]) -> str:
    value, low, high = (f"{100 * difference[key]:.0f}" for key in ("value", "low", "high"))
    return f"{value} {{}}[{low}, {high}]".replace("-", "−")


STYLES = {
    "share": _share,
    "points": lambda found: _scaled(found).format("points "),
    "rate": lambda found: _scaled(found).format("% "),
}

if __name__ == "__main__":
    for page in map(Path, sys.argv[1:]):
        page.write_text(filled(page.read_text(), Path()))
