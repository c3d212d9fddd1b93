"""The training's figures: objectives, their gradients and weights, and what became of the held-out losses."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ._evaluation import draw_estimates, label, marker
from ._registry import drawn_from
from ._style import PAGE, colour

_DIRECTIONS = {"sum": "Plain sum", "mpd": "MPD"}


@drawn_from("train_lora", "training_heldout")
def heldout_figure(figures: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """Held-out loss of each objective along both runs, and its final change with an interval.

    Args:
        figures: Of the result ``train_lora``: ``curves``, ``losses`` and ``loss_differences`` as rows.

    Returns:
        The figure, and its rows, told apart by the column ``quantity``: "curve" or "change".
    """
    curves, changes = pd.DataFrame(figures["curves"]), _relative_changes(figures)
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
    panels[-1].set(title="after the last step", xlabel="change against the base")
    handles, labels = panels[-1].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(runs))
    data = pd.concat([curves.assign(quantity="curve"), changes.assign(quantity="change")])
    return figure, data


@drawn_from("train_controlnet", "controlnet_heldout")
def controlnet_heldout_figure(figures: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """:func:`heldout_figure` of the result ``train_controlnet``."""
    return heldout_figure(figures)


def _padded(values: pd.Series) -> tuple[float, float]:
    margin = 0.06 * (values.max() - values.min()) or 0.01
    return values.min() - margin, values.max() + margin


def _relative_changes(figures: Mapping[str, Any]) -> pd.DataFrame:
    """Paired differences from the base as a share of its mean loss, which is taken as exact."""
    losses, changes = pd.DataFrame(figures["losses"]), pd.DataFrame(figures["loss_differences"])
    changes = changes[changes.reference == "base"].reset_index(drop=True)
    base = losses[losses.system == "base"].set_index("region").value
    for column in ("value", "low", "high"):
        changes[column] = changes[column].astype(float) / changes.region.map(base)
    return changes


@drawn_from("train_lora", "training_gradients")
def gradients_figure(figures: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """Along the MPD run: norms of the gradients, weights, and each objective's share in the direction.

    Args:
        figures: Of the result ``train_lora``: ``gradients`` as rows.

    Returns:
        The figure, and its rows.
    """
    data = pd.DataFrame(figures["gradients"])
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
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
    return figure, data


@drawn_from("train_lora", "training_conflict")
def conflict_figure(figures: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """How well the plain sum and the MPD direction serve each objective at the same steps.

    Left of zero a step raises the objective.

    Args:
        figures: Of the result ``train_lora``: ``gradients`` as rows.

    Returns:
        The figure, and its rows.
    """
    data = pd.DataFrame(figures["gradients"])
    objectives = list(dict.fromkeys(data.objective))
    figure, panels = plt.subplots(1, 2, figsize=(PAGE, 2.2), sharex=True, sharey=True)
    for panel, (direction, title) in zip(panels, _DIRECTIONS.items(), strict=True):
        for height, objective in enumerate(reversed(objectives)):
            values = data[data.objective == objective][f"{direction}_alignment"]
            jitter = [0.35 * (2 * ((i * 0.618) % 1) - 1) for i in range(len(values))]
            panel.plot(
                values, [height + shift for shift in jitter], ".", color=colour(objective), ms=3, alpha=0.5
            )
            ascends = f"{100 * (values < 0).mean():.0f} %"
            panel.annotate(
                ascends, (0.025, height), xycoords=("axes fraction", "data"), va="center", fontsize=7,
                bbox={"boxstyle": "round", "fc": "white", "ec": "none", "alpha": 0.8},
            )  # fmt: skip
        panel.axvline(0, color="black", linewidth=0.8)
        panel.set(
            title=title,
            xlabel="cosine of gradient and direction",
            yticks=range(len(objectives)),
            xlim=(-1, 1),
        )
        panel.set_yticklabels([label(name) for name in reversed(objectives)])
        panel.grid(axis="y", visible=False)
    return figure, data
