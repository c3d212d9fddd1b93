"""The ledger in one figure: how many claims of each section have which verdict."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from fairhuman.experiments.claims import SHADES, VERDICTS, counts

from ._marks import legend_below
from ._style import PAGE


def ledger_figure(findings: pd.DataFrame) -> tuple[Figure, pd.DataFrame]:
    """One bar per section, one colour per verdict; numbers are rows.

    Args:
        findings: From :func:`fairhuman.experiments.claims.ledger`.

    Returns:
        The figure, and the counts: a row per section, a column per verdict.
    """
    table = counts(findings)
    figure, panel = plt.subplots(figsize=(PAGE, 0.9 + 0.22 * len(table)))
    left = np.zeros(len(table))
    for verdict in [name for name in VERDICTS if name in table]:
        width = table[verdict].to_numpy()
        panel.barh(table.index, width, left=left, color=SHADES[verdict], edgecolor="white", label=verdict)
        for row in np.flatnonzero(width):
            panel.text(left[row] + width[row] / 2, row, str(width[row]), ha="center", va="center", fontsize=6)
        left += width
    panel.invert_yaxis()
    panel.grid(visible=False, axis="y")
    panel.set_xlabel("rows of the ledger")
    legend_below(figure, panel, 4)
    return figure, table.reset_index()
