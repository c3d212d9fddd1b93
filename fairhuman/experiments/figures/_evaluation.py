"""The evaluation's figures: what detectors find in each system's images, and held-out losses by region."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, PercentFormatter

from ._marks import counts, draw_estimates, label, legend_below
from ._registry import drawn_from
from ._style import PAGE, colour


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
        panel.set(title=label(metric), xlim=(-0.02, 1.02), xlabel=counts(data[data.metric == metric]))
    legend_below(figure, panels[0][0])
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
    losses, changes = pd.DataFrame(values["losses"]), relative_changes(values)
    first = losses.system.iloc[0]
    regions, systems = list(dict.fromkeys(losses.region)), list(dict.fromkeys(losses.system))
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 2.3), sharey=True)
    draw_estimates(left, losses, "region", regions, systems)
    left.set(title="Held-out loss", xlabel=f"mean squared error ({counts(losses)} images)", xlim=(0, None))
    right.axvline(0, color=colour(first), linewidth=0.8, zorder=1)
    draw_estimates(right, changes, "region", regions, systems)
    right.set(title=f"Change from {label(first)}", xlabel="paired difference; left of the line is better")
    right.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    right.xaxis.set_major_locator(MaxNLocator(5))  # labels of the default would touch
    legend_below(figure, left)
    data = [losses.assign(quantity="loss"), changes.assign(quantity="change")]
    return figure, pd.concat(data, ignore_index=True)


def relative_changes(values: Mapping[str, Any]) -> pd.DataFrame:
    """Paired differences from the first system as a share of its mean loss, which is taken as exact."""
    losses, changes = pd.DataFrame(values["losses"]), pd.DataFrame(values["loss_differences"])
    first = losses.system.iloc[0]
    changes = changes[changes.reference == first].reset_index(drop=True)
    base = losses[losses.system == first].set_index("region").value
    for column in ("value", "low", "high"):
        changes[column] = changes[column].astype(float) / changes.region.map(base)
    return changes


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
        panel.set(title=label(detector), xlim=(-0.02, 1.02), xlabel=f"rate ({counts(subset)})")
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
    # Few images of hands make a wide interval; the scale is linear to ½ and logarithmic beyond.
    left.set_xscale("symlog", linthresh=0.5, linscale=2)
    left.set_xticks([-0.5, 0, 0.5, 2, 5], ["−½", "0", "½", "2", "5"])
    left.minorticks_off()
    left.set(title="Reader's distance", xlabel=f"kernel distance ({counts(distance)})")
    middle.set(title="Agreement with captions", xlabel=f"share read as stated ({counts(caption)})")
    right.set(title="Pose asked for", xlabel=f"share of joints ({counts(pose)})")
    least = min(caption.low.astype(float).min(), pose.low.astype(float).min())
    for panel in (middle, right):
        panel.set_xlim(min(0.9, least - 0.05), 1.02)
    legend_below(figure, left)
    return figure, pd.concat([distance, caption, pose], ignore_index=True)
