"""The ledger: what the paper claims, what was measured here, and the verdict that follows from it.

A row for every cell of its tables, its equations, figures and statements, its contradictions, and what its
released code does otherwise. Rows and rules stand in YAML files beside this one; numbers come from
``results/`` alone, so that no verdict can be written by hand.

- :mod:`._parts`: one rule, from the ends of a stored interval to an outcome.
- :mod:`._rows`: a row and its verdict, from the outcomes of its parts.
- :mod:`._cells`: the rows of the paper's tables, generated from ``cells.yaml``.
- :mod:`._ledger`: all rows, judged.
- :mod:`._shades`: the verdicts' colours.
"""

from fairhuman.experiments.claims._cells import cell_rows
from fairhuman.experiments.claims._ledger import SECTIONS, counts, ledger, ledger_markdown, load_rows
from fairhuman.experiments.claims._parts import OUTCOMES, Part
from fairhuman.experiments.claims._printed import paper_value
from fairhuman.experiments.claims._rows import VERDICTS, Finding, Row, judge
from fairhuman.experiments.claims._shades import SHADES

__all__ = [
    "OUTCOMES",
    "SECTIONS",
    "SHADES",
    "VERDICTS",
    "Finding",
    "Part",
    "Row",
    "cell_rows",
    "counts",
    "judge",
    "ledger",
    "ledger_markdown",
    "load_rows",
    "paper_value",
]
