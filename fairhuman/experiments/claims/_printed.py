"""The paper's tables as printed."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import yaml

from fairhuman.profiles import unknown

__all__ = ["columns_of", "paper_value", "printed_tables"]


@cache
def printed_tables() -> dict[str, Any]:
    """``cells.yaml``: table → its columns, groups of rows and what measures them."""
    path = Path(__file__).with_name("cells.yaml")
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def columns_of(table: str, group: str, row: str) -> dict[str, float]:
    """Column → printed value of a row; columns that it leaves out are missing."""
    given = printed_tables()[table]
    values = given["groups"][group][row][1:]
    return dict(zip(given["columns"], map(float, values), strict=False))


def paper_value(cell: str) -> float:
    """A printed value, by ``table/group/row/column``.

    Raises:
        ValueError: There is no such cell.

    >>> paper_value("Table 1/general T2I/MoLE/FID")
    48.97
    """
    table, group, row, column = cell.split("/")
    tables = printed_tables()
    for name, known in ((table, tables), (group, tables.get(table, {}).get("groups", {}))):
        if name not in known:
            raise ValueError(f"cell {cell!r}: {unknown(name, known)}")
    if row not in tables[table]["groups"][group]:
        raise ValueError(f"cell {cell!r}: {unknown(row, tables[table]['groups'][group])}")
    columns = columns_of(table, group, row)
    if column not in columns:
        raise ValueError(f"cell {cell!r}: {unknown(column, columns)}")
    return columns[column]
