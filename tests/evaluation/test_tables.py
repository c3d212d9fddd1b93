"""Cells say what the rows say, in the rows' order."""

import math

import pandas as pd
import pytest

from fairhuman.evaluation import spread

ROWS = pd.DataFrame(
    [
        ("base", "≥ 4 %", "rate", 0.5, 0.25, 0.75),
        ("base", "< 1 %", "rate", 0.126, math.nan, math.nan),
        ("renders", "≥ 4 %", "rate", math.nan, math.nan, math.nan),
    ],
    columns=["system", "area", "metric", "value", "low", "high"],
)


def test_cells_and_their_order():
    table = spread(ROWS, ["area", "metric"])
    assert list(table.columns) == ["base", "renders"]
    assert list(table.index) == [("≥ 4 %", "rate"), ("< 1 %", "rate")]
    assert table.to_numpy().tolist() == [["0.50 [0.25, 0.75]", "–"], ["0.13", "–"]]
    assert spread(ROWS, ["area"], digits=1).loc["≥ 4 %", "base"] == "0.5 [0.2, 0.8]"


def test_two_rows_for_one_cell_are_refused():
    with pytest.raises(ValueError, match="duplicate"):
        spread(ROWS, ["metric"])
