"""Numbers in Markdown, filled in from stored results: `python -m fairhuman.experiments.filled PAGE`.

A mark is `<!-- value: FILE PATH FORMAT -->text<!-- /value -->`; PATH is dotted. FORMAT is a
Python format such as `.1%`, or `fall`: a share and its interval, in per cent, falls positive.
"""

import json
import re
import sys
from pathlib import Path

MARK = re.compile(r"(<!-- value: (\S+) (\S+) (\S+) -->).*?(<!-- /value -->)", flags=re.DOTALL)


def filled(text: str, root: Path) -> str:
    """`text` with every mark's number taken from the results under `root`; ValueError for an unknown path."""

    def fill(mark: re.Match) -> str:
        opening, file, path, style, closing = mark.groups()
        value = json.loads((root / file).read_text())
        for key in path.split("."):
            try:
                value = value[int(key) if isinstance(value, list) else key]
            except (KeyError, IndexError, ValueError, TypeError):
                raise ValueError(f"path: must be in {file}, got {path}") from None
        return opening + (_fall(value) if style == "fall" else format(value, style)) + closing

    return MARK.sub(fill, text)


def _fall(difference: dict) -> str:
    per_cent = -100 * difference["share"] / difference["value"]
    value, high, low = (per_cent * difference[key] for key in ("value", "low", "high"))
    return f"{value:.1f} % [{low:.1f}, {high:.1f}]"


if __name__ == "__main__":
    for page in map(Path, sys.argv[1:]):
        page.write_text(filled(page.read_text(), Path()))
