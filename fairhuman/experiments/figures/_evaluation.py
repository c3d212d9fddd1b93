"""The evaluation's figures: what detectors find in each system's images, and held-out losses by region."""

from collections.abc import Mapping, Sequence
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ._registry import drawn_from
from ._style import PAGE, colour

#: Names in the results → names in figures.
LABELS: Mapping[str, str] = {
    "base": "base",
    "lora-ls": "LoRA, sum",
    "lora-mpd": "LoRA, MPD",
    "renders": "renders",
    "face": "face",
    "face_short": "face (short range)",
    "hand": "hand",
    "palm": "palm",
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
    "global": "global",
    "rate": "Detection rate",
    "confidence": "Confidence (paper's)",
    "confidence_with_misses": "Confidence, misses as 0",
}


#: Kinds of systems that share colours with others by strategy are distinguished by shape.
MARKERS: Mapping[str, str] = {"controlnet": "s", "mole": "^"}


def label(name: str) -> str:
    """The name that figures use for ``name``; by default itself."""
    return LABELS.get(name, name)


@drawn_from("evaluation", "evaluation_detection")
def detection_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """One panel per metric: each system's value for each detector, with its interval.

    Args:
        values: Of the result ``evaluation``: ``systems`` in order, ``detection`` as rows.

    Returns:
        The figure, and its rows.
    """
    data = pd.DataFrame(values["detection"])
    data = data[data.area == "all"].drop(columns="area").reset_index(drop=True)
    metrics, detectors = list(dict.fromkeys(data.metric)), list(dict.fromkeys(data.detector))
    figure, panels = plt.subplots(1, len(metrics), figsize=(PAGE, 2.5), sharey=True, squeeze=False)
    for panel, metric in zip(panels[0], metrics, strict=True):
        draw_estimates(panel, data[data.metric == metric], "detector", detectors, values["systems"])
        panel.set(title=label(metric), xlim=(-0.02, 1.02))
    _legend(figure, panels[0][0])
    return figure, data


@drawn_from("evaluation", "evaluation_losses")
def losses_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """Held-out loss of each region, and each system's paired difference from the first, as a share of its
    loss.

    Args:
        values: Of the result ``evaluation``: ``losses`` and ``loss_differences`` as rows.

    Returns:
        The figure, and its rows, distinguished by the column ``quantity``: "loss", or "change", a share of
        the first system's mean loss in the region, which is taken as exact.
    """
    losses, changes = pd.DataFrame(values["losses"]), pd.DataFrame(values["loss_differences"])
    first = losses.system.iloc[0]
    changes = changes[changes.reference == first].reset_index(drop=True)
    base = losses[losses.system == first].set_index("region").value
    for column in ("value", "low", "high"):
        changes[column] = changes[column].astype(float) / changes.region.map(base)
    regions, systems = list(dict.fromkeys(losses.region)), list(dict.fromkeys(losses.system))
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 2.3), sharey=True)
    draw_estimates(left, losses, "region", regions, systems)
    left.set(title="Held-out loss", xlabel="mean squared error", xlim=(0, None))
    right.axvline(0, color=colour(first), linewidth=0.8, zorder=1)
    draw_estimates(right, changes, "region", regions, systems)
    right.set(title=f"Change from {label(first)}", xlabel="paired difference; left of the line is better")
    right.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    right.xaxis.set_major_locator(MaxNLocator(5))  # labels of the default would touch
    _legend(figure, left)
    data = [losses.assign(quantity="loss"), changes.assign(quantity="change")]
    return figure, pd.concat(data, ignore_index=True)


@drawn_from("evaluation", "evaluation_areas")
def rates_by_area_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """What the detectors find in renders, by the area of the region: the detectors' blind spots.

    Args:
        values: Of the result ``evaluation``: ``render_areas``, rows of
            :func:`fairhuman.evaluation.evaluate_detection` by area.

    Returns:
        The figure, and its rows.
    """
    data = pd.DataFrame(values["render_areas"])
    data = data[(data.metric == "rate") & (data.area != "all")].reset_index(drop=True)
    detectors = list(dict.fromkeys(data.detector))
    figure, panels = plt.subplots(1, len(detectors), figsize=(PAGE, 1.8), sharey=True, squeeze=False)
    for panel, detector in zip(panels[0], detectors, strict=True):
        subset = data[data.detector == detector].assign(system="renders")
        draw_estimates(panel, subset, "area", list(dict.fromkeys(subset.area)), ["renders"])
        panel.set(title=label(detector), xlim=(-0.02, 1.02), xlabel="detection rate")
    panels[0][0].set_ylabel("area of the region")
    return figure, data


@drawn_from("image_metrics", "evaluation_images")
def image_metrics_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """Feature distance by view, agreement with the captions by attribute, and the pose's alignment.

    Args:
        values: Of the result ``image_metrics``: ``systems`` in order, ``rows`` of
            :func:`fairhuman.evaluation.evaluate.evaluate_images`.

    Returns:
        The figure, and its rows. A statistic that the sample did not allow has no point.
    """
    data = pd.DataFrame(values["rows"])
    distance = data[(data.group == "distance") & (data.metric == "kernel")].replace({"hand": "hands"})
    caption = data[data.group == "caption"]
    pose = data[(data.group == "pose") & data.metric.isin(["coverage", "pck"])]
    figure, (left, middle, right) = plt.subplots(1, 3, figsize=(PAGE, 2.5))
    parts = ((left, distance, "subject"), (middle, caption, "subject"), (right, pose, "metric"))
    for panel, subset, column in parts:
        draw_estimates(panel, subset, column, list(dict.fromkeys(subset[column])), values["systems"])
    left.axvline(0, color=colour("renders"), linewidth=0.8, zorder=1)
    left.set(title="Reader's distance", xlabel="kernel distance")
    middle.set(title="Agreement with captions", xlabel="share read as stated", xlim=(-0.02, 1.02))
    right.set(title="Pose asked for", xlabel="share of joints", xlim=(-0.02, 1.02))
    _legend(figure, left)
    return figure, pd.concat([distance, caption, pose], ignore_index=True)


def draw_estimates(
    ax: Axes, data: pd.DataFrame, column: str, rows: Sequence[str], systems: Sequence[str]
) -> None:
    """Points with intervals: one row for each of ``rows``, within it one line for each system.

    Args:
        ax: Where to draw.
        data: Columns ``system``, ``column``, ``value``, ``low``, ``high``; an interval may be missing.
        column: Column whose values are the rows.
        rows: Its values from top to bottom.
        systems: Systems from top to bottom within a row; those without data keep their place.
    """
    offsets = np.linspace(-0.27, 0.27, len(systems)) if len(systems) > 1 else [0.0]
    for offset, system in zip(offsets, systems, strict=True):
        subset = data[data.system == system].set_index(column).reindex(rows).astype({"value": float})
        places = np.arange(len(rows)) + offset
        arms = np.vstack([subset.value - subset.low.astype(float), subset.high.astype(float) - subset.value])
        # An interval may not contain its value by a rounding error; Matplotlib refuses negative arms.
        ax.errorbar(
            subset.value,
            places,
            xerr=np.nan_to_num(arms.clip(min=0)),
            fmt=marker(system),
            color=colour(system),
            label=label(system),
            elinewidth=1.1,
        )
    ax.set_yticks(range(len(rows)), [label(row) for row in rows])
    ax.set_ylim(len(rows) - 0.5, -0.5)
    ax.grid(visible=False, axis="y")


def marker(system: str) -> str:
    """The marker of a system, the same in every figure."""
    return MARKERS.get(system.split("-")[0], "o")


def _legend(figure: Figure, ax: Axes) -> None:
    handles, labels = ax.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels))
