"""The ledger: the paper's claims, the measurements made here, and the resulting verdicts.

There is one row for every cell of its tables, its equations, figures and statements, its contradictions, and
the deviations of its released code. Rows and rules are in YAML files in this package; numbers come only from
``results/``, so that no verdict is written by hand.

- :mod:`._parts`: a rule that maps the bounds of a stored interval to an outcome.
- :mod:`._rows`: a row and its verdict, from the outcomes of its parts.
- :mod:`._cells`: the rows of the paper's tables, generated from ``cells.yaml``.
- :mod:`._ledger`: all rows with verdicts.
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
