"""The ledger of claims with filters and search (notebook 11)."""

from __future__ import annotations

import html
from collections.abc import Mapping
from typing import Any

import pandas as pd
import traitlets

from fairhuman.experiments.claims import VERDICTS
from fairhuman.explorers._explorer import Explorer
from fairhuman.explorers._page import page

__all__ = ["LedgerExplorer"]


class LedgerExplorer(Explorer):
    """Every claim with its verdict, evidence and links to notebook, results and figure.

    Args:
        findings: From :func:`fairhuman.experiments.claims.ledger`.
        kind, section, verdict: Show only matching rows; "" shows all.
        words: Show only rows that contain this text in any column, ignoring case.

    Raises:
        ValueError: A choice matches no row.
    """

    name = "ledger"
    state = ("kind", "section", "verdict", "words")
    data = ("rows", "meanings")

    kind = traitlets.Unicode().tag(sync=True)
    section = traitlets.Unicode().tag(sync=True)
    verdict = traitlets.Unicode().tag(sync=True)
    words = traitlets.Unicode().tag(sync=True)
    rows = traitlets.List().tag(sync=True)
    meanings = traitlets.Dict().tag(sync=True)

    def __init__(self, findings: pd.DataFrame, **start: str) -> None:
        for name in ("kind", "section", "verdict"):
            known = ["", *findings[name].unique()]
            if start.get(name, "") not in known:
                raise ValueError(f"{name}: must be one of {known}, got {start[name]!r}")
        super().__init__(rows=findings.to_dict("records"), meanings=dict(VERDICTS), **start)

    def page(self, title: str) -> str:
        """A complete page that initially shows all rows, regardless of the current filter."""
        return page(self.name, self.values() | dict.fromkeys(self.state, ""), title)

    def still(self) -> dict[str, Any]:
        lines = "".join(map(_line, self.rows))
        head = "<tr><th>place</th><th>claim</th><th>verdict</th></tr>"
        return {"text/html": f"<table><thead>{head}</thead><tbody>{lines}</tbody></table>"}


def _line(row: Mapping[str, str]) -> str:
    cells = (html.escape(row[name]) for name in ("where", "claim", "verdict"))
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"
