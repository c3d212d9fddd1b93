"""All rows of the ledger with verdicts from stored results."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from fairhuman.experiments.claims._cells import cell_rows
from fairhuman.experiments.claims._rows import VERDICTS, Finding, Row, judge, row_from

__all__ = ["SECTIONS", "counts", "ledger", "ledger_markdown", "load_rows"]

#: Sections in the order in which they are listed.
SECTIONS = (
    "Abstract", "§1", "§3", "§4", "§5", "§6", "§§7–10", "Table 1", "Table 2", "Table 3", "Table 4", "Table 5",
    "Equations", "Figures", "Contradictions", "Released code",
)  # fmt: skip
_FILES = ("statements", "equations", "figures", "contradictions", "deviations")
_REGIONS = {"face": "faces", "hand": "hands", "global": "the whole image"}


def load_rows(folder: Path | None = None) -> list[Row]:
    """Load all rows by section. Default: those shipped with the package.

    Args:
        folder: Folder of other YAML files, each with ``rows`` and shared values in ``common``.

    Raises:
        ValueError: A row is invalid, or an id is repeated; the message names it.
    """
    if folder is None:
        rows, paths = cell_rows(), [Path(__file__).with_name(f"{name}.yaml") for name in _FILES]
    else:
        rows, paths = [], sorted(folder.glob("*.yaml"))
    for path in paths:
        given = yaml.safe_load(path.read_text(encoding="utf-8"))
        for entry in given["rows"]:
            try:
                rows.append(row_from(_expanded(entry), **given.get("common", {})))
            except ValueError as error:
                raise ValueError(f"{path.name}: {error}") from error
    names = [row.id for row in rows]
    for row in rows:
        if names.count(row.id) > 1:
            raise ValueError(f"the id {row.id!r} is given twice")
        if row.section not in SECTIONS:
            raise ValueError(f"{row.id}: section: must be one of {SECTIONS}, got {row.section!r}")
    return sorted(rows, key=lambda row: SECTIONS.index(row.section))


def _expanded(entry: Mapping[str, Any]) -> dict[str, Any]:
    """The row with its short forms written out: ``run``, ``losses`` and ``seen``."""
    row = dict(entry)
    parts = list(row.pop("parts", ()))
    if "run" in row:
        same = dict.fromkeys(_REGIONS, "equal")
        row["losses"] = [{"pair": row.pop("run"), "result": row.pop("result"), **same}]
    for kind in ("losses", "seen"):
        for given in row.pop(kind, ()):
            pair, result = given["pair"], given["result"]
            for region, claimed in given.items():
                if region in ("pair", "result"):
                    continue
                what = f"{_REGIONS[region]}, {pair[1]} against {pair[0]}"
                part = {"result": result, "pair": pair, "is": claimed}
                if kind == "losses":
                    part |= {"says": f"held-out loss of {what}", "where": {"region": region}}
                else:
                    part |= {"says": f"detectors' confidence in {what}", "rows": "detection_differences"}
                    part["where"] = {"measure": "confidence_with_misses", "region": region}
                parts.append(part)
    return row | ({"parts": parts} if parts else {})


def ledger(profiles: Sequence[str] = ("full", "quick"), folder: Path | None = None) -> pd.DataFrame:
    """Every row with its verdict.

    Args:
        profiles: Profiles of the results; the first profile with a result is used.
        folder: As for :func:`load_rows`.

    Returns:
        Columns ``id``, ``kind``, ``section``, ``where``, ``claim``, ``verdict``, ``note`` (which half holds,
        what would have been detectable, or why it is undecided), ``evidence`` (the comparisons), ``results``
        (their files, separated by spaces), ``notebook``, ``figure``, ``remark``.
    """
    return pd.DataFrame([_flat(judge(row, profiles)) for row in load_rows(folder)])


def _flat(found: Finding) -> dict[str, str]:
    row = found.row
    return {
        "id": row.id,
        "kind": row.kind,
        "section": row.section,
        "where": row.where,
        "claim": row.claim,
        "verdict": found.verdict,
        "note": found.note,
        "evidence": "; ".join(f"{part.words} ({part.outcome})" for part in found.parts),
        "results": " ".join(dict.fromkeys(part.result for part in found.parts if part.result)),
        "notebook": row.notebook,
        "figure": row.figure,
        "remark": row.remark,
    }


def counts(findings: pd.DataFrame, by: str = "section") -> pd.DataFrame:
    """Number of rows by section (or kind) and verdict, verdicts in their order."""
    table = pd.crosstab(findings[by], findings.verdict)
    order = [name for name in SECTIONS if name in table.index] if by == "section" else list(table.index)
    return table.reindex(index=order, columns=[name for name in VERDICTS if name in table], fill_value=0)


def ledger_markdown(findings: pd.DataFrame) -> str:
    """The ledger as one Markdown table per section, with links to the evidence."""
    lines = ["# The ledger of claims", "", "Made by notebook 11 from stored results.", ""]
    for section, rows in findings.groupby("section", sort=False):
        lines += [f"## {section}", "", "| claim | verdict | why | evidence |", "| --- | --- | --- | --- |"]
        for row in rows.itertuples():
            claim = f"{row.claim} ({row.where})"
            why = "; ".join(filter(None, (row.note, row.remark)))
            cells = (claim, row.verdict, why, _links(row))
            lines.append("| " + " | ".join(cell.replace("|", "∣") for cell in cells) + " |")
        lines.append("")
    return "\n".join(lines)


def _links(row: Any) -> str:
    """Links from a file in ``figures/``."""
    links = [f"[{name}](../results/{name}.json)" for name in row.results.split()]
    links += [f"[figure]({row.figure})"] if row.figure else []
    links += [f"[{row.notebook}](../notebooks/{row.notebook}.ipynb)"] if row.notebook else []
    return ", ".join(links)
