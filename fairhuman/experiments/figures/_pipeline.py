"""The method in one picture, the counterpart of the paper's Fig. 3, with the numbers of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Circle, Ellipse, FancyBboxPatch, Rectangle

from ._registry import drawn_from
from ._style import COLOURS, PAGE, colour

_REGIONS = {"global": "whole image", "face": "face", "hand": "hand"}
_GROUND = "#F4F4F4"


@drawn_from("train_lora", "pipeline")
def pipeline_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """Three stages: objectives by masks (Eq. 2), a fair direction (Eq. 5 to 8), the adapter beside its base
    (Eq. 12).

    Args:
        values: Of the result ``train_lora``: ``gradients`` as rows, of a run trained with MPD.

    Returns:
        The figure; medians over the MPD run, one row per objective: ``norm`` of the gradient, ``weight``, and
        ``share``, wᵢ‖gᵢ‖ over the sum of all.
    """
    rows = pd.DataFrame(values["gradients"])
    rows = rows[rows.run.str.endswith("mpd")].groupby("objective")[["norm", "weight", "mpd_share"]].median()
    data = rows.rename(columns={"mpd_share": "share"}).reindex([*_REGIONS]).reset_index()
    figure, axes = plt.subplots(figsize=(PAGE, 2.95))
    axes.set(xlim=(0, 69), ylim=(0, 29.5), aspect="equal")
    axes.set_axis_off()
    stages = ("1  Objectives (Eq. 2)", "2  Fair direction (Eq. 5–8)", "3  Sampling (Eq. 12)")
    for title, left, width in zip(stages, (0.3, 26, 51.3), (24.4, 24, 17.4), strict=True):
        frame = FancyBboxPatch((left, 0.5), width, 25.5, boxstyle="round,pad=0,rounding_size=1")
        frame.set(facecolor="none", edgecolor=COLOURS["base"], linewidth=0.8)
        axes.add_patch(frame)
        axes.text(left, 27.2, title, fontsize=9, weight="bold")
    _objectives(axes)
    _direction(axes, data)
    _sampling(axes)
    for start, end in (((24.7, 9.5), (26, 9.5)), ((50, 9.5), (51.3, 9.5))):
        _arrow(axes, start, end)
    return figure, data


def _objectives(axes: Axes) -> None:
    _person(axes, 1.2, 16.2, 8)
    _words(axes, 5.2, 15.2, "noised image", va="top")
    _arrow(axes, (9.4, 20.2), (11, 20.2))
    _box(axes, (11, 16.8), (12.6, 6.8), "UNet\nfrozen base\n+ LoRA or ControlNet", COLOURS["mpd"])
    _words(axes, 17.3, 15.2, r"prediction $\hat v$ of target $v$", va="top")
    for place, (name, words) in enumerate(_REGIONS.items()):
        left = 1.4 + 8 * place
        _person(axes, left, 4.8, 6, only=name)
        _arrow(axes, (left + 3, 13), (left + 3, 11.2), colour(name))
        _words(axes, left + 3, 4.2, words, color=colour(name), weight="bold", va="top")
        mask = "" if name == "global" else rf"m_{name[0]}\odot "
        _words(axes, left + 3, 2.3, rf"$\|{mask}(v-\hat v)\|^2$", va="top")


def _direction(axes: Axes, data: pd.DataFrame) -> None:
    columns = {"norm": (34, r"$\|g_i\|$"), "weight": (39.8, "$w_i$"), "share": (45.6, r"$w_i\|g_i\|$")}
    for name, (x, words) in columns.items():
        _words(axes, x, 24.2, words, fontsize=8)
        sizes = data[name].to_numpy(float)
        # Norms and weights span powers of ten: bars from a third of the least, on a log scale. Shares do not.
        lengths = sizes if name == "share" else np.log(3 * sizes / np.nanmin(sizes))
        for row, (size, length) in enumerate(zip(sizes, lengths / np.nanmax(lengths), strict=True)):
            y, shade = 21.6 - 2.9 * row, colour(data.objective[row])
            axes.add_patch(Rectangle((x - 2.4, y - 1.35), 4.8 * length, 0.6, color=shade))
            text = f"{100 * size:.0f} %" if name == "share" else _two_digits(size)
            axes.text(x - 2.4, y + 0.5, text, va="center", fontsize=7)
    for row, name in enumerate(data.objective):
        axes.text(26.8, 21.6 - 2.9 * row, name, va="center", fontsize=7, color=colour(name), weight="bold")
    _arrow(axes, (38, 13.8), (38, 12.6))
    _box(
        axes, (27.2, 7), (21.6, 5.4), "$K_{ij}=g_i^\\top g_j$\nsolve $K\\,w=w^{-1/2}$ exactly", COLOURS["mpd"]
    )
    _arrow(axes, (38, 7), (38, 5.8))
    _words(axes, 38, 4.5, r"step along $d=\sum_i w_i\,g_i$", fontsize=8)
    axes.text(
        38, 2.2, "every $g_i^\\top d>0$: to first order no loss rises", ha="center", va="center", fontsize=7
    )


def _two_digits(value: float) -> str:
    """Without powers of ten.

    >>> _two_digits(11_098.9), _two_digits(0.00091)
    ('11,000', '0.00091')
    """
    return f"{float(f'{value:.2g}'):,.0f}" if value >= 10 else f"{value:.2g}"


def _sampling(axes: Axes) -> None:
    _box(axes, (52.3, 19.8), (7.4, 4.6), "base\n$N_{base}$", COLOURS["base"])
    _box(axes, (60.3, 19.8), (7.4, 4.6), "adapter\n$N_{new}$", COLOURS["mpd"])
    axes.add_patch(Circle((60, 16.2), 0.9, facecolor="white", edgecolor="black", linewidth=0.8))
    _words(axes, 60, 16.15, "+", fontsize=9)
    _arrow(axes, (56, 19.8), (59.2, 16.8))
    _arrow(axes, (64, 19.8), (60.8, 16.8))
    axes.text(63.4, 17.2, r"$\times\,\beta$", fontsize=8)
    _arrow(axes, (60, 15.3), (60, 13.6))
    _person(axes, 56, 5.4, 8)
    _words(axes, 60, 3.4, r"$y=N_{base}+\beta\,N_{new}$", fontsize=8)


def _person(axes: Axes, x: float, y: float, side: float, only: str = "") -> None:
    """A figure of a person, or what one mask leaves of it."""
    shades = {name: colour(name) if only in ("", name) else _GROUND for name in _REGIONS}
    unit = side / 10
    ground = colour("global") if only == "global" else _GROUND
    frame = Rectangle((x, y), side, side, facecolor=ground, edgecolor=COLOURS["base"], linewidth=0.6)
    axes.add_patch(frame)
    if only == "global":
        return
    body = "#B5B5B5" if not only else "#E6E6E6"
    shades = {name: shade if shade != _GROUND else body for name, shade in shades.items()}
    torso = Ellipse((x + 5 * unit, y), 6 * unit, 9.4 * unit, color=body)
    axes.add_patch(torso)
    torso.set_clip_path(frame)
    axes.plot(
        [x + 7 * unit, x + 8.2 * unit],
        [y + 3 * unit, y + 6.2 * unit],
        color=body,
        linestyle="-",
        linewidth=3 * unit,
    )
    axes.add_patch(Circle((x + 5 * unit, y + 6.9 * unit), 1.9 * unit, color=shades["face"]))
    axes.add_patch(Circle((x + 8.3 * unit, y + 6.8 * unit), 0.9 * unit, color=shades["hand"]))


def _words(axes: Axes, x: float, y: float, text: str, **options: Any) -> None:
    usual: dict[str, Any] = {"ha": "center", "va": "center", "fontsize": 7}
    axes.text(x, y, text, **usual | options)


def _box(axes: Axes, corner: tuple[float, float], size: tuple[float, float], text: str, shade: str) -> None:
    box = FancyBboxPatch(corner, *size, boxstyle="round,pad=0,rounding_size=0.6")
    box.set(facecolor="white", edgecolor=shade, linewidth=1.2)
    axes.add_patch(box)
    middle = corner[0] + size[0] / 2, corner[1] + size[1] / 2
    _words(axes, *middle, text)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float], shade: str = "black") -> None:
    style = {"arrowstyle": "-|>", "color": shade, "linewidth": 1, "shrinkA": 0, "shrinkB": 0}
    axes.annotate("", end, start, arrowprops=style)
