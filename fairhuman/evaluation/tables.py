"""Readable tables of estimates: value and interval in one cell, one column per system."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd


def spread(
    rows: pd.DataFrame, index: Sequence[str], columns: str = "system", digits: int = 2
) -> pd.DataFrame:
    """Create a table of "value [low, high]" cells from tidy rows.

    Args:
        rows: Columns ``value``, ``low``, ``high`` and those named by ``index`` and ``columns``.
        index: Columns that identify the table's rows.
        columns: Column with the names of the table's columns.
        digits: Number of decimals.

    Returns:
        Text; rows and columns in order of first appearance. A cell without a value is "–", and without an
        interval only the value.

    Raises:
        ValueError: There are two rows for one cell.

    >>> row = {"system": "base", "region": "face", "value": 0.5, "low": 0.4, "high": 0.6}
    >>> spread(pd.DataFrame([row]), ["region"]).loc["face", "base"]
    '0.50 [0.40, 0.60]'
    """
    index = list(index)
    cells = [format_estimate(row.value, row.low, row.high, digits) for row in rows.itertuples()]
    table = rows.assign(_cell=cells).pivot(index=index, columns=columns, values="_cell")
    order = rows[index].drop_duplicates()
    order = pd.MultiIndex.from_frame(order) if len(index) > 1 else pd.Index(order[index[0]], name=index[0])
    return table.reindex(index=order, columns=list(dict.fromkeys(rows[columns]))).fillna("–")


def format_estimate(value: float, low: float, high: float, digits: int = 2) -> str:
    """A number with its interval; the number alone without one, and "–" without a number.

    >>> format_estimate(0.5, 0.4, 0.6)
    '0.50 [0.40, 0.60]'
    """
    if pd.isna(value):
        return "–"
    if pd.isna(low):
        return f"{value:.{digits}f}"
    return f"{value:.{digits}f} [{low:.{digits}f}, {high:.{digits}f}]"
