"""The ablations' figures and tables: change of each held-out loss by setting, over images and seeds.

Marks: ``*`` a primary difference whose interval excludes zero, ``°`` an exploratory one, ``=`` one whose
interval lies within the plan's margin; of every other the least detectable change is given.
"""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from fairhuman.experiments.ablations import PRIMARY, TABLES

from ._marks import PERCENT, counts, draw_rows, frame, label
from ._markup import PAPER_NOTE, latex_line, latex_text, markdown_rows
from ._paper import PAPER_ABLATIONS, PAPER_COLUMNS
from ._registry import drawn_from
from ._style import PAGE, colour

_FOUND = ("rate", "distance")


def ablation_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """One panel per region: each setting's change of the held-out loss from the first reference stored.

    Filled points are changes whose interval, at the plan's level, excludes zero. All panels have one scale;
    an interval that leaves the frame ends in an arrow.

    Args:
        values: Of the result ``ablations-<table>``.

    Returns:
        The figure, and its rows: shares of the reference's loss.
    """
    data = pd.DataFrame(values["differences"])
    reference = data.reference.iloc[0]
    data = data[data.reference == reference].reset_index(drop=True)
    scale = (data.share / data.value).where(data.value != 0)  # one over the reference's loss
    for end in ("low", "high"):
        data[end] = data[end].astype(float) * scale
    data["value"] = data.pop("share")
    settings = [name for name in values["settings"] if name in set(data.setting)]
    regions = list(dict.fromkeys(data.region))
    size = (PAGE, 0.75 + 0.21 * len(settings))
    figure, panels = plt.subplots(1, len(regions), figsize=size, sharex=True, sharey=True, squeeze=False)
    names = [values["labels"][name] for name in settings]
    shades = [colour({"sum": "ls"}.get(name.rsplit("-", 1)[-1], name)) for name in settings]
    limits = frame(data)
    for panel, region in zip(panels[0], regions, strict=True):
        rows = data[data.region == region].set_index("setting").reindex(settings)
        panel.axvline(0, color=colour("base"), linewidth=0.8, zorder=1)
        draw_rows(panel, rows, names, shades, filled=rows.supported.eq(True), limits=limits)
        panel.set(title=label(region), xlabel=counts(rows))
        panel.xaxis.set_major_formatter(PERCENT)
        panel.xaxis.set_major_locator(MaxNLocator(3))
    seeds = f"{len(values['seeds'])} seed" + "s" * (len(values["seeds"]) > 1)
    figure.supxlabel(
        f"change of the held-out loss from “{values['labels'][reference]}” ({seeds}, n images); left: better",
        fontsize=8,
    )
    return figure, data


for _name in TABLES:
    drawn_from(f"ablations-{_name}", f"ablation_{_name}")(ablation_figure)


def ablation_markdown(values: Mapping[str, Any]) -> str:
    """A table of losses, changes and what detectors find, with the paper's rows beneath, in Markdown."""
    head, rows = _cells(values)
    lines = [f"## {values['title']}, in miniature", "", *markdown_rows(head, rows), "", _note(values)]
    quoted = PAPER_ABLATIONS.get(values["table"])
    if quoted:
        quoted_rows = [[name, *(f"{value:.2f}" for value in row)] for name, row in quoted.items()]
        lines += ["", PAPER_NOTE, "", *markdown_rows(["the paper", *PAPER_COLUMNS], quoted_rows)]
    return "\n".join(lines) + "\n"


def ablation_latex(values: Mapping[str, Any]) -> str:
    """The same for LaTeX with the package ``booktabs``."""
    head, rows = _cells(values)
    lines = [
        r"% needs \usepackage{booktabs}",
        rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}",
        r"\toprule",
        latex_line(head),
        r"\midrule",
        *map(latex_line, rows),
    ]
    quoted = PAPER_ABLATIONS.get(values["table"])
    if quoted:
        lines += [
            r"\midrule",
            rf"\multicolumn{{{len(head)}}}{{p{{\linewidth}}}}{{\footnotesize {PAPER_NOTE}}} \\",
        ]
        lines += [latex_line(["(paper)", *PAPER_COLUMNS])]
        lines += [latex_line([name, *(f"{value:.2f}" for value in row)]) for name, row in quoted.items()]
    lines += [r"\bottomrule", r"\end{tabular}", f"% {latex_text(_note(values))}"]
    return "\n".join(lines) + "\n"


@drawn_from("ablations-primary", "ablation_primary")
def primary_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """The plan's primary comparisons: one panel per outcome, one row per pair, change and margin.

    Args:
        values: Of the result ``ablations-primary``.

    Returns:
        The figure, and its rows; losses are shares of the reference's.
    """
    data = pd.DataFrame(values["differences"])
    scale = (data.share / data.value).where(data.value != 0) if "share" in data else 1.0
    for column in ("value", "low", "high", "margin"):
        data[column] = data[column].astype(float) * np.nan_to_num(scale, nan=1.0)
    pairs = list(dict.fromkeys(zip(data.reference, data.setting, strict=True)))
    outcomes = list(dict.fromkeys(zip(data.measure, data.region, strict=True)))
    size = (PAGE, 0.9 + 0.24 * len(pairs))
    figure, panels = plt.subplots(1, len(outcomes), figsize=size, sharey=True, squeeze=False)
    names = [f"{values['labels'][b]} − {values['labels'][a]}" for a, b in pairs]
    for panel, (measure, region) in zip(panels[0], outcomes, strict=True):
        of_measure = data[data.measure == measure]
        rows = of_measure[of_measure.region == region].set_index(["reference", "setting"]).reindex(pairs)
        panel.axvline(0, color=colour("base"), linewidth=0.8, zorder=1)
        margin = rows.margin.abs().max()
        panel.axvspan(-margin, margin, color=colour("base"), alpha=0.15, linewidth=0, zorder=0)
        draw_rows(
            panel, rows, names, [colour("mpd")] * len(pairs), filled=rows.supported.eq(True),
            limits=frame(of_measure),
        )  # fmt: skip
        panel.set(title=f"{label(region)}, {measure}", xlabel=counts(rows))
        panel.xaxis.set_major_formatter(PERCENT)
        panel.xaxis.set_major_locator(MaxNLocator(3))
    figure.supxlabel(
        "change, corrected interval (n images); grey: margin of equality; filled: supported",
        fontsize=8,
    )
    return figure, data


def primary_markdown(values: Mapping[str, Any]) -> str:
    """The primary comparisons, one per row, with what each says, in Markdown."""
    plan, rows = values["plan"], []
    for row in values["differences"]:
        factor = 100 * (row["share"] / row["value"] if row.get("share") and row["value"] else 1.0)
        unit = "%" if row["measure"] == "loss" else "points"
        value, *ends = (factor * row[name] for name in ("value", "low", "high"))
        seeds = str(row["seeds"]) + ("" if row["seeds"] >= plan["seeds"] else f" of {plan['seeds']}")
        interval = f"{value:+.1f} {unit} [{min(ends):.1f}, {max(ends):.1f}]"
        rows.append(
            [
                _pair(values, row),
                row["measure"],
                row["region"],
                interval,
                seeds,
                _says(row, abs(factor), unit),
            ]
        )
    head = ["comparison", "measure", "region", "difference", "seeds", "says"]
    absent = "; ".join(f"{_pair(values, one)}: {one['measure']}, {one['region']}" for one in values["absent"])
    note = (
        f"All {plan['comparisons']} primary comparisons of the plan are corrected together (Bonferroni, "
        f"{100 * plan['alpha']:g} %). A comparison from fewer than {plan['seeds']} runs of each setting is "
        "provisional. Losses are changes of the held-out loss as shares of the reference's, over images and "
        "seeds; crops are shares of expected faces and hands found in crops about them."
    )
    lines = ["## Primary comparisons", "", *markdown_rows(head, rows), "", note]
    return "\n".join([*lines, *(["", f"Not stored yet: {absent}."] if absent else [])]) + "\n"


def _pair(values: Mapping[str, Any], row: Mapping[str, Any]) -> str:
    return f"{values['labels'][row['setting']]} − {values['labels'][row['reference']]}"


def _says(row: Mapping[str, Any], factor: float, unit: str) -> str:
    words = []
    if row["supported"]:
        words.append("supported: " + ("lower" if row["value"] < 0 else "higher"))
    if row["equal"]:
        words.append(f"equal within {factor * row['margin']:.1f} {unit}")
    if not words and (row["low"] is None or np.isnan(row["low"])):
        return "no interval"
    return ", ".join(words) or (
        f"inconclusive; least detectable {factor * row['least_detectable']:.1f} {unit}"
    )


def _mark(row: Mapping[str, Any], factor: float) -> str:
    """What stands behind a change in a table: see the head of this module."""
    if row["supported"]:
        return "*" if row["family"] == PRIMARY else "°"
    if row["equal"]:
        return " ="
    least = row["least_detectable"]
    return "" if least is None or np.isnan(least) else f"; lde {abs(factor * least):.1f}"


def _cells(values: Mapping[str, Any]) -> tuple[list[str], list[list[str]]]:
    losses = pd.DataFrame(values["losses"]).set_index(["setting", "region"])
    changes = pd.DataFrame(values["differences"])
    reference = changes.reference.iloc[0]
    changes = changes[changes.reference == reference].set_index(["setting", "region"])
    regions = list(dict.fromkeys(region for _, region in losses.index))
    found = {(row["setting"], row["detector"]): row for row in values["detection"] if row["metric"] in _FOUND}
    seen = [one for one in ("face", "hand") if any(detector == one for _, detector in found)]
    moved = {
        (row["setting"], row["region"]): row
        for row in values["detection_differences"]
        if row["measure"] == "rate" and row["reference"] == _compared(values)
    }
    head = ["setting", *(f"{label(region)} loss" for region in regions), *(f"{one}s found" for one in seen)]
    head += ["distance to renders"] if seen else []
    rows = []
    for name in values["settings"]:
        cells = [values["labels"][name]]
        for region in regions:
            cell = f"{losses.value[name, region]:.4f}"
            if (name, region) in changes.index:
                row = changes.loc[(name, region)]
                factor = 100 * row.share / row.value if row.value else 0.0
                cell += f" ({_signed(100 * row.share)} %{_mark(row, factor)})"
            cells.append(cell)
        for one in seen:
            row, change = found.get((name, one)), moved.get((name, one))
            cell = "–" if row is None else f"{100 * row['value']:.0f} %"
            if change is not None:
                cell += f" ({_signed(100 * change['value'])}{_mark(change, 100)})"
            cells.append(cell)
        if seen:
            row = found.get((name, "distance"))
            cells.append("–" if row is None else f"{row['value']:.3f}")
        rows.append(cells)
    return head, rows


def _signed(percent: float) -> str:
    return "0.0" if abs(percent) < 0.05 else f"{percent:+.1f}"


def _note(values: Mapping[str, Any]) -> str:
    reference, plan = values["differences"][0]["reference"], values["plan"]
    images = {row["region"]: row["n"] for row in values["losses"]}
    shown = ", ".join(f"{n} with {label(region)}" for region, n in images.items() if region != "global")
    primary = any(row["family"] == PRIMARY for row in values["differences"])
    stars = (
        f"* where it is a primary comparison whose interval, corrected for all {plan['comparisons']}, "
        f"excludes zero (provisional with fewer than {plan['seeds']} seeds), "
        if primary
        else ""
    )
    missing = f" Not stored yet: {', '.join(values['missing'])}." if values["missing"] else ""
    missing += f" Diverged: {', '.join(values['diverged'])}." if values.get("diverged") else ""
    missing += _note_on_code(values)
    return (
        f"Mean held-out squared error inside each region, {images['global']} images ({shown}), "
        f"{len(values['seeds'])} seed(s) per setting; in brackets the change from "
        f"“{values['labels'][reference]}”: {stars}° where it is exploratory and its "
        f"{100 * plan['exploratory']:g} % interval, not corrected, excludes zero, = where the interval lies "
        "within the plan's margin; lde: least detectable change, where neither applies. Intervals are over "
        f"{'images and seeds' if len(values['seeds']) > 1 else 'images alone, of one training each'}."
        f"{_note_on_images(values)}{missing}"
    )


def _note_on_code(values: Mapping[str, Any]) -> str:
    versions = values["code"]
    if len(versions) < 2:
        return ""
    return f" The runs are of {len(versions)} versions of the code: {', '.join(versions)}."


def _note_on_images(values: Mapping[str, Any]) -> str:
    """What the columns of detectors and distance count, where images have been sampled."""
    rows = [
        row for row in values["detection"] if row["detector"] in ("face", "hand") and row["metric"] == "rate"
    ]
    if not rows:
        return ""
    compared, seeds = _compared(values), max(row["seeds"] for row in rows)
    asked = " and ".join(
        f"{max(row['n'] for row in rows if row['detector'] == one)} {one}s"
        for one in dict.fromkeys(row["detector"] for row in rows)
    )
    over = "the first seed, over captions alone" if seeds == 1 else f"{seeds} seeds"
    star = f"; in brackets the change from “{values['labels'][compared]}” in points" if compared else ""
    return f" Found: in images of {over}, of {asked} that captions ask for{star}."


def _compared(values: Mapping[str, Any]) -> str | None:
    """The first reference of which images are compared."""
    return next((row["reference"] for row in values["detection_differences"]), None)
