"""The analysis plan: primary comparisons, confidence levels and equivalence margins.

The plan is in ``plan.yaml``. Tables and the ledger take levels and margins only from here, so that a
difference has the same interval everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from fairhuman.evaluation.statistics import Estimate, corrected_level
from fairhuman.profiles import unknown

__all__ = ["Plan", "load_plan"]

_CORRECTIONS = ("bonferroni",)


@dataclass(frozen=True)
class Plan:
    """The content of the plan file.

    Attributes:
        alpha: Familywise error rate of the primary comparisons.
        power: Power for the least detectable differences.
        seeds: Runs per setting required for a final primary comparison.
        exploratory: Level of all other intervals.
        comparisons: Primary pairs, (reference, setting).
        outcomes: Primary outcomes, (measure, region).
        margins: Measure → equivalence margin; for ``loss`` relative to the reference's.
    """

    alpha: float
    power: float
    seeds: int
    exploratory: float
    comparisons: tuple[tuple[str, str], ...]
    outcomes: tuple[tuple[str, str], ...]
    margins: Mapping[str, float]

    def __post_init__(self) -> None:
        for name in ("alpha", "power", "exploratory"):
            if not 0 < getattr(self, name) < 1:
                raise ValueError(f"{name}: must be in (0, 1), got {getattr(self, name)}")
        for measure, _ in self.outcomes:
            if measure not in self.margins:
                raise ValueError(f"margins: {unknown(measure, self.margins)}")

    @property
    def size(self) -> int:
        """Number of jointly corrected primary comparisons."""
        return len(self.comparisons) * len(self.outcomes)

    def is_primary(self, reference: str, setting: str, measure: str, region: str) -> bool:
        """Whether a difference belongs to the primary family, in either direction."""
        pair = {(reference, setting), (setting, reference)} & set(self.comparisons)
        return bool(pair) and (measure, region) in self.outcomes

    def level(self, reference: str, setting: str, measure: str, region: str) -> float:
        """Confidence level of this difference's interval in all tables."""
        if self.is_primary(reference, setting, measure, region):
            return corrected_level(1 - self.alpha, self.size)
        return self.exploratory

    def judged(
        self, estimate: Estimate, *, measure: str, primary: bool, scale: float = 1.0
    ) -> dict[str, Any]:
        """Interpretation of a difference's interval for a table row.

        Args:
            estimate: With an interval of the plan's level.
            measure: Names the margin.
            primary: From :meth:`is_primary`.
            scale: Reference value of a relative margin; the reference's loss for ``loss``.

        Returns:
            ``family`` ("primary" or "exploratory"), ``margin``, ``supported`` (the interval excludes zero),
            ``equal`` (it lies within the margin), ``least_detectable``.
        """
        margin = self.margins[measure] * scale
        return {
            "family": "primary" if primary else "exploratory",
            "margin": margin,
            "supported": estimate.excludes(0),
            "equal": estimate.lies_within(margin),
            "least_detectable": estimate.least_detectable(self.power),
        }


@cache
def load_plan(path: Path | None = None) -> Plan:
    """Read a plan. Default: the one shipped with the package.

    Raises:
        ValueError: Keys are unknown or missing, or values are out of range.
    """
    path = Path(__file__).with_suffix(".yaml") if path is None else path
    given = yaml.safe_load(path.read_text(encoding="utf-8"))
    correction = given.pop("correction", None)
    if correction not in _CORRECTIONS:
        raise ValueError(f"{path}: correction: {unknown(correction, _CORRECTIONS)}")
    primary = given.pop("primary")
    try:
        return Plan(**given, **{name: tuple(map(tuple, rows)) for name, rows in primary.items()})
    except TypeError as error:
        raise ValueError(f"{path}: {error}") from error
