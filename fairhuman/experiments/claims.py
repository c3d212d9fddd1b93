"""The ledger: what the paper claims, what was measured here, and the verdict that follows from it.

Claims and the rules that judge them stand in ``claims.yaml``; the numbers come from ``results/<profile>/``
alone, so a verdict can't be written by hand. A rule that finds no result, or not the rows it asks for, gives
"not tested yet".
"""

from __future__ import annotations

import math
import operator
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from fairhuman.profiles import unknown
from fairhuman.results import read_named

__all__ = ["VERDICTS", "Claim", "Condition", "Finding", "claims_table", "judge", "ledger", "load_claims"]

#: Every verdict there is. The last two are given where no rule could be applied.
VERDICTS = (
    "mathematically checked",
    "reproduced in miniature",
    "not reproduced",
    "refuted",
    "not tested yet",
    "not tested",
)
_OPERATORS = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
}
_OVER = {"max": max, "min": min, "only": None}
_SECOND = ("path", "where", "column", "over")


@dataclass(frozen=True)
class Condition:
    """One comparison of a stored number with a bound, or with another stored number.

    Attributes:
        result: Name of the result whose values are read; ``folder/name`` for one that belongs to no profile.
        path: Keys to follow in its values, joined by dots.
        than: Bound; or ``path``, ``where``, ``column`` and ``over`` of a second number of the same result;
            what is not given is as for the first, but for ``where``.
        is_: One of ``<``, ``<=``, ``>``, ``>=``, ``==`` (``is`` in the file).
        where: If ``path`` leads to rows: column to value of the rows that are meant.
        column: Column of these rows that holds the number.
        over: ``only``: exactly one row is meant; ``max`` or ``min``: that of all.
    """

    result: str
    path: str
    is_: str
    than: float | Mapping[str, Any]
    where: Mapping[str, Any] = field(default_factory=dict)
    column: str | None = None
    over: str = "only"

    def __post_init__(self) -> None:
        for name, value, known in (("is", self.is_, _OPERATORS), ("over", self.over, _OVER)):
            if value not in known:
                raise ValueError(f"{name}: {unknown(value, known)}")
        if isinstance(self.than, Mapping):
            for key in self.than:
                if key not in _SECOND:
                    raise ValueError(f"than: {unknown(key, _SECOND)}")
            if self.than.get("over", self.over) not in _OVER:
                raise ValueError(f"than.over: {unknown(self.than['over'], _OVER)}")

    def holds(self, values: Mapping[str, Any]) -> tuple[bool, str]:
        """Whether it holds, and the comparison in words.

        Raises:
            LookupError: The values lack what is asked for.
        """
        value = _number(values, self.path, self.where, self.column, self.over)
        if isinstance(self.than, Mapping):
            first = {"path": self.path, "where": {}, "column": self.column, "over": self.over}
            other = {**first, **self.than}
            bound = _number(values, other["path"], other["where"], other["column"], other["over"])
            against = f"{_place(other['path'], other['where'], other['column'])} = {bound:.4g}"
        else:
            bound, against = self.than, f"{self.than:g}"
        words = f"{_place(self.path, self.where, self.column)} = {value:.4g}"
        held = bool(_OPERATORS[self.is_](value, bound))
        return held, f"{words} {'is' if held else 'is not'} {self.is_} {against}"


@dataclass(frozen=True)
class Claim:
    """One claim of the paper.

    Attributes:
        name: Short name.
        claim: The claim in our words.
        where: Place in the paper.
        notebook: Which notebook looks at it; empty if none does.
        all_of: Conditions that must all hold.
        then, otherwise: Verdict if they do, and if one does not.
        remark: What the verdict does and does not say.
    """

    name: str
    claim: str
    where: str
    notebook: str = ""
    all_of: tuple[Condition, ...] = ()
    then: str = "not tested"
    otherwise: str = "not tested"
    remark: str = ""

    def __post_init__(self) -> None:
        for name in ("then", "otherwise"):
            if getattr(self, name) not in VERDICTS:
                raise ValueError(f"{self.name}: {name}: {unknown(getattr(self, name), VERDICTS)}")
        if bool(self.all_of) != (self.then != "not tested"):
            raise ValueError(f"{self.name}: a verdict needs conditions, and conditions a verdict")


@dataclass(frozen=True)
class Finding:
    """A claim's verdict and what it rests on.

    Attributes:
        claim: The claim.
        verdict: One of :data:`VERDICTS`.
        evidence: The comparisons made, or why none could be.
    """

    claim: Claim
    verdict: str
    evidence: str


def load_claims(path: Path | None = None) -> list[Claim]:
    """Read the ledger's claims and rules; by default those that come with the package.

    Raises:
        ValueError: The file isn't of the form described above; names the claim and the rule.
    """
    path = Path(__file__).with_suffix(".yaml") if path is None else path
    claims = []
    for entry in yaml.safe_load(path.read_text(encoding="utf-8")):
        given = dict(entry)
        conditions = [_condition(given.get("name"), condition) for condition in given.pop("all_of", ())]
        try:
            claims.append(Claim(**given, all_of=tuple(conditions)))
        except TypeError as error:
            raise ValueError(f"{path}: {given.get('name')}: {error}") from error
    names = [claim.name for claim in claims]
    for name in names:
        if names.count(name) > 1:
            raise ValueError(f"{path}: the name {name!r} is given twice")
    return claims


def judge(claim: Claim, profile: str = "quick") -> Finding:
    """The verdict that a profile's stored results give."""
    if not claim.all_of:
        return Finding(claim, "not tested", claim.remark)
    held, words = [], []
    for condition in claim.all_of:
        try:
            met, said = condition.holds(read_named(profile, condition.result)["values"])
        except FileNotFoundError:
            return Finding(claim, "not tested yet", f"no result {condition.result!r}")
        except LookupError as error:
            return Finding(claim, "not tested yet", f"{condition.result}: {error.args[0]}")
        held.append(met)
        words.append(f"{condition.result}: {said}")
    return Finding(claim, claim.then if all(held) else claim.otherwise, "; ".join(words))


def ledger(profile: str = "quick", path: Path | None = None) -> pd.DataFrame:
    """Every claim with its verdict: ``name``, ``where``, ``claim``, ``verdict``, ``evidence``, ``notebook``,
    ``remark``.

    Args:
        profile: Whose results judge.
        path: Another file of claims.
    """
    findings = [judge(claim, profile) for claim in load_claims(path)]
    return pd.DataFrame(
        [
            {
                "name": found.claim.name,
                "where": found.claim.where,
                "claim": found.claim.claim,
                "verdict": found.verdict,
                "evidence": found.evidence,
                "notebook": found.claim.notebook,
                "remark": found.claim.remark,
            }
            for found in findings
        ]
    )


def claims_table(findings: pd.DataFrame, beside: pd.DataFrame | None = None, title: str = "") -> str:
    """The verdicts as a table in Markdown.

    Args:
        findings: Of :func:`ledger`.
        beside: The same claims judged by another profile's results, for a column of their own.
        title: That profile's name.
    """
    head = ["where", "claim", "verdict", *([f"verdict ({title})"] if beside is not None else [])]
    rows = findings[["where", "claim", "verdict"]].copy()
    if beside is not None:
        rows["beside"] = beside.set_index("name").verdict.reindex(findings.name).to_numpy()
    lines = [head, ["---"] * len(head), *rows.to_numpy().tolist()]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in lines) + "\n"


def _condition(claim: str | None, given: Mapping[str, Any]) -> Condition:
    renamed = {"is_" if name == "is" else name: value for name, value in given.items()}
    try:
        return Condition(**renamed)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{claim}: {error}") from error


def _number(values: Any, path: str, where: Mapping[str, Any], column: str | None, over: str) -> float:
    found = values
    for key in path.split("."):
        if not isinstance(found, Mapping) or key not in found:
            raise LookupError(f"no {path}")
        found = found[key]
    if column is not None:
        rows = [row for row in found if all(row.get(name) == value for name, value in where.items())]
        values = [row[column] for row in rows if row.get(column) is not None]
        if not values or (over == "only" and len(rows) != 1):
            raise LookupError(f"{len(rows)} rows of {_place(path, where, column)}")
        found = values[0] if over == "only" else _OVER[over](values)
    if not isinstance(found, int | float) or not math.isfinite(found):
        raise LookupError(f"no number at {_place(path, where, column)}")
    return float(found)


def _place(path: str, where: Mapping[str, Any], column: str | None) -> str:
    chosen = ", ".join(f"{value}" for value in where.values())
    return path + (f"[{chosen}]" if chosen else "") + (f".{column}" if column else "")
