"""A row of the ledger, and its verdict from the outcomes of its parts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from fairhuman.experiments.claims._parts import Judged, Part
from fairhuman.profiles import unknown

__all__ = ["KINDS", "VERDICTS", "Finding", "Row", "judge", "row_from"]

#: Verdict → what it means.
VERDICTS: Mapping[str, str] = {
    "holds": "a statement about formulas, sizes or printed numbers that anybody can check, and it is so",
    "holds in miniature": "every part's interval lies where the claim says, on a small model and renders",
    "half": "some parts hold and others do not or are open; the row says which",
    "does not hold": "a part lies on the other side, or within the margin of equality, and none holds",
    "inconclusive": "no part is decided; the row says what difference would have been found",
    "not tested yet": "there is a rule, and no result for it",
    "not testable here": "no run on this base can decide it; the row says why",
}
KINDS = ("cell", "equation", "figure", "statement", "contradiction", "deviation")


@dataclass(frozen=True)
class Row:
    """One claim.

    Attributes:
        id: Short and unique.
        kind: Of :data:`KINDS`.
        section: Under which it is listed, such as ``Table 1`` or ``§3``.
        where: Its place in the paper or in the released code.
        claim: What is claimed, in our words.
        parts: What must hold for it.
        why: Why it can't be decided here, if it has no parts.
        formal: Whether it concerns formulas, sizes or printed numbers, so that a verdict needs no experiment.
        notebook, figure: Where it is shown.
        remark: What the verdict does and does not say.
    """

    id: str
    kind: str
    section: str
    where: str
    claim: str
    parts: tuple[Part, ...] = ()
    why: str = ""
    formal: bool = False
    notebook: str = ""
    figure: str = ""
    remark: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"{self.id}: kind: {unknown(self.kind, KINDS)}")
        if bool(self.parts) == bool(self.why):
            raise ValueError(f"{self.id}: needs either parts or why it can't be tested, got both or neither")


@dataclass(frozen=True)
class Finding:
    """A row's verdict and its basis.

    Attributes:
        row: The row.
        verdict: One of :data:`VERDICTS`.
        parts: The result of each part.
        note: Which half holds, what would have been detectable, or why it is undecided.
    """

    row: Row
    verdict: str
    parts: tuple[Judged, ...]
    note: str


def row_from(given: Mapping[str, Any], **common: Any) -> Row:
    """Parse a row from a file.

    Raises:
        ValueError: The row is invalid; the message names the row and the rule.
    """
    values = {**common, **given}
    name = values.get("id", "a row without id")
    try:
        parts = tuple(
            Part(**{("is_" if key == "is" else key): value for key, value in part.items()})
            for part in values.pop("parts", ())
        )
        return Row(**values, parts=parts)
    except (TypeError, ValueError) as error:
        raise ValueError(f"{name}: {error}") from error


def judge(row: Row, profiles: Sequence[str]) -> Finding:
    """The verdict from stored results; the first profile with a verdict counts.

    All parts of a statement must hold, so one failing part refutes it. The parts of a table cell measure the
    same quantity, so all must contradict it to refute it.
    """
    if not row.parts:
        return Finding(row, "not testable here", (), row.why)
    found = tuple(part.judged(profiles) for part in row.parts)
    by_outcome = {name: [one for one in found if one.outcome == name] for name in
                  ("holds", "fails", "equal", "open", "absent")}  # fmt: skip
    decided_against = by_outcome["fails"] + by_outcome["equal"]
    if len(by_outcome["holds"]) == len(found):
        return Finding(row, "holds" if row.formal else "holds in miniature", found, "")
    if by_outcome["holds"]:
        return Finding(row, "half", found, _halves(by_outcome))
    undecided = by_outcome["open"] + by_outcome["absent"]
    if decided_against and row.kind == "cell" and undecided:
        return Finding(row, "inconclusive", found, _halves(by_outcome))
    if decided_against:
        return Finding(row, "does not hold", found, _equalities(by_outcome))
    if by_outcome["open"]:
        return Finding(row, "inconclusive", found, _least(by_outcome["open"]))
    return Finding(row, "not tested yet", found, "; ".join(one.words for one in found))


def _halves(by_outcome: Mapping[str, Sequence[Judged]]) -> str:
    names = {"holds": "holds", "fails": "fails", "equal": "equal within the margin", "open": "open",
             "absent": "no result"}  # fmt: skip
    told = [
        f"{words}: {', '.join(_label(one) for one in by_outcome[name])}"
        for name, words in names.items()
        if by_outcome[name]
    ]
    least = _least(by_outcome["open"])
    return "; ".join(told + ([least] if least else []))


def _equalities(by_outcome: Mapping[str, Sequence[Judged]]) -> str:
    equal = [_label(one) for one in by_outcome["equal"]]
    return f"equal within the margin: {', '.join(equal)}" if equal else ""


def _least(parts: Sequence[Judged]) -> str:
    least = [one.least for one in parts if one.least]
    return f"least detectable: {'; '.join(least)}" if least else ""


def _label(part: Judged) -> str:
    return part.words.split(":", 1)[0]
