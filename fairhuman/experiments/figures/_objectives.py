"""The objectives' figures: masks on the latent grid, conflict over timesteps, shares over scale."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import PercentFormatter

from ._humans import draw_regions
from ._marks import label, legend_below
from ._registry import drawn_from
from ._style import PAGE, colour

if TYPE_CHECKING:
    from fairhuman.data import HumanSample

_DIRECTIONS = {"sum": "Plain sum", "mpd": "MPD"}
_PAIRS = {("global", "face"): colour("face"), ("global", "hand"): colour("hand"), ("face", "hand"): "black"}


def latent_masks_figure(
    samples: Sequence[HumanSample], grids: Mapping[str, Sequence[Mapping[str, np.ndarray]]]
) -> Figure:
    """Each sample in a column: its masks in pixels, and below them on the latent grid.

    Args:
        samples: Images with masks.
        grids: Title of a row → for each sample, region → mask on the latent grid, shape (h, w), in [0, 1].
    """
    figure, panels = plt.subplots(
        1 + len(grids), len(samples), figsize=(PAGE, PAGE / len(samples) * (1 + len(grids)) + 0.3)
    )
    for column, sample in enumerate(samples):
        draw_regions(panels[0, column], sample)
        for row, masks in zip(panels[1:], grids.values(), strict=True):
            _draw_grid(row[column], masks[column])
    for row, title in zip(panels, ("pixels", *grids), strict=True):
        row[0].set_ylabel(title)
        for panel in row:
            panel.set(xticks=[], yticks=[])
            panel.grid(visible=False)
    handles = [Rectangle((0, 0), 1, 1, color=colour(name)) for name in samples[0].masks]
    figure.legend(handles, list(samples[0].masks), loc="outside lower center", ncols=len(handles))
    return figure


def _draw_grid(ax: Axes, masks: Mapping[str, np.ndarray]) -> None:
    first = next(iter(masks.values()))
    shown = np.ones((*first.shape, 3))
    for name, mask in masks.items():
        shown = (1 - mask[..., None]) * shown + mask[..., None] * np.array(to_rgb(colour(name)))
    ax.imshow(shown.clip(0, 1), interpolation="nearest")


@drawn_from("objectives", "objectives_conflict")
def timestep_conflict_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """Cosines between gradients, and their norms, over the timesteps of the schedule.

    Args:
        values: Of the result ``objectives``: ``cosines`` and ``norms`` as rows.

    Returns:
        The figure, and its rows, distinguished by the column ``quantity``: "cosine" or "norm".
    """
    cosines, norms = pd.DataFrame(values["cosines"]), pd.DataFrame(values["norms"])
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 2.5))
    for shift, ((first, second), shade) in enumerate(_PAIRS.items()):
        rows = cosines[(cosines["first"] == first) & (cosines.second == second)]
        _draw_over_timesteps(left, rows, 25 * (shift - 1), shade, f"{first}, {second}")
    left.axhline(0, color="black", linewidth=0.8)
    left.set(title="Cosine of two gradients", xlabel="timestep")
    for shift, (objective, rows) in enumerate(norms.groupby("objective", sort=False)):
        _draw_over_timesteps(right, rows, 25 * (shift - 1), colour(objective), label(objective))
    right.set(title="Norm of a gradient", xlabel="timestep", yscale="log")
    for panel in (left, right):
        panel.legend(loc="upper center", bbox_to_anchor=(0.5, -0.2), ncols=3, columnspacing=1)
    return figure, pd.concat([cosines.assign(quantity="cosine"), norms.assign(quantity="norm")])


def _draw_over_timesteps(ax: Axes, rows: pd.DataFrame, shift: float, shade: str, words: str) -> None:
    middle = (rows.start + rows.end) / 2 + shift
    value = rows.value.astype(float)
    arms = np.vstack([value - rows.low.astype(float), rows.high.astype(float) - value])
    arms = np.nan_to_num(arms.clip(min=0))
    ax.errorbar(middle, value, yerr=arms, fmt="o-", color=shade, label=words, elinewidth=1.1)


@drawn_from("objectives", "objectives_shares")
def shares_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """Each objective's share of a step over the scale of the local losses, in the plain sum and under MPD.

    Args:
        values: Of the result ``objectives``: ``shares`` as rows.

    Returns:
        The figure, and its rows.
    """
    data = pd.DataFrame(values["shares"])
    figure, panels = plt.subplots(1, 2, figsize=(PAGE, 2.5), sharey=True)
    for panel, (direction, title) in zip(panels, _DIRECTIONS.items(), strict=True):
        subset = data[data.direction == direction]
        for objective, rows in subset[subset.reduction == "image"].groupby("objective", sort=False):
            low, high = rows.low.astype(float), rows.high.astype(float)
            panel.plot(rows.scale, rows.value, "o-", color=colour(objective), label=label(objective))
            panel.fill_between(rows.scale, low, high, color=colour(objective), alpha=0.2, lw=0)
        panel.axvline(25, color=colour("base"), linestyle=":", linewidth=1)
        panel.set(title=title, xscale="log", xlabel="factor on the local losses", ylim=(0, 1))
        panel.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    panels[0].set_ylabel("share of the step")
    legend_below(figure, panels[0])
    return figure, data
