"""One result per table, combining its stored runs, for figures and tables."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fairhuman.experiments.ablations._compare import compare_pair, compare_table
from fairhuman.experiments.ablations._named import SETTINGS, Table
from fairhuman.experiments.plan import load_plan
from fairhuman.results import write_result

__all__ = ["PRIMARY", "primary_family", "summarise", "summary_name"]

PRIMARY = "primary"
"""Name of the plan's primary comparisons among the tables."""


def summary_name(table: str) -> str:
    """Name of a table's result."""
    return f"ablations-{table}"


def summarise(
    profile: str, tables: Sequence[Table], seeds: Sequence[int], *, level: float = 0.95
) -> list[Path]:
    """Write ``results/<profile>/ablations-<table>.json`` for each table with stored results, and
    ``ablations-primary.json`` for the plan's primary comparisons.

    If seeds are missing, the first seeds with at least two trained settings are used.

    Args:
        profile: Profile of the results.
        tables: Table names.
        seeds: All planned seeds.
        level: Confidence level; see :func:`compare_table`.

    Returns:
        The files written.
    """
    written = []
    for table in tables:
        comparison = _furthest(profile, table, seeds, level)
        if comparison is not None:
            (images,) = {row["n"] for row in comparison["losses"] if row["region"] == "global"}
            parameters = {"seeds": comparison["seeds"], "level": level, "code": comparison["code"]}
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
    primary = primary_family(profile, seeds)
    if primary["differences"]:
        images = max(row["n"] for row in primary["differences"])
        parameters = {"seeds": list(seeds)}
        name = summary_name(PRIMARY)
        written.append(
            write_result(profile, name, primary, parameters=parameters, samples=images, seed=min(seeds))
        )
    return written


def primary_family(profile: str, seeds: Sequence[int]) -> dict[str, Any]:
    """The plan's primary comparisons, each from as many of the seeds as are stored for both settings.

    Returns:
        ``differences`` (rows of :func:`compare_pair`), ``absent`` (what the plan asks for and is not stored:
        ``reference``, ``setting``, ``measure``, ``region``), ``labels``, ``plan``.
    """
    plan = load_plan()
    rows, absent = [], []
    for pair in plan.comparisons:
        stored = next(
            (found for n in range(len(seeds), 0, -1) if (found := compare_pair(profile, *pair, seeds[:n]))),
            [],
        )
        by_outcome = {(row["measure"], row["region"]): row for row in stored}
        for measure, region in plan.outcomes:
            row = by_outcome.get((measure, region))
            if row is not None:
                rows.append(row)
            else:
                names = ("reference", "setting", "measure", "region")
                absent.append(dict(zip(names, (*pair, measure, region), strict=True)))
    named = dict.fromkeys(name for pair in plan.comparisons for name in pair)
    return {
        "differences": rows,
        "absent": absent,
        "labels": {name: SETTINGS[name].label for name in named},
        "plan": {"alpha": plan.alpha, "seeds": plan.seeds, "comparisons": plan.size, "power": plan.power},
    }


def _furthest(profile: str, table: Table, seeds: Sequence[int], level: float) -> dict[str, Any] | None:
    for count in range(len(seeds), 0, -1):
        comparison = compare_table(profile, table, seeds[:count], level=level)
        if len(comparison["training"]) >= 2 and comparison["differences"]:
            return comparison
    return None
