"""Cells say what the rows say, in the rows' order."""

import math

import pandas as pd
import pytest

from fairhuman.evaluation import spread
from fairhuman.experiments.figures import images_table

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


def test_images_have_a_table_of_what_was_and_was_not_measured():
    row = {"group": "distance", "subject": "whole", "metric": "kernel", "low": 0.1, "high": 0.3, "note": ""}
    absent = {"group": "preference", "subject": "hps_v2.1", "metric": "score", "value": math.nan,
              "low": math.nan, "high": math.nan, "note": "weights: not here"}  # fmt: skip
    figures = {
        "systems": ["base", "lora-mpd"],
        "reference": "base",
        "rows": [row | {"system": "base", "value": 0.2}, row | {"system": "lora-mpd", "value": 0.15},
                 absent | {"system": "base"}, absent | {"system": "lora-mpd"}],
        "differences": [row | {"system": "lora-mpd", "reference": "base", "supported": True}],
    }  # fmt: skip
    lines = images_table(figures).splitlines()
    cells = "0.200 [0.100, 0.300] | 0.150 [0.100, 0.300] *"
    assert f"| feature distance: whole image, kernel | {cells} |" in lines
    assert "| preference: hps_v2.1, score | – | – |" in lines
    assert lines[-1] == "- no value of hps_v2.1: weights: not here"
