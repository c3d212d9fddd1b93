"""Verdict → its colour, in figures and in the explorer of the ledger."""

__all__ = ["SHADES"]

SHADES = {
    "holds": "#0072B2",
    "holds in miniature": "#56B4E9",
    "half": "#F0E442",
    "does not hold": "#D55E00",
    "inconclusive": "#999999",
    "not tested yet": "#CCCCCC",
    "not testable here": "#EEEEEE",
}
