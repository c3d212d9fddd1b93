"""The diagram in ``ARCHITECTURE.md``, drawn from the source.

``python -m fairhuman.experiments.architecture`` draws it again. A test compares its data with the source.
"""

from __future__ import annotations

import ast
from collections.abc import Mapping
from pathlib import Path
from statistics import mean
from textwrap import fill
from typing import Any

import matplotlib.pyplot as plt
from matplotlib.figure import Figure

from fairhuman.experiments.figures import COLOURS, PAGE, save, style
from fairhuman.workflow import module_imports

__all__ = ["architecture_figure", "parts"]

CORE = ("fairness/", "objectives.py", "regions.py")
"""What ``pip install .`` without extras can use."""


def parts(root: Path) -> dict[str, dict[str, Any]]:
    """Every package and every single module directly below ``fairhuman``.

    Args:
        root: Folder of the package's folder.

    Returns:
        ``name/`` or ``name.py`` → ``does``, the first line of its docstring, and ``imports``, the other parts
        that its modules import.
    """
    package = root / "fairhuman"
    names = {path.parent.name: f"{path.parent.name}/" for path in package.glob("*/__init__.py")}
    names |= {path.stem: path.name for path in package.glob("*.py") if path.stem != "__init__"}
    found = {}
    for name, shown in sorted(names.items()):
        files = sorted((package / name).rglob("*.py")) or [package / shown]
        modules = (".".join(file.relative_to(root).with_suffix("").parts) for file in files)
        imported = set().union(*(module_imports(one.removesuffix(".__init__"), root) for one in modules))
        used = {module.split(".")[1] for module in imported if "." in module} - {name}
        does = ast.get_docstring(ast.parse(files[0].read_text(encoding="utf-8"))) or ""
        found[shown] = {"does": does.partition("\n")[0], "imports": sorted(names[one] for one in used)}
    return found


def architecture_figure(data: Mapping[str, Mapping[str, Any]]) -> Figure:
    """The parts as boxes, each above all that it imports.

    Single modules that import no package stand together at the bottom. An arrow that others imply is left
    out: what a part imports can all be reached along its arrows, the bottom aside.

    Args:
        data: From :func:`parts`.
    """
    helpers = [
        name
        for name, part in data.items()
        if name.endswith(".py") and name not in CORE and all(one.endswith(".py") for one in part["imports"])
    ]
    below = {name: set(part["imports"]) - {*helpers} for name, part in data.items() if name not in helpers}
    arrows = {
        name: lower - set().union(*(_reached(other, below) for other in lower))
        for name, lower in below.items()
    }
    places = _places(arrows)
    lowest = min(y for _, y in places.values())
    figure, axes = plt.subplots(figsize=(PAGE, 0.9 - 0.85 * lowest))
    axes.set(xlim=(0, 4), ylim=(lowest - 1.1, 0.4))
    axes.axis("off")
    for name, lower in arrows.items():
        for one in sorted(lower):
            (x0, y0), (x1, y1) = places[name], places[one]
            arrow = {
                "arrowstyle": "-|>",
                "color": COLOURS["base"],
                "linewidth": 0.8,
                "shrinkA": 0,
                "shrinkB": 0,
            }
            axes.annotate("", (x1, y1 + 0.34), (x0, y0 - 0.34), arrowprops=arrow)
    for name, (x, y) in places.items():
        text = fill(data[name]["does"].replace("``", ""), 35)
        _box(axes, (x, y), (0.94, 0.68), name, text, COLOURS["mpd" if name in CORE else "global"])
    _box(axes, (2, lowest - 0.8), (3.94, 0.5), "helpers", "   ".join(helpers), COLOURS["global"])
    return figure


def _places(arrows: Mapping[str, set[str]]) -> dict[str, tuple[float, float]]:
    """Where each part's middle lies: a row directly below the lowest part that imports it."""
    above = {name: [other for other, lower in arrows.items() if name in lower] for name in arrows}

    def depth(name: str) -> int:
        return max((depth(other) + 1 for other in above[name]), default=0)

    rows: dict[int, list[str]] = {}
    for name in arrows:
        rows.setdefault(depth(name), []).append(name)
    places: dict[str, tuple[float, float]] = {}
    for height, row in sorted(rows.items()):
        middles = {name: mean([places[other][0] for other in above[name]] or [2]) for name in row}
        for place, name in enumerate(sorted(row, key=middles.__getitem__)):
            places[name] = (4 * (place + 0.5) / len(row) if len(row) > 1 else middles[name], -height)
    return places


def _reached(name: str, below: Mapping[str, set[str]]) -> set[str]:
    return below[name].union(*(_reached(one, below) for one in below[name]))


def _box(
    axes: plt.Axes, middle: tuple[float, float], size: tuple[float, float], name: str, text: str, shade: str
) -> None:
    (x, y), (width, height) = middle, size
    corner = (x - width / 2, y - height / 2)
    axes.add_patch(plt.Rectangle(corner, width, height, facecolor="white", edgecolor=shade, linewidth=0.8))
    axes.text(x, y + height / 2 - 0.05, name, ha="center", va="top", fontsize=7, weight="bold", color=shade)
    axes.text(x, y - 0.09, text, ha="center", va="center", fontsize=5.5)


if __name__ == "__main__":
    style()
    found = parts(Path())
    save(architecture_figure(found), "architecture", found)
