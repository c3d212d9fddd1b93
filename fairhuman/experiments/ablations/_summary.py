"""The stored runs of each table as one result, which figures and tables are drawn from."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fairhuman.experiments.ablations._compare import compare_table
from fairhuman.experiments.ablations._named import Table
from fairhuman.results import write_result

__all__ = ["summarise", "summary_name"]


def summary_name(table: str) -> str:
    """Name of a table's result."""
    return f"ablations-{table}"


def summarise(
    profile: str, tables: Sequence[Table], seeds: Sequence[int], *, level: float = 0.95
) -> list[Path]:
    """Write ``results/<profile>/ablations-<table>.json`` for each table of which something is stored.

    While not all seeds are there, the first ones are taken of which at least two trained settings are.

    Args:
        profile: Whose results.
        tables: Which.
        seeds: All that there will be.
        level: Confidence level; see :func:`compare_table`.

    Returns:
        The files written.
    """
    written = []
    for table in tables:
        comparison = _furthest(profile, table, seeds, level)
        if comparison is not None:
            (images,) = {row["n"] for row in comparison["losses"] if row["region"] == "global"}
            parameters = {"seeds": comparison["seeds"], "level": level}
            written.append(
                write_result(
                    profile,
                    summary_name(table.name),
                    comparison,
                    parameters=parameters,
                    samples=images,
                    seed=comparison["seeds"][0],
                )
            )
    return written


def _furthest(profile: str, table: Table, seeds: Sequence[int], level: float) -> dict[str, Any] | None:
    for count in range(len(seeds), 0, -1):
        comparison = compare_table(profile, table, seeds[:count], level=level)
        if len(comparison["training"]) >= 2 and comparison["differences"]:
            return comparison
    return None
