"""A row for every cell of the paper's tables: the order of two or more printed values that it stands for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from fairhuman.experiments.claims._printed import columns_of, printed_tables
from fairhuman.experiments.claims._rows import Row, row_from

__all__ = ["cell_rows"]

_NAMES = {
    "HPS": "HPS", "IR": "ImageReward", "CLIP": "CLIP score", "FID": "FID", "hand": "hand confidence",
    "face": "face confidence", "pose": "pose difference", "memory": "extra memory", "time": "inference time",
}  # fmt: skip
_WORDS = {1: "above", -1: "below", 0: "the same as"}


def cell_rows() -> list[Row]:
    """The rows of all tables, in their order."""
    return [row for table in printed_tables() if table.startswith("Table") for row in _table_rows(table)]


def _table_rows(table: str) -> Iterator[Row]:
    given = printed_tables()[table]
    for group, rows in given["groups"].items():
        last = list(rows)[-1]
        for name in rows:
            against = given.get("against", {}).get(name, last)
            others = [one for one in rows if one != last] if name == last else [against]
            for column in columns_of(table, group, name):
                yield _cell(table, group, name, others, column)


def _cell(table: str, group: str, name: str, others: list[str], column: str) -> Row:
    given = printed_tables()[table]
    own = columns_of(table, group, name)[column]
    orders = {other: _order(own, columns_of(table, group, other)[column]) for other in others}
    told = ", ".join(
        f"{_WORDS[order]} that of {other} ({columns_of(table, group, other)[column]:g})"
        for other, order in orders.items()
    )
    title = name if group in ("general T2I", "controllable", "beside the base") else f"{group}, {name}"
    row = {
        "id": f"{table}/{group}/{name}/{column}",
        "where": f"{table}, {title}",
        "claim": f"{_NAMES[column].capitalize()} of {title} ({own:g}) is {told}."
        if column not in ("HPS", "FID", "CLIP")
        else f"{_NAMES[column]} of {title} ({own:g}) is {told}.",
        "formal": column == "memory",
    }
    common = {key: given[key] for key in ("section", "notebook", "figure", "remark") if key in given}
    parts = _parts(given, group, name, orders, column)
    why = {} if parts else {"why": (given.get("why", {}) | printed_tables()["why"])[column]}
    return row_from({**row, "parts": parts, **why}, kind="cell", **common)


def _parts(
    given: Mapping[str, Any], group: str, name: str, orders: Mapping[str, int], column: str
) -> list[dict[str, Any]]:
    if column in given.get("parts", {}):
        return given["parts"][column]
    parts = []
    for other, order in orders.items():
        for measure in given.get("measures", {}).get(column, ()):
            measure = {"result": given.get("results", {}).get(group), **measure}
            # The printed order as better or worse, and that in the measure's own direction.
            better = order if given["columns"][column] == "up" else -order
            direction = better if measure.pop("better") == "higher" else -better
            says = measure.pop("says") + (f" against {other}" if len(orders) > 1 else "")
            pair = [given["groups"][group][one][0] for one in (other, name)]
            parts.append(
                {
                    **measure,
                    "says": says,
                    "pair": pair,
                    "is": {1: "higher", -1: "lower", 0: "equal"}[direction],
                }
            )
    return parts


def _order(own: float, other: float) -> int:
    return (own > other) - (own < other)
