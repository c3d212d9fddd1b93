"""The ablations' figures and tables: change of each held-out loss by setting, over images and seeds."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fairhuman.experiments.ablations import TABLES

from ._evaluation import label
from ._markup import PAPER_NOTE, latex_line, latex_text, markdown_rows
from ._paper import PAPER_ABLATIONS, PAPER_COLUMNS
from ._registry import drawn_from
from ._style import PAGE, colour


def ablation_figure(told: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """One panel a region: each setting's change of the held-out loss from the first reference stored.

    Filled points are changes whose interval, corrected for all comparisons of the table, excludes zero. An
    interval may reach out of the frame.

    Args:
        told: Figures of the result ``ablations-<table>``.

    Returns:
        The figure, and its rows: shares of the reference's loss.
    """
    data = pd.DataFrame(told["differences"])
    reference = data.reference.iloc[0]
    data = data[data.reference == reference].reset_index(drop=True)
    scale = (data.share / data.value).where(data.value != 0)  # one over the reference's loss
    for end in ("low", "high"):
        data[end] = data[end].astype(float) * scale
    data["value"] = data.pop("share")
    settings = [name for name in told["settings"] if name in set(data.setting)]
    regions = list(dict.fromkeys(data.region))
    size = (PAGE, 0.75 + 0.21 * len(settings))
    figure, panels = plt.subplots(1, len(regions), figsize=size, sharey=True, squeeze=False)
    for panel, region in zip(panels[0], regions, strict=True):
        own = data[data.region == region].set_index("setting").reindex(settings)
        arms = np.vstack([own.value - own.low, own.high - own.value]).astype(float)
        rows = np.arange(len(settings))
        panel.axvline(0, color=colour("base"), linewidth=0.8, zorder=1)
        panel.errorbar(own.value, rows, np.nan * rows, np.nan_to_num(arms.clip(min=0)), "none", "#4D4D4D")
        for row, (name, supported) in enumerate(zip(settings, own.supported, strict=True)):
            shade = colour({"sum": "ls"}.get(name.rsplit("-", 1)[-1], name))
            face = shade if supported is True or supported == 1 else "white"
            panel.plot(own.value.iloc[row], row, "o", color=shade, markerfacecolor=face, zorder=3)
        # Intervals of two seeds reach far; they may leave the frame, but the points must be told apart.
        reach = max(0.02, 2.2 * own.value.abs().max())
        low, high = own.low.fillna(own.value).min(), own.high.fillna(own.value).max()
        limits = (max(-reach, min(low, 0) - 0.1 * reach), min(reach, max(high, 0) + 0.1 * reach))
        panel.set(title=label(region), ylim=(len(settings) - 0.5, -0.5), xlim=limits)
        panel.set_yticks(rows, [told["labels"][name] for name in settings])
        panel.grid(visible=False, axis="y")
        panel.xaxis.set_major_formatter(lambda x, _: f"{100 * x:.4g}%".replace("-", "\N{MINUS SIGN}"))
        panel.xaxis.set_major_locator(MaxNLocator(3))
    seeds = f"{len(told['seeds'])} seed" + "s" * (len(told["seeds"]) > 1)
    figure.supxlabel(
        f"change of the held-out loss from “{told['labels'][reference]}” ({seeds}); left is better",
        fontsize=8,
    )
    return figure, data


for _name in TABLES:
    drawn_from(f"ablations-{_name}", f"ablation_{_name}")(ablation_figure)


def ablation_markdown(told: Mapping[str, Any]) -> str:
    """A table of losses, changes and what detectors find, with the paper's own rows beneath, in Markdown."""
    head, rows = _cells(told)
    lines = [f"## {told['title']}, in miniature", "", *markdown_rows(head, rows), "", _note(told)]
    quoted = PAPER_ABLATIONS.get(told["table"])
    if quoted:
        told_there = [[name, *(f"{value:.2f}" for value in row)] for name, row in quoted.items()]
        lines += ["", PAPER_NOTE, "", *markdown_rows(["the paper's own", *PAPER_COLUMNS], told_there)]
    return "\n".join(lines) + "\n"


def ablation_latex(told: Mapping[str, Any]) -> str:
    """The same for LaTeX with the package ``booktabs``."""
    head, rows = _cells(told)
    lines = [
        r"% needs \usepackage{booktabs}",
        rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
        r"\toprule",
        latex_line(head),
        r"\midrule",
        *map(latex_line, rows),
    ]
    quoted = PAPER_ABLATIONS.get(told["table"])
    if quoted:
        lines += [
            r"\midrule",
            rf"\multicolumn{{{len(head)}}}{{p{{\linewidth}}}}{{\footnotesize {PAPER_NOTE}}} \\",
        ]
        lines += [latex_line(["(paper)", *PAPER_COLUMNS])]
        lines += [latex_line([name, *(f"{value:.2f}" for value in row)]) for name, row in quoted.items()]
    lines += [r"\bottomrule", r"\end{tabular}", f"% {latex_text(_note(told))}"]
    return "\n".join(lines) + "\n"


def _cells(told: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    losses = pd.DataFrame(told["losses"]).set_index(["setting", "region"])
    changes = pd.DataFrame(told["differences"])
    reference = changes.reference.iloc[0]
    changes = changes[changes.reference == reference].set_index(["setting", "region"])
    regions = list(dict.fromkeys(region for _, region in losses.index))
    found = {(row["setting"], row["detector"]): row for row in told["detection"]}
    seen = [one for one in ("face", "hand") if any(detector == one for _, detector in found)]
    head = ["setting", *(f"{label(region)} loss" for region in regions), *(f"{one}s found" for one in seen)]
    head += ["distance to renders"] if seen else []
    rows = []
    for name in told["settings"]:
        cells = [told["labels"][name]]
        for region in regions:
            cell = f"{losses.value[name, region]:.4f}"
            if (name, region) in changes.index:
                row = changes.loc[(name, region)]
                star = "*" if row.supported else ""
                cell += f" ({_signed(100 * row.share)} %{star})"
            cells.append(cell)
        for one in seen:
            row = found.get((name, one))
            star = "*" if row and row.get("change_supported") else ""
            cells.append("–" if row is None else f"{100 * row['value']:.0f} %{star}")
        if seen:
            row = found.get((name, "distance"))
            cells.append("–" if row is None else f"{row['value']:.3f}")
        rows.append(cells)
    return head, rows


def _signed(percent: float) -> str:
    return "0.0" if abs(percent) < 0.05 else f"{percent:+.1f}"


def _note(told: Mapping[str, Any]) -> str:
    reference = told["differences"][0]["reference"]
    images = max(row["n"] for row in told["losses"])
    missing = f" Not stored yet: {', '.join(told['missing'])}." if told["missing"] else ""
    missing += f" Diverged: {', '.join(told['diverged'])}." if told.get("diverged") else ""
    return (
        f"Mean held-out squared error inside each region, {images} images, {len(told['seeds'])} seed(s) a "
        f"setting; in brackets the change from “{told['labels'][reference]}”, * where its "
        f"{100 * told['level']:g} % interval over images and seeds, corrected for {told['comparisons']} "
        f"comparisons, excludes zero.{_note_on_images(told)}{missing}"
    )


def _note_on_images(told: Mapping[str, Any]) -> str:
    """What the columns of detectors and distance count, where images have been sampled."""
    rows = [row for row in told["detection"] if row["detector"] in ("face", "hand")]
    if not rows:
        return ""
    compared = next((told["labels"][row["reference"]] for row in rows if row["reference"]), None)
    asked = " and ".join(
        f"{max(row['n'] for row in rows if row['detector'] == one)} {one}s"
        for one in dict.fromkeys(row["detector"] for row in rows)
    )
    star = f", * where the change from “{compared}”, caption by caption, is supported" if compared else ""
    return f" Found: in images of the first seed, of {asked} that captions ask for{star}."
