"""Table 4 as a figure: memory beside the base, time per image, and the cost of a training step."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from ._marks import draw_estimates
from ._registry import drawn_from
from ._style import COLUMN, PAGE, colour

#: Table 4 of the paper: extra memory in "MB" and time per image over the base's.
PAPER_MEMORY = {"FairHuman LoRA": 1413.12, "MoLE": 2611.75}
PAPER_TIME = {"LoRA": 1.4, "MoLE": 3.0}

#: Names of kinds of training steps in figures.
STEP_NAMES = {
    "ordinary": "sum, ordinary",
    "ls": "sum, as a strategy",
    "amortised": "MPD, amortised",
    "exact": "MPD, exact",
    "grouped": "exact, by presence",
    "batched": "exact, in one pass",
    "torchjd_alpha_fair": "MPD, through torchjd",
    "torchjd_fairgrad": "torchjd's FairGrad",
    "released": "as released",
}


@drawn_from("efficiency", "efficiency")
def efficiency_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """Size on SDXL in both precisions, and time per image on the given base, with the paper's values.

    Args:
        values: Of the result ``efficiency``: ``sdxl`` and ``time`` as rows.

    Returns:
        The figure, and its rows, distinguished by the column ``panel``.
    """
    sizes, times = pd.DataFrame(values["sdxl"]), pd.DataFrame(values["time"])
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 2.1))
    places = np.arange(len(sizes))
    for offset, (precision, shade) in zip(
        (-0.19, 0.19), (("float32", "silver"), ("bf16", "dimgrey")), strict=True
    ):
        left.barh(places + offset, sizes[f"MiB {precision}"], 0.34, color=shade, label=precision)
    paper = sizes.method.map(PAPER_MEMORY)
    left.plot(paper, places, "D", color="black", markerfacecolor="white", label="the paper")
    left.set_yticks(places, sizes.method)
    left.set(ylim=(len(sizes) - 0.5, -0.5), xlabel="MiB beside SDXL", title="Size")
    places = np.arange(len(times))
    arms = np.abs(np.vstack([times.ratio - times.quartile_1, times.quartile_3 - times.ratio]))
    right.axvline(1, color=colour("base"), linewidth=0.8, zorder=1)
    right.errorbar(times.ratio, places, xerr=arms, fmt="o", color="dimgrey", label="measured, with quartiles")
    right.plot(times.method.map(PAPER_TIME), places, "D", color="black", markerfacecolor="white")
    right.set_yticks(places, times.method)
    right.set(
        ylim=(len(times) - 0.5, -0.5),
        xlim=(0, None),
        xlabel="× the base's time (the paper: on SDXL)",
        title="Time per image",
    )
    for panel in (left, right):
        panel.grid(visible=False, axis="y")
    figure.legend(loc="outside lower center", ncols=4)
    return figure, pd.concat([sizes.assign(panel="size"), times.assign(panel="time")], ignore_index=True)


@drawn_from("benchmarks/step_cost", "step_cost")
def step_cost_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """Time of a training step by the way its direction is found, over that of an ordinary step.

    Args:
        values: Of the result ``benchmarks/step_cost``.

    Returns:
        The figure, and its rows.
    """
    over = values["time_over_ordinary"]
    data = pd.DataFrame(
        [{"way": way, "name": name, **over[way]} for way, name in STEP_NAMES.items() if way in over]
    )
    figure, panel = plt.subplots(figsize=(COLUMN, 2.1))
    subset = data.rename(columns={"median": "value", "quartile_1": "low", "quartile_3": "high"})
    panel.axvline(1, color=colour("base"), linewidth=0.8, zorder=1)
    draw_estimates(panel, subset.assign(system="mpd"), "name", list(subset.name), ["mpd"])
    panel.set(xlim=(0, None), xlabel="× an ordinary step's time")
    return figure, data
