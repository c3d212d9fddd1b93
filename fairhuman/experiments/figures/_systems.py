"""Table 1 in miniature, all six systems of the paper: every offline metric, with the paper's rows beneath."""

from collections.abc import Mapping
from typing import Any

import matplotlib.pyplot as plt
import pandas as pd
from matplotlib.figure import Figure

from ._marks import counts, draw_rows, label, marker
from ._markup import latex_line, latex_text, markdown_rows
from ._registry import drawn_from
from ._style import PAGE, colour

#: Metric → its title, what it is multiplied by, and how many decimals are shown.
METRICS: Mapping[str, tuple[str, float, int]] = {
    "face rate": ("faces found, %", 100, 1),
    "face confidence": ("face confidence (paper's), %", 100, 1),
    "face confidence_with_misses": ("face confidence, misses as 0, %", 100, 1),
    "hand rate": ("hands found, %", 100, 1),
    "hand confidence": ("hand confidence (paper's), %", 100, 1),
    "hand confidence_with_misses": ("hand confidence, misses as 0, %", 100, 1),
    "distance": ("distance to renders", 1, 3),
    "agreement": ("agreement with caption, %", 100, 1),
    "pose share": ("pose error, % of height", 100, 1),
    "pose pck": ("joints within a tenth, %", 100, 1),
}
_PANELS = ("face rate", "face confidence_with_misses", "distance", "hand rate", "hand confidence_with_misses",
           "pose pck")  # fmt: skip

#: The paper's columns, by their names in the result.
PAPER_METRICS: Mapping[str, str] = {
    "hps": "HPS", "image_reward": "ImageReward", "clip_score": "CLIP", "fid": "FID",
    "hand": "hand confidence", "face": "face confidence", "pose": "pose difference",
}  # fmt: skip

_NOTE = (
    "{prompts} prompts per system, 95 % intervals over prompts; a system with several β is averaged over "
    "them prompt by prompt. *: differs from {references} by a paired difference whose interval, corrected "
    "for {count} comparisons, excludes zero. Each system was trained once. Renders are the ceiling. Distance "
    "and agreement are the attribute reader's, made for renders; HPS, ImageReward, CLIP score and FID are "
    "missing, because their weights were not available."
)
_PAPER_NOTE = (
    "The paper's Table 1, not comparable: SDXL at 1024², other prompts, another face detector, misses "
    "left out; the pose difference has no unit there."
)


@drawn_from("benchmarks/table1", "table1_systems")
def systems_figure(values: Mapping[str, Any]) -> tuple[Figure, pd.DataFrame]:
    """One panel per metric, one row per system, with intervals; filled where it differs from its reference.

    Args:
        values: Of the result ``benchmarks/table1``.

    Returns:
        The figure, and its rows.
    """
    data = pd.DataFrame(values["rows"])
    data = data[data.metric.isin(_PANELS)].reset_index(drop=True)
    starred, systems = _starred(values), list(values["systems"])
    figure, panels = plt.subplots(2, 3, figsize=(PAGE, 4.0), sharey=True)
    names, shades, shapes = ([what(system) for system in systems] for what in (label, colour, marker))
    for panel, metric in zip(panels.flat, _PANELS, strict=True):
        title, factor, _ = METRICS[metric]
        subset = data[data.metric == metric].set_index("system").reindex(systems)
        draw_rows(
            panel, subset[["value", "low", "high"]].astype(float) * factor, names, shades, markers=shapes,
            filled=[(system, metric) in starred for system in systems],
        )  # fmt: skip
        panel.set(title=title.replace("confidence", "conf."), xlabel=counts(subset))
    return figure, data


def systems_markdown(values: Mapping[str, Any]) -> str:
    """All metrics of all systems in Markdown, one column per system, and the paper's rows beneath.

    Args:
        values: Of the result ``benchmarks/table1``.
    """
    titles = [label(name) for name in values["systems"]]
    lines = ["## Table 1 in miniature: the paper's systems", ""]
    lines += [*markdown_rows(["metric", *titles], _cells(values)), "", _note(values), "", _PAPER_NOTE, ""]
    return "\n".join(lines + markdown_rows(["the paper", *PAPER_METRICS.values()], _quoted(values))) + "\n"


def systems_latex(values: Mapping[str, Any]) -> str:
    """The same for LaTeX with the package ``booktabs``.

    Args:
        values: Of the result ``benchmarks/table1``.
    """

    def table(head: list[str], rows: list[list[str]]) -> list[str]:
        return [
            rf"\begin{{tabular}}{{l{'r' * (len(head) - 1)}}}", r"\toprule", latex_line(head), r"\midrule",
            *map(latex_line, rows), r"\bottomrule", r"\end{tabular}",
        ]  # fmt: skip

    titles = [label(name) for name in values["systems"]]
    lines = [r"% needs \usepackage{booktabs}", *table(["metric", *titles], _cells(values))]
    lines += [latex_text(_note(values)), "", latex_text(_PAPER_NOTE), ""]
    lines += table(["(paper)", *PAPER_METRICS.values()], _quoted(values))
    return "\n".join(lines) + "\n"


def _starred(values: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {
        (row["system"], row["metric"])
        for row in values["differences"]
        if row["supported"] and row["reference"] == values["systems"][row["system"]]["reference"]
    }


def _cells(values: Mapping[str, Any]) -> list[list[str]]:
    found, starred = {(row["system"], row["metric"]): row for row in values["rows"]}, _starred(values)

    def cell(system: str, metric: str, factor: float, digits: int) -> str:
        row = found.get((system, metric))
        if row is None or row["value"] is None or pd.isna(row["value"]):
            return "–"
        ends = [row[name] for name in ("low", "high")]
        known = all(end is not None and not pd.isna(end) for end in ends)
        bounds = f" [{', '.join(f'{factor * end:.{digits}f}' for end in ends)}]" if known else ""
        return f"{factor * row['value']:.{digits}f}{bounds}{' *' * ((system, metric) in starred)}"

    return [
        [title, *(cell(system, metric, factor, digits) for system in values["systems"])]
        for metric, (title, factor, digits) in METRICS.items()
    ]


def _quoted(values: Mapping[str, Any]) -> list[list[str]]:
    return [
        [one["title"], *(f"{one['paper'][name]:.2f}" if name in one["paper"] else "–" for name in
        PAPER_METRICS)] for one in values["systems"].values() if one["paper"]
    ]  # fmt: skip


def _note(values: Mapping[str, Any]) -> str:
    pairs = values["differences"]
    references = dict.fromkeys(one["reference"] for one in values["systems"].values() if one["reference"])
    names = [f"“{label(name)}”" for name in references]
    references = names[0] if len(names) == 1 else f"{names[0]} or, with conditions, {names[1]}"
    prompts = max(row["n"] for row in values["rows"])
    return _NOTE.format(prompts=prompts, references=references, count=len(pairs))
