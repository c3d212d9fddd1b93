"""Fill in numbers in Markdown from stored results: ``python -m fairhuman.experiments.filled PAGE ...``.

A mark is ``<!-- value: FILE PATH FORMAT -->text<!-- /value -->``. PATH is a path for
:func:`fairhuman.experiments.paths.enter`. FORMAT is a Python format such as ``.1%``, or one of

- ``share``: the relative size of a stored difference, unsigned, with its interval, which excludes zero;
- ``change``: the same with its sign, for any interval;
- ``points``: a difference of rates in percentage points, with its interval;
- ``rate``: a rate with its interval;
- ``found``: the proportion of rows with ``found`` true, with its Wilson interval;
- ``count``: the number of rows;
- ``median``: the median of a list of numbers.

``<!-- figures/NAME.md -->`` to ``<!-- end -->`` contains that file's first table and the following paragraph.

In notebooks, only text is filled in; code and outputs stay.
"""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from fairhuman.experiments.paths import enter
from fairhuman.files import write_text

MARK = re.compile(r"(<!-- value: (\S+) (.+?) (\S+) -->).*?(<!-- /value -->)", flags=re.DOTALL)
TABLE = re.compile(r"(<!-- (figures/\S+\.md) -->\n).*?(\n<!-- end -->)", flags=re.DOTALL)


def filled(text: str, root: Path) -> str:
    """Return the page with every number and table updated from the files in ``root``.

    Raises:
        ValueError: A path matches nothing or several rows; the message says which.
    """

    def fill(mark: re.Match) -> str:
        opening, file, path, style, closing = mark.groups()
        try:
            value = enter(json.loads((root / file).read_text()), path)
        except LookupError as error:
            raise ValueError(f"path: must be in {file}, got {error.args[0]}") from None
        shown = STYLES[style](value) if style in STYLES else format(value, style).replace("%", " %")
        return opening + shown.replace("-", "−") + closing

    return TABLE.sub(
        lambda mark: mark[1] + _table((root / mark[2]).read_text()) + mark[3], MARK.sub(fill, text)
    )


def filled_page(page: Path, root: Path) -> str:
    """:func:`filled` of a Markdown file, or of the text of a notebook."""
    if page.suffix != ".ipynb":
        return filled(page.read_text(), root)
    notebook = json.loads(page.read_text())
    for cell in notebook["cells"]:
        if cell["cell_type"] == "markdown":
            cell["source"] = filled("".join(cell["source"]), root).splitlines(keepends=True)
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def write_filled(page: Path, root: Path) -> None:
    """Fill a page in place."""
    write_text(page, filled_page(page, root))


def _table(page: str) -> str:
    blocks = page.strip().split("\n\n")
    first = next(number for number, block in enumerate(blocks) if block.startswith("|"))
    return "\n\n".join(blocks[first : first + 2])


def _share(difference: Mapping[str, float]) -> str:
    if difference["low"] <= 0 <= difference["high"]:
        raise ValueError(f"format: share must have an interval without zero, got {difference}")
    value, *ends = (abs(end) for end in _relative(difference))
    return f"{value:.1f} % [{min(ends):.1f}, {max(ends):.1f}]"


def _change(difference: Mapping[str, float]) -> str:
    value, low, high = _relative(difference)
    return f"{value:+z.1f} % [{low:z.1f}, {high:z.1f}]"


def _relative(difference: Mapping[str, float]) -> tuple[float, float, float]:
    per_cent = 100 * difference["share"] / difference["value"]
    return 100 * difference["share"], per_cent * difference["low"], per_cent * difference["high"]


def _points(found: Mapping[str, float]) -> str:
    keys = ("change", "change_low", "change_high") if "change" in found else ("value", "low", "high")
    return _scaled([found[key] for key in keys], "points")


def _rate(found: Mapping[str, Any]) -> str:
    return _scaled([found[key] for key in ("value", "low", "high")], "%")


def _found(rows: Sequence[Mapping[str, Any]]) -> str:
    from fairhuman.evaluation.statistics import estimate_proportion

    return _rate(estimate_proportion(sum(row["found"] for row in rows), len(rows)).stored())


def _scaled(values: Sequence[float], unit: str) -> str:
    value, low, high = (f"{100 * one:z.0f}" for one in values)
    return f"{value} {unit} [{low}, {high}]"


STYLES: Mapping[str, Callable[[Any], str]] = {
    "share": _share,
    "change": _change,
    "points": _points,
    "rate": _rate,
    "found": _found,
    "count": lambda rows: str(len(rows)),
    "median": lambda values: f"{median(values):.3f}",
}

if __name__ == "__main__":
    for page in map(Path, sys.argv[1:]):
        write_filled(page, Path())
