"""Fig. 2 in numbers: what is found of faces and hands by their area, generated beside rendered."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from ._registry import drawn_from
from ._style import PAGE, colour

_SHADES = {"renders": "renders", "generated": "mpd"}
_LINES = {"renders": "--", "generated": "-"}


@drawn_from("motivation", "motivation_areas")
def motivation_figure(figures: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """Probability that a region is found against its area, with intervals; marks are images.

    Args:
        figures: Of the result ``motivation``: ``images`` as rows, and ``gaps``, one a region, of
            :func:`fairhuman.experiments.motivation.gap_by_area`.

    Returns:
        The figure, and the curves and images it shows, told apart by the column ``what``.
    """
    images = pd.DataFrame(figures["images"])
    fits = figures["gaps"]
    figure, panels = plt.subplots(1, len(fits), figsize=(PAGE, 2.4), sharey=True, squeeze=False)
    shown = []
    for panel, fit in zip(panels[0], fits, strict=True):
        curves = pd.DataFrame(fit["curves"]).query("model == 'found'")
        for row, source in enumerate(_SHADES):
            own, marks = curves[curves.source == source], images[images.source == source]
            marks = marks[marks.region == fit["region"]]
            shade = colour(_SHADES[source])
            panel.fill_between(own.area, own.low, own.high, color=shade, alpha=0.18, linewidth=0)
            panel.plot(own.area, own.value, _LINES[source], color=shade, label=source)
            # Generated images stand inside, renders outside of the frame of 0 and 1.
            places = np.where(marks.found, 1.03 + 0.05 * row, -0.03 - 0.05 * row)
            panel.plot(marks.area, places, "|", color=shade, markersize=4, alpha=0.8)
            shown += [own.assign(region=fit["region"], what="curve")]
        panel.set(title=fit["region"], xscale="log", ylim=(-0.12, 1.12), xlabel="area asked for")
        panel.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{100 * value:g} %"))
        panel.xaxis.set_minor_formatter(FuncFormatter(lambda value, _: ""))
    panels[0][0].set_ylabel("probability of being found")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure, pd.concat([*shown, images.assign(what="image")], ignore_index=True)


@drawn_from("motivation", "motivation_repair")
def repair_figure(figures: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """Share found as the image is, cut out and enlarged, and drawn anew: generated beside rendered.

    Args:
        figures: Of the result ``motivation``: ``views`` as rows ``region``, ``source``, ``view``, ``value``,
            ``low``, ``high``, ``n``.

    Returns:
        The figure, and its rows.
    """
    data = pd.DataFrame(figures["views"])
    regions, views = list(dict.fromkeys(data.region)), list(dict.fromkeys(data["view"]))
    figure, panels = plt.subplots(1, len(regions), figsize=(PAGE, 1.9), sharey=True, squeeze=False)
    for panel, region in zip(panels[0], regions, strict=True):
        for offset, source in zip((-0.14, 0.14), _SHADES, strict=True):
            own = data[(data.region == region) & (data.source == source)].set_index("view").reindex(views)
            arms = np.vstack([own.value - own.low, own.high - own.value]).astype(float)
            panel.errorbar(
                own.value, np.arange(len(views)) + offset, xerr=np.nan_to_num(arms.clip(min=0)), fmt="o",
                color=colour(_SHADES[source]), label=source,
            )  # fmt: skip
        panel.set(title=region, xlim=(-0.03, 1.03), ylim=(len(views) - 0.5, -0.5), xlabel="share found")
        panel.set_yticks(range(len(views)), views)
        panel.grid(visible=False, axis="y")
    handles, labels = panels[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return figure, data
