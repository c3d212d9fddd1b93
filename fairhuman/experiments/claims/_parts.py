"""Rules of the ledger: a stored interval or number is compared with a statement of the paper.

Rules use the bounds of intervals, never point estimates. A difference that is not distinguishable from zero
is undecided: its outcome is "open", with the least detectable difference. "Equal" requires the whole interval
inside a margin of the plan. A stored null is a non-finite number and violates every bound.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from fairhuman.evaluation.statistics import Estimate
from fairhuman.experiments.claims._printed import paper_value
from fairhuman.experiments.paths import enter
from fairhuman.experiments.plan import load_plan
from fairhuman.profiles import unknown
from fairhuman.results import read_result

__all__ = ["OUTCOMES", "Judged", "Part"]

#: What a part can come to.
OUTCOMES: Mapping[str, str] = {
    "holds": "the interval, or the number, lies where the claim says",
    "fails": "it lies on the other side",
    "equal": "the claim says that there is a difference, and the interval lies within the margin",
    "open": "the interval allows both, or there is none, or each system was trained once",
    "absent": "no such result is stored",
}
_NUMBERS: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge, "==": operator.eq,
    "!=": operator.ne,
}  # fmt: skip
_INTERVALS = ("lower", "higher", "not lower", "not higher", "equal", "different")
_OVER = ("max", "min")


@dataclass(frozen=True)
class Judged:
    """The result of one part.

    Attributes:
        outcome: Of :data:`OUTCOMES`.
        words: The comparison, with its numbers.
        result: The file that it was read from, below ``results/`` without ending; empty for none.
        least: Least detectable difference, in words, of a part that is open.
    """

    outcome: str
    words: str
    result: str = ""
    least: str = ""


@dataclass(frozen=True)
class Part:
    """One comparison.

    Attributes:
        is_: What the claim says (``is`` in the file): of an interval "lower" or "higher" (than ``than``),
            "not lower" or "not higher" (by more than the margin), "equal" (within it), "different"; of a
            number one of ``<``, ``<=``, ``>``, ``>=``, ``==``, ``!=``. A difference that is told from zero
            and not shown to be within the margin contradicts "equal" and "not higher".
        result: Name of the result; ``folder/name`` for one that belongs to no profile.
        at: Path in its values (:func:`fairhuman.experiments.paths.enter`) to an estimate, or to a number.
        pair: In place of ``at``: two systems; the estimate is their stored difference, second − first.
        rows: Where differences stand.
        where: Further columns of the difference.
        than: What is compared with: a number, or the path of a second one. Of a second estimate both ends
            count, as if the two might err in opposite directions.
        over: ``max`` or ``min``: of all rows at ``at``, the column ``column``.
        column: As said.
        margin: Measure of the plan whose margin counts, if the row has none of its own.
        once: Whether the systems compared were each trained once: then an interval over images says nothing
            about another training, and the part is open. A row that counts its seeds says so itself.
        paper: In place of a result: two cells of the paper's tables that are compared (``Table 1/MoLE/FID``).
        says: What the part is about, in words.
    """

    is_: str
    result: str = ""
    at: str = ""
    pair: Sequence[str] = ()
    rows: str = "differences"
    where: Mapping[str, Any] = field(default_factory=dict)
    than: float | str = 0.0
    over: str = ""
    column: str = ""
    margin: str = ""
    once: bool = False
    paper: Sequence[str] = ()
    says: str = ""

    def __post_init__(self) -> None:
        known = (*_NUMBERS, *_INTERVALS)
        if self.is_ not in known:
            raise ValueError(f"is: {unknown(self.is_, known)}")
        if self.over and self.over not in _OVER:
            raise ValueError(f"over: {unknown(self.over, _OVER)}")
        if self.margin and self.margin not in load_plan().margins:
            raise ValueError(f"margin: {unknown(self.margin, load_plan().margins)}")
        given = [bool(self.result and (self.at or self.pair)), bool(self.paper)]
        if sum(given) != 1:
            raise ValueError("a part needs a result with a path or a pair, or two cells of the paper")

    def judged(self, profiles: Sequence[str]) -> Judged:
        """The outcome by the first of these profiles that has the result.

        A comparison that this result lacks is absent: shorter runs do not decide it.
        """
        label = f"{self.says}: " if self.says else ""
        if self.paper:
            outcome, words = self._of_paper()
            return Judged(outcome, label + words)
        for profile in profiles if "/" not in self.result else ("",):
            folder, _, name = self.result.rpartition("/")
            place = f"{folder or profile}/{name}"
            try:
                values = read_result(folder or profile, name)["values"]
                found = self._pair(values) if self.pair else enter(values, self.at)
                outcome, words, least = self._of(found, values)
            except LookupError as error:
                return Judged("absent", f"{label}not in {place}: {error.args[0]}", place)
            except FileNotFoundError:
                continue
            else:
                return Judged(outcome, f"{label}{words}", place, f"{label}{least}" if least else "")
        return Judged("absent", f"{label}no result {self.result}")

    def _pair(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """The stored difference of the pair, turned round if it is stored the other way."""
        for turned in (False, True):
            first, second = reversed(self.pair) if turned else self.pair
            rows = [
                row
                for row in enter(values, self.rows)
                if row["reference"] == first
                and row.get("setting", row.get("system")) == second
                and all(row.get(key) == value for key, value in self.where.items())
            ]
            if len(rows) == 1:
                return _turned(rows[0]) if turned else rows[0]
            if rows:
                raise LookupError(f"{len(rows)} differences of {second} and {first}")
        raise LookupError(f"no difference of {self.pair[1]} and {self.pair[0]}")

    def _of(self, found: Any, values: Mapping[str, Any]) -> tuple[str, str, str]:
        if self.is_ in _NUMBERS:
            return *self._of_number(found, values), ""
        if isinstance(found, int | float):
            raise LookupError(f"{self.at}, which has no interval")
        return self._of_interval(found, values)

    def _of_number(self, found: Any, values: Mapping[str, Any]) -> tuple[str, str]:
        number, place = found, self.at
        if self.over:
            numbers = [row[self.column] for row in found]
            if not numbers:
                raise LookupError(f"{self.at}, which has no rows")
            broken = [one for one in numbers if one is None or not math.isfinite(one)]
            if broken:
                return "fails", f"{len(broken)} of {len(numbers)} {self.at}.{self.column} are not finite"
            number, place = (max if self.over == "max" else min)(numbers), f"{self.over} {self.column}"
        if number is None:
            return "fails", f"{place} is not finite"
        if not isinstance(number, int | float):
            raise LookupError(f"{self.at}, which is no number")
        bound = float(enter(values, self.than) if isinstance(self.than, str) else self.than)
        held = _NUMBERS[self.is_](number, bound)
        words = f"{place} = {number:.4g} is {'' if held else 'not '}{self.is_} {bound:.4g}"
        return ("holds" if held else "fails"), words

    def _of_interval(self, row: Mapping[str, Any], values: Mapping[str, Any]) -> tuple[str, str, str]:
        low, high = row.get("low"), row.get("high")
        if low is None or high is None:
            return "open", f"{_shown(row)}, no interval", ""
        margin = row.get("margin")
        if margin is None and self.margin:
            margin = load_plan().margins[self.margin]
        words = _shown(row)
        if isinstance(self.than, str):
            other = enter(values, self.than)
            if other["low"] is None or other["high"] is None:
                return "open", f"{words} against {_shown(other)}, no interval", ""
            words += f" against {_shown(other)}"
            low, high = low - other["high"], high - other["low"]
        else:
            low, high = low - self.than, high - self.than
        outcome = self._placed(low, high, margin)
        if self.once or row.get("seeds") == 1:
            return "open", f"{words}; each was trained once", f"{self._least(row)} over images alone"
        return outcome, words, self._least(row) if outcome == "open" else ""

    def _placed(self, low: float, high: float, margin: float | None) -> str:
        """The outcome that the ends of a difference give."""
        below, above = high < 0, low > 0
        inside = margin is not None and -margin < low and high < margin
        if self.is_ in ("lower", "higher", "different"):
            right = {"lower": below, "higher": above, "different": below or above}[self.is_]
            return "holds" if right else "fails" if below or above else "equal" if inside else "open"
        if margin is None:
            raise LookupError(f"{self.at or self.pair}, which has no margin")
        harmless, harmed = {
            "equal": (inside, below or above),
            "not higher": (high < margin, above),
            "not lower": (low > -margin, below),
        }[self.is_]
        return "holds" if harmless else "fails" if harmed else "open"

    def _least(self, row: Mapping[str, Any]) -> str:
        least = row.get("least_detectable")
        if least is None:
            level = row.get("level", 0.95)
            estimate = Estimate(row["value"], row["low"], row["high"], row.get("n", 0), "", level)
            least = estimate.least_detectable(load_plan().power)
        factor, unit = _scale(row)
        return f"{abs(factor * least):.3g}{unit}"

    def _of_paper(self) -> tuple[str, str]:
        first, second = (paper_value(cell) for cell in self.paper)
        held = _NUMBERS[self.is_](first, second)
        words = (
            f"{self.paper[0]} = {first:g} is {'' if held else 'not '}{self.is_} {self.paper[1]} = {second:g}"
        )
        return ("holds" if held else "fails"), words


def _turned(row: Mapping[str, Any]) -> dict[str, Any]:
    """The difference taken the other way round; its share is of the same reference as stored."""
    ends = {"low": row["high"], "high": row["low"]}
    turned = {key: None if value is None else -value for key, value in ends.items()}
    share = {"share": -row["share"]} if row.get("share") is not None else {}
    return {**row, **turned, **share, "value": -row["value"]}


def _scale(row: Mapping[str, Any]) -> tuple[float, str]:
    """Losses are told as shares of the reference's, in per cent."""
    if row.get("share") and row.get("value"):
        return 100 * row["share"] / row["value"], " %"
    return 1.0, ""


def _shown(row: Mapping[str, Any]) -> str:
    factor, unit = _scale(row)
    value = f"{factor * row['value']:.3g}{unit}"
    if row.get("low") is None or row.get("high") is None:
        return value
    low, high = sorted((factor * row["low"], factor * row["high"]))
    level = f" ({100 * row['level']:.4g} %)" if "level" in row else ""
    seeds = f", {row['seeds']} seeds" if row.get("seeds", 0) > 1 else ""
    return f"{value} [{low:.3g}, {high:.3g}]{level}{seeds}"
