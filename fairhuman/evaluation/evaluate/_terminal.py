"""Terminal output of an evaluation."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from rich.table import Table
from rich.text import Text

from fairhuman.evaluation.tables import format_estimate

__all__ = ["terminal_tables"]

_TITLES = {
    "detection": "What MediaPipe finds, anywhere in the image",
    "in place": "What MediaPipe finds where it was asked for",
    "crops": "What MediaPipe finds in enlarged crops around the regions asked for",
    "distance": "Distance from the reference; kernel and Fréchet by the attribute reader, not Inception",
    "caption": "Agreement with the captions, by the attribute reader (made for renders)",
    "preference": "Preference and text, in the models' units",
    "pose": "Distance of the pose from the one asked for (pixels; share: of the body's height)",
    "depth": "Estimated depth against the one asked for (error: relative; flat error: a constant's)",
}


def terminal_tables(found: Mapping[str, Any]) -> list[Table]:
    """One table per group of metrics, one column per system, "value [low, high]".

    An asterisk marks values with a supported paired difference from the first system. The last column gives
    the reason for a missing value.

    Args:
        found: From :func:`fairhuman.evaluation.evaluate.evaluate_images`.
    """
    data = pd.DataFrame(found["rows"])
    systems = list(dict.fromkeys(data.system))
    supported = {
        (row["system"], row["group"], row["subject"], row["metric"])
        for row in found["differences"]
        if row["supported"]
    }
    tables = []
    for group, rows in data.groupby("group", sort=False):
        table = Table(title=_TITLES.get(group, group), title_justify="left", title_style="bold")
        table.add_column("metric", no_wrap=True)
        for system in systems:
            table.add_column(Text(system), justify="right")
        noted = rows.note.any()
        if noted:
            table.add_column("note", overflow="fold")
        for (subject, metric), cells in rows.groupby(["subject", "metric"], sort=False):
            by_system = {row["system"]: row for row in cells.to_dict("records")}
            values = [
                _cell(by_system.get(system), (system, group, subject, metric) in supported)
                for system in systems
            ]
            note = "; ".join(dict.fromkeys(filter(None, cells.note)))
            table.add_row(
                Text(f"{subject}: {metric}".replace("_", " ")), *values, *([Text(note)] if noted else [])
            )
        tables.append(table)
    return tables


def _cell(row: Mapping[str, Any] | None, supported: bool) -> Text:
    if row is None:
        return Text("–")
    return Text(format_estimate(row["value"], row["low"], row["high"], 3) + ("*" if supported else ""))
