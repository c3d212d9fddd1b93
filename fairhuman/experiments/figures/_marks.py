"""Marks that figures share: points with intervals, legends, numbers of images, names and shapes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from ._style import colour

#: Names in the results → names in figures.
LABELS: Mapping[str, str] = {
    "lora-ls": "LoRA, sum",
    "lora-mpd": "LoRA, MPD",
    "face_short": "face (short range)",
    "mole": "MoLE",
    "controlnet-default": "ControlNet, default",
    "controlnet-ls": "ControlNet, sum",
    "controlnet-mpd": "ControlNet, MPD",
    "controlnet-union": "ControlNet-Union",
    "whole": "whole image",
    "drawn anew": "re-inpainted",
    "drawn anew, enlarged": "re-inpainted, enlarged",
    "head": "heads found",
    "hands": "hands found",
    "shirt_color": "shirt's colour",
    "coverage": "joints found",
    "pck": "right within a tenth",
    "pose_found": "anybody found",
    "rate": "Detection rate",
    "confidence": "Confidence (paper's)",
    "confidence_with_misses": "Confidence, misses as 0",
}

#: Kinds of systems that share colours with others by strategy are distinguished by shape.
MARKERS: Mapping[str, str] = {"controlnet": "s", "mole": "^"}

#: Signed percentages of a share, with a true minus.
PERCENT = FuncFormatter(lambda x, _: f"{100 * x:.4g}%".replace("-", "\N{MINUS SIGN}"))


def label(name: str) -> str:
    """The name that figures use for ``name``; by default itself."""
    return LABELS.get(name, name)


def marker(system: str) -> str:
    """The marker of a system, the same in every figure."""
    return MARKERS.get(system.split("-")[0], "o")


def counts(rows: pd.DataFrame) -> str:
    """``n = 28``, or ``n = 24–28`` where the rows' column ``n`` differs."""
    numbers = rows.n.dropna().astype(int)
    ends = dict.fromkeys((numbers.min(), numbers.max()))
    return f"n = {'–'.join(map(str, ends))}"


def legend_below(figure: Figure, ax: Axes, columns: int | None = None) -> None:
    """One legend under all panels, of what ``ax`` shows."""
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=columns or len(labels))


def frame(data: pd.DataFrame) -> tuple[float, float]:
    """Limits that keep points apart where intervals reach far: 2.2 × the farthest value, at least 0.02."""
    reach = max(0.02, 2.2 * data.value.abs().max())
    low, high = data.low.fillna(data.value).min(), data.high.fillna(data.value).max()
    return max(-reach, min(low, 0) - 0.1 * reach), min(reach, max(high, 0) + 0.1 * reach)


def draw_rows(
    ax: Axes,
    rows: pd.DataFrame,
    names: Sequence[str],
    shades: Sequence[str],
    *,
    filled: Sequence[bool] | None = None,
    markers: Sequence[str] | None = None,
    limits: tuple[float, float] | None = None,
) -> None:
    """One point with its interval per row.

    Args:
        ax: Where to draw.
        rows: Columns ``value``, ``low``, ``high``, from top to bottom; a row without a value keeps its place.
        names: Of the rows.
        shades: Their colours.
        filled: Whether each point is filled; by default all are.
        markers: Their shapes; by default circles.
        limits: Of the horizontal axis. An interval that leaves them ends in an arrow.
    """
    places = np.arange(len(rows))
    for place, shade, full, shape in zip(
        places, shades, filled if filled is not None else [True] * len(rows),
        markers or ["o"] * len(rows), strict=True,
    ):  # fmt: skip
        _points(ax, rows.iloc[[place]], places[[place]], shape, shade, limits,
                markerfacecolor=shade if full else "white")  # fmt: skip
    ax.set_yticks(places, names)
    ax.set(ylim=(len(rows) - 0.5, -0.5))
    ax.grid(visible=False, axis="y")
    ax.xaxis.set_major_locator(MaxNLocator(4))
    if limits is not None:
        ax.set_xlim(limits)


def draw_estimates(
    ax: Axes, data: pd.DataFrame, column: str, rows: Sequence[str], systems: Sequence[str]
) -> None:
    """Points with intervals: one row for each of ``rows``, within it one line for each system.

    Args:
        ax: Where to draw.
        data: Columns ``system``, ``column``, ``value``, ``low``, ``high``; an interval may be missing. Where
            a value is missing, the number of images stands instead, if there is a column ``n``.
        column: Column whose values are the rows.
        rows: Its values from top to bottom.
        systems: Systems from top to bottom within a row; those without data keep their place.
    """
    offsets = np.linspace(-0.27, 0.27, len(systems)) if len(systems) > 1 else [0.0]
    for offset, system in zip(offsets, systems, strict=True):
        subset = data[data.system == system].set_index(column).reindex(rows)
        places = np.arange(len(rows)) + offset
        _points(ax, subset, places, marker(system), colour(system), label=label(system))
        for place, row in zip(places, subset.itertuples(), strict=True):
            if pd.isna(row.value) and not pd.isna(getattr(row, "n", np.nan)):
                ax.annotate(f"{row.n:.0f} are too few", (0.98, place), xycoords=("axes fraction", "data"),
                            va="center", ha="right", color=colour(system), fontsize=7)  # fmt: skip
    ax.set_yticks(range(len(rows)), [label(row) for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(visible=False, axis="y")


def _points(
    ax: Axes,
    rows: pd.DataFrame,
    places: np.ndarray,
    shape: str,
    shade: str,
    limits: tuple[float, float] | None = None,
    **options: Any,
) -> None:
    value, low, high = (rows[name].to_numpy(dtype=float) for name in ("value", "low", "high"))
    # An interval may not contain its value by a rounding error; Matplotlib refuses negative arms.
    arms = np.nan_to_num(np.vstack([value - low, high - value]).clip(min=0))
    ax.errorbar(value, places, xerr=arms, fmt=shape, color=shade, elinewidth=1.1, **options)
    for end, arrow, beyond in zip(limits or (), "<>", (low, high), strict=False):
        leaves = beyond < end if arrow == "<" else beyond > end
        if leaves.any():  # an empty line would take part in the layout
            ax.plot(np.full(leaves.sum(), end), places[leaves], arrow, color=shade, clip_on=False)
