"""The training's figures: objectives, their gradients and weights, and the held-out losses."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
import seaborn.objects as so
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ._evaluation import relative_changes
from ._marks import counts, draw_estimates, label, legend_below, marker
from ._registry import drawn_from
from ._style import PAGE, colour

_DIRECTIONS = {"sum": "Plain sum", "mpd": "MPD"}


@drawn_from("train_lora", "training_heldout")
def heldout_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """Held-out loss of each objective along both runs, and its final change with an interval.

    Args:
        values: Of the result ``train_lora``: ``curves``, ``losses`` and ``loss_differences`` as rows.

    Returns:
        The figure, and its rows, distinguished by the column ``quantity``: "curve" or "change".
    """
    curves, changes = pd.DataFrame(values["curves"]), relative_changes(values)
    regions, runs = list(dict.fromkeys(changes.region)), list(dict.fromkeys(changes.system))
    figure, panels = plt.subplots(
        1, len(regions) + 1, figsize=(PAGE, 2.3), width_ratios=[1] * len(regions) + [1.3]
    )
    for panel, region in zip(panels, regions, strict=False):
        for run in runs:
            curve = curves[(curves.run == run) & (curves.objective == region)]
            line = "-" if run == runs[0] else "--"
            panel.plot(curve.step, curve.relative - 1, marker(run), linestyle=line, color=colour(run), ms=3)
        panel.axhline(0, color=colour("base"), linewidth=0.8, zorder=1)
        panel.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
        panel.set(title=label(region), xlabel="step", ylim=_padded(curves.relative - 1))
    for panel in panels[1:-1]:
        panel.tick_params(labelleft=False)
    panels[0].set_ylabel("held-out loss against the base")
    draw_estimates(panels[-1], changes, "region", regions, runs)
    panels[-1].axvline(0, color=colour("base"), linewidth=0.8, zorder=1)
    panels[-1].xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    panels[-1].xaxis.set_major_locator(MaxNLocator(4))  # labels of the default would touch
    panels[-1].set(title="after the last step", xlabel=f"change ({counts(changes)} images)")
    legend_below(figure, panels[-1])
    data = pd.concat([curves.assign(quantity="curve"), changes.assign(quantity="change")])
    return figure, data


@drawn_from("train_controlnet", "controlnet_heldout")
def controlnet_heldout_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """:func:`heldout_figure` of the result ``train_controlnet``."""
    return heldout_figure(values)


def _padded(values: pd.Series) -> tuple[float, float]:
    margin = 0.06 * (values.max() - values.min()) or 0.01
    return values.min() - margin, values.max() + margin


@drawn_from("train_lora", "training_gradients")
def gradients_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """Along the MPD run: norms of the gradients, weights, and each objective's share in the direction.

    Args:
        values: Of the result ``train_lora``: ``gradients`` as rows.

    Returns:
        The figure, and its rows.
    """
    data = pd.DataFrame(values["gradients"])
    data = data[data.run == data.run.iloc[-1]].reset_index(drop=True)
    figure, panels = plt.subplots(1, 3, figsize=(PAGE, 2.4))
    titles = {
        "norm": ("Gradient norm ‖gᵢ‖", "log"),
        "weight": ("Weight wᵢ", "log"),
        "mpd_share": ("Share of the direction wᵢ‖gᵢ‖", "linear"),
    }
    for panel, (column, (title, scale)) in zip(panels, titles.items(), strict=True):
        for objective, rows in data.groupby("objective", sort=False):
            panel.plot(rows.step, rows[column], ".", color=colour(objective), ms=2, alpha=0.5)
            smooth = rows[column].rolling(15, center=True, min_periods=5).median()
            panel.plot(rows.step, smooth, "-", color=colour(objective), label=label(objective))
        panel.set(title=title, xlabel="step", yscale=scale)
    panels[2].set_ylim(0, 1)
    legend_below(figure, panels[0])
    return figure, data


@drawn_from("train_lora", "training_conflict")
def conflict_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """How well the plain sum and the MPD direction serve each objective at the same steps.

    Left of zero a step raises the objective.

    Args:
        values: Of the result ``train_lora``: ``gradients`` as rows.

    Returns:
        The figure, and its rows.
    """
    data = pd.DataFrame(values["gradients"])
    palette = {name: colour(name) for name in data.objective}
    figure, panels = plt.subplots(1, 2, figsize=(PAGE, 2.2), sharex=True, sharey=True)
    for panel, (direction, title) in zip(panels, _DIRECTIONS.items(), strict=True):
        cosine = f"{direction}_alignment"
        dots = so.Dot(pointsize=2, alpha=0.5, edgewidth=0)
        plot = so.Plot(data, x=cosine, y="objective", color="objective").scale(color=so.Nominal(palette))
        plot.add(dots, so.Jitter(0.7, seed=0), legend=False).on(panel).plot()
        for objective, rows in data.groupby("objective"):
            panel.annotate(
                f"{100 * (rows[cosine] < 0).mean():.0f} %", (0.025, objective), va="center", fontsize=7,
                xycoords=("axes fraction", "data"),
                bbox={"boxstyle": "round", "fc": "white", "ec": "none", "alpha": 0.8},
            )  # fmt: skip
        panel.axvline(0, color="black", linewidth=0.8)
        panel.set(title=title, xlabel="cosine of gradient and direction; % below 0", ylabel="", xlim=(-1, 1))
        panel.grid(axis="y", visible=False)
        panel.label_outer()
    return figure, data
