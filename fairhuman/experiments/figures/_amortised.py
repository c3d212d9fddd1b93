"""The amortised step: agreement with the exact direction over the share of exact steps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ._marks import legend_below
from ._registry import drawn_from
from ._style import PAGE, colour

_MODES = {
    "sketch": ("sketch, in doubt exact", "mpd", "o"),
    "sketch, regular": ("sketch, regular", "hand", "s"),
    "losses": ("losses, in doubt exact", "face", "^"),
    "average": ("average Gram matrix", "closed_form", "D"),
    "stale": ("stale weights", "ls", "v"),
}


@drawn_from("benchmarks/amortisation", "amortisation")
def amortised_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """Agreement of amortised steps with exact ones over the share of exact steps.

    Args:
        values: Of the result ``benchmarks/amortisation``: ``curves`` as rows.

    Returns:
        The figure, and its rows.
    """
    data = pd.DataFrame(values["curves"])
    figure, (left, right) = plt.subplots(1, 2, figsize=(PAGE, 2.6), sharex=True)
    for mode, rows in data.groupby("mode", sort=False):
        words, shade, marker = _MODES[mode]
        share = 1 / rows.every
        left.plot(share, rows["mean"], f"{marker}-", color=colour(shade), label=words)
        right.plot(share, rows.ascends, f"{marker}-", color=colour(shade))
    left.axhline(0.95, color="black", linewidth=0.8, linestyle=":")
    left.set(title="Mean cosine with the exact direction", ylim=(None, 1))
    right.set(title="Steps in which an objective ascends", ylim=(0, None))
    right.yaxis.set_major_formatter(PercentFormatter(1, decimals=0))
    for panel in (left, right):
        panel.set(xscale="log", xlabel="share of exact steps")
        panel.set_xticks([0.02, 0.05, 0.1, 0.2, 0.5], ["2 %", "5 %", "10 %", "20 %", "50 %"])
        panel.minorticks_off()
    legend_below(figure, left, 3)
    return figure, data
