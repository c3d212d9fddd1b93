"""Fig. 2 in numbers: detection rates of faces and hands by area, generated and rendered."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ._marks import counts, draw_estimates, legend_below
from ._registry import drawn_from
from ._style import PAGE, colour

_LINES = {"renders": "--", "generated": "-"}
_POINTS = {"renders": "s", "generated": "o"}


@drawn_from("motivation", "motivation_areas")
def motivation_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """Probability that a region is found against its area: observed in bins, and fitted; ticks are images.

    Args:
        values: Of the result ``motivation``: ``images`` as rows, and ``gaps``, one per region, of
            :func:`fairhuman.experiments.motivation.gap_by_area`.

    Returns:
        The figure, and the curves, bins and images it shows, distinguished by the column ``what``.
    """
    images = pd.DataFrame(values["images"])
    fits = values["gaps"]
    figure, panels = plt.subplots(1, len(fits), figsize=(PAGE, 2.4), sharey=True, squeeze=False)
    shown = []
    for panel, fit in zip(panels[0], fits, strict=True):
        curves = pd.DataFrame(fit["curves"]).query("model == 'found'")
        for row, source in enumerate(_LINES):
            subset, marks = curves[curves.source == source], images[images.source == source]
            marks = marks[marks.region == fit["region"]]
            shade = colour(source)
            panel.fill_between(subset.area, subset.low, subset.high, color=shade, alpha=0.18, linewidth=0)
            panel.plot(subset.area, subset.value, _LINES[source], color=shade, label=source)
            bins = pd.DataFrame(fit["bins"]).query("source == @source")
            arms = np.vstack([bins.value - bins.low, bins.high - bins.value]).astype(float).clip(min=0)
            panel.errorbar(
                bins.area * 2 ** (0.12 * row - 0.06), bins.value, arms, fmt=_POINTS[source], color=shade,
                elinewidth=0.9, markersize=3.5,
            )  # fmt: skip
            # Generated images stand inside, renders outside of the frame of 0 and 1.
            places = np.where(marks.found, 1.03 + 0.05 * row, -0.03 - 0.05 * row)
            panel.plot(marks.area, places, "|", color=shade, markersize=4, alpha=0.8)
            shown += [subset.assign(region=fit["region"], what="curve")]
            shown += [bins.assign(region=fit["region"], what="bin")]
        numbers = ", ".join(f"{fit['n'][source]} {source}" for source in _LINES)
        panel.set(title=fit["region"], xscale="log", ylim=(-0.12, 1.12), xlabel=f"area asked for ({numbers})")
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
        panel.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
    panels[0][0].set_ylabel("share found")
    legend_below(figure, panels[0][0])
    return figure, pd.concat([*shown, images.assign(what="image")], ignore_index=True)


@drawn_from("motivation", "motivation_repair")
def repair_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """Share found in the image as it is, enlarged, and re-inpainted; generated and rendered.

    Args:
        values: Of the result ``motivation``: ``views`` as rows ``region``, ``source``, ``view``, ``value``,
            ``low``, ``high``, ``n``.

    Returns:
        The figure, and its rows.
    """
    data = pd.DataFrame(values["views"])
    regions, views = list(dict.fromkeys(data.region)), list(dict.fromkeys(data["view"]))
    figure, panels = plt.subplots(1, len(regions), figsize=(PAGE, 1.9), sharey=True, squeeze=False)
    for panel, region in zip(panels[0], regions, strict=True):
        subset = data[data.region == region].rename(columns={"source": "system"})
        draw_estimates(panel, subset, "view", views, list(_LINES))
        panel.set(title=region, xlim=(-0.03, 1.03), xlabel=f"share found ({counts(subset)})")
    legend_below(figure, panels[0][0])
    return figure, data
