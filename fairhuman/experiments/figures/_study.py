"""Fig. 4: what raters preferred."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ._marks import counts, draw_rows, label
from ._registry import drawn_from
from ._style import PAGE, colour


@drawn_from("user_study", "user_study")
def preference_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """Score of the second of each two systems compared (1 preferred, 0 not, ½ a tie), one panel per question.

    Args:
        values: Of the result ``user_study``: ``scores`` as of
            :func:`fairhuman.experiments.study.score_study`, and ``raters_are``, which labels the axis.

    Returns:
        The figure, and its rows.
    """
    data = pd.DataFrame(values["scores"])
    data = data[data.system == data.second].reset_index(drop=True)
    pairs = list(dict.fromkeys(zip(data["first"], data.second, strict=True)))
    questions = list(dict.fromkeys(data.question))
    figure, panels = plt.subplots(
        1, len(questions), figsize=(PAGE, 1.1 + 0.3 * len(pairs)), sharey=True, squeeze=False
    )
    names = [f"{label(second)} over {label(first)}" for first, second in pairs]
    for panel, question in zip(panels[0], questions, strict=True):
        rows = data[data.question == question].set_index(["first", "second"]).reindex(pairs)
        panel.axvline(0.5, color=colour("base"), linewidth=0.8, zorder=1)
        draw_rows(panel, rows, names, [colour(second) for _, second in pairs], limits=(0, 1))
        panel.set(title=f"{question} quality", xlabel=f"{counts(rows)} votes")
        panel.xaxis.set_major_formatter(PercentFormatter(1))
        if "simulated" in values["raters_are"]:  # nobody may take them for people
            panel.text(0.5, 0.5, "SIMULATED", transform=panel.transAxes, ha="center", va="center",
                       fontsize=26, color="black", alpha=0.18, rotation=12)  # fmt: skip
    figure.supxlabel(f"preferred by {values['raters_are']}", fontsize=8)
    return figure, data
