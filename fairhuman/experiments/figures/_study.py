"""Fig. 4: what raters preferred."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from ._evaluation import label
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
        1, len(questions), figsize=(PAGE, 0.95 + 0.3 * len(pairs)), sharey=True, squeeze=False
    )
    for panel, question in zip(panels[0], questions, strict=True):
        subset = data[data.question == question].set_index(["first", "second"]).reindex(pairs)
        arms = np.vstack([subset.value - subset.low, subset.high - subset.value]).astype(float)
        panel.axvline(0.5, color=colour("base"), linewidth=0.8, zorder=1)
        for row, (_, second) in enumerate(pairs):
            panel.errorbar(
                subset.value.iloc[row], row, xerr=np.nan_to_num(arms[:, [row]].clip(min=0)), fmt="o",
                color=colour(second),
            )  # fmt: skip
        panel.set(title=f"{question} quality", xlim=(0, 1), ylim=(len(pairs) - 0.5, -0.5))
        panel.set_yticks(range(len(pairs)), [f"{label(b)} over {label(a)}" for a, b in pairs])
        panel.xaxis.set_major_formatter(PercentFormatter(1))
        panel.grid(visible=False, axis="y")
    figure.supxlabel(f"preferred by {values['raters_are']}", fontsize=8)
    return figure, data
