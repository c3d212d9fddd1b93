"""Table 1 in miniature, as Markdown and LaTeX, with the paper's numbers quoted beneath."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import pandas as pd

from fairhuman.evaluation.tables import format_estimate

from ._marks import label
from ._markup import latex_text, markdown_row

#: Columns of the miniature: detector and metric.
COLUMNS = (
    ("face", "rate"),
    ("face", "confidence"),
    ("face", "confidence_with_misses"),
    ("hand", "rate"),
    ("hand", "confidence"),
    ("hand", "confidence_with_misses"),
)

#: FairHuman, Table 1, face and hand confidence in per cent: SDXL, 1024², about 5 000 prompts. The paper gives
#: neither detection rates nor intervals.
PAPER = {
    "SDXL base": {"face": 83.67, "hand": 93.18},
    "MoLE": {"face": 84.48, "hand": 93.32},
    "FairHuman LoRA": {"face": 85.31, "hand": 94.03},
}

_NOTE = (
    "In per cent, with {level:g} % intervals; {prompts} prompts per system. Bold: better than every other "
    "generated system by a paired difference whose interval, corrected for {comparisons} comparisons, "
    "excludes zero. Renders are the ceiling and take no part in the comparison."
)
_PAPER_NOTE = (
    "The paper's numbers (Table 1), not comparable: other models, images and prompts, "
    "another face detector; neither misses nor intervals are reported there."
)


_IMAGES_NOTE = (
    "Feature distances and agreement are those of the attribute reader that comes with the package, made "
    "for renders; they compare with no published number. An asterisk marks a system that differs from "
    "{reference} by a paired difference whose interval, corrected for all comparisons, excludes zero. "
    "Renders are the ceiling."
)
_GROUPS = {"distance": "feature distance", "preference": "preference", "pose": "pose", "caption": "caption"}


@dataclass(frozen=True)
class _Markup:
    """A markup language's forms for cells."""

    bold: Callable[[str], str]
    interval: Callable[[str, str], str]
    dash: str = "–"


_MARKDOWN = _Markup(lambda text: f"**{text}**", lambda low, high: f" [{low}, {high}]")
_LATEX = _Markup(
    lambda text: rf"\textbf{{{text}}}", lambda low, high: rf" {{\scriptsize [{low}, {high}]}}", "--"
)


def supported_best(values: Mapping[str, Any], detector: str, metric: str) -> str | None:
    """The system that is better than every other one compared, as far as intervals allow; None without one.

    Args:
        values: Of the result ``evaluation``; ``differences`` holds every pair once, as ``system`` −
        ``reference``.
        detector, metric: The column of the table.
    """
    pairs = pd.DataFrame(values["differences"])
    if pairs.empty:
        return None
    pairs = pairs[(pairs.detector == detector) & (pairs.metric == metric)]
    systems = set(pairs.system) | set(pairs.reference)
    wins = dict.fromkeys(systems, 0)
    for pair in pairs.itertuples():
        if pair.supported:
            wins[pair.system if pair.value > 0 else pair.reference] += 1
    return next((system for system, won in wins.items() if won == len(systems) - 1), None)


def markdown_table(values: Mapping[str, Any]) -> str:
    """The small-scale table and the paper's rows in Markdown.

    Args:
        values: Of the result ``evaluation``.
    """
    names = [f"{label(detector)}: {label(metric).lower()}" for detector, metric in COLUMNS]
    lines = [markdown_row(["system", *names]), markdown_row(["---"] * (1 + len(names)))]
    lines += [markdown_row(cells) for cells in _cells(values, _MARKDOWN)]
    lines += [
        "",
        _note(values),
        "",
        _PAPER_NOTE,
        "",
        markdown_row(["paper", "face confidence", "hand confidence"]),
    ]
    lines += [markdown_row(["---"] * 3)]
    lines += [markdown_row([name, f"{row['face']:.2f}", f"{row['hand']:.2f}"]) for name, row in PAPER.items()]
    return "\n".join(["## Table 1 in miniature", "", *lines]) + "\n"


def latex_table(values: Mapping[str, Any]) -> str:
    """The same for LaTeX with the package ``booktabs``.

    Args:
        values: Of the result ``evaluation``.
    """
    short = {"rate": "rate", "confidence": "confidence", "confidence_with_misses": "misses as 0"}
    lines = [
        r"% needs \usepackage{booktabs}",
        r"\begin{tabular}{l" + "r" * len(COLUMNS) + "}",
        r"\toprule",
        r" & \multicolumn{3}{c}{face} & \multicolumn{3}{c}{hand} \\",
        r"\cmidrule(lr){2-4} \cmidrule(lr){5-7}",
        " & ".join(["system", *(short[metric] for _, metric in COLUMNS)]) + r" \\",
        r"\midrule",
        *(" & ".join(cells) + r" \\" for cells in _cells(values, _LATEX)),
        r"\midrule",
        rf"\multicolumn{{{1 + len(COLUMNS)}}}{{p{{\linewidth}}}}"
        rf"{{\footnotesize {latex_text(_PAPER_NOTE)}}} \\",
    ]
    lines += [
        f"{name} (paper) & -- & {row['face']:.2f} & -- & -- & {row['hand']:.2f} & -- " + r"\\"
        for name, row in PAPER.items()
    ]
    return "\n".join([*lines, r"\bottomrule", r"\end{tabular}", f"% {_note(values)}"]) + "\n"


def images_table(values: Mapping[str, Any]) -> str:
    """All further metrics of images in Markdown, one column per system.

    Args:
        values: Of the result ``image_metrics``: ``systems``, ``rows``, ``differences``.
    """
    data, systems = pd.DataFrame(values["rows"]), values["systems"]
    supported = {
        (row["system"], row["group"], row["subject"], row["metric"])
        for row in values["differences"]
        if row["supported"]
    }
    lines = [markdown_row(["metric", *map(label, systems)]), markdown_row(["---"] * (1 + len(systems)))]
    for key, subset in data.groupby(["group", "subject", "metric"], sort=False):
        group, subject, metric = key
        rows = subset.set_index("system")
        cells = [
            format_estimate(*rows.loc[system, ["value", "low", "high"]].astype(float), 3)
            + (" *" if (system, *key) in supported else "")
            for system in systems
        ]
        lines.append(markdown_row([f"{_GROUPS.get(group, group)}: {label(subject)}, {metric}", *cells]))
    empty = data[data.value.isna() & (data.note != "")]
    reasons = list(dict.fromkeys(f"- no value of {row.subject}: {row.note}" for row in empty.itertuples()))
    note = _IMAGES_NOTE.format(reference=label(values["reference"]))
    return "\n".join(["## Images, by every other metric", "", *lines, "", note, "", *reasons]) + "\n"


def _cells(values: Mapping[str, Any], markup: _Markup) -> list[list[str]]:
    data = pd.DataFrame(values["detection"])
    data = data[data.area == "all"].set_index(["system", "detector", "metric"])
    best = {column: supported_best(values, *column) for column in COLUMNS}
    return [
        [label(system), *(_cell(data.loc[(system, *column)], best[column] == system, markup) for column in
        COLUMNS)] for system in values["systems"]
    ]  # fmt: skip


def _cell(row: pd.Series, bold: bool, markup: _Markup) -> str:
    if pd.isna(row.value):
        return markup.dash  # nothing was found, so there is no confidence
    value = f"{100 * row.value:.1f}"
    value = markup.bold(value) if bold else value
    if pd.isna(row.low):
        return value
    return value + markup.interval(f"{100 * row.low:.1f}", f"{100 * row.high:.1f}")


def _note(values: Mapping[str, Any]) -> str:
    return _NOTE.format(
        level=100 * values["level"], prompts=values["prompts"], comparisons=values["comparisons"]
    )
