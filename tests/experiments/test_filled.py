"""Numbers on the pages are the stored ones."""

import json
from pathlib import Path

import pytest

from fairhuman.experiments.filled import MARK, filled, filled_page
from fairhuman.experiments.paths import enter

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("page", ["README.md", "RESULTS.md", "USAGE.md"])
def test_the_pages_are_filled_in(page):
    text = (ROOT / page).read_text()
    assert MARK.search(text)
    assert filled(text, ROOT) == text


DIFFERENCES = ("share", "change", "points")


@pytest.mark.parametrize("page", ["README.md", "RESULTS.md"])
def test_the_pages_name_the_level_of_every_difference_that_they_show(page):
    """Those of the plan's comparisons are not 95 %."""
    text = (ROOT / page).read_text()
    levels = set()
    for _, file, path, style, _ in MARK.findall(text):
        if style in DIFFERENCES:
            row = enter(json.loads((ROOT / file).read_text()), path)
            levels.add(row.get("level", 0.95))
    assert len(levels) > 1
    assert [level for level in levels if f"{100 * level:.5g} %" not in text] == []


NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("notebook", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_notebooks_text_is_filled_in(notebook):
    assert filled_page(notebook, ROOT) == notebook.read_text()


def test_of_a_notebook_the_text_alone_is_filled_in(tmp_path):
    mark = "<!-- value: a.json values.0 .0% -->?<!-- /value -->"
    cells = [{"cell_type": kind, "source": [f"{mark}\n", "α"]} for kind in ("markdown", "code")]
    (tmp_path / "a.json").write_text(json.dumps({"values": [0.25]}))
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": cells}))
    text, code = json.loads(filled_page(tmp_path / "n.ipynb", tmp_path))["cells"]
    assert code["source"] == cells[1]["source"]
    assert text["source"] == [f"{mark.replace('?', '25 %')}\n", "α"]


@pytest.mark.parametrize("value", [0.25, 0.5])
def test_a_changed_value_changes_the_text(tmp_path, value):
    (tmp_path / "a.json").write_text(json.dumps({"values": [value]}))
    text = filled("<!-- value: a.json values.0 .0% -->?<!-- /value -->", tmp_path)
    assert f"-->{100 * value:.0f} %<!--" in text


def test_unknown_paths_are_refused_by_name(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(ValueError, match=r"path: must be in a\.json, got values\.0"):
        filled("<!-- value: a.json values.0 .0% -->?<!-- /value -->", tmp_path)


ROWS = {
    "values": [
        {"of": "face", "in": "all", "value": 0.2, "share": 0.1, "low": 0.1, "high": 0.4, "found": True},
        {"of": "hand", "in": "all", "value": -0.2, "share": -0.1, "low": -0.4, "high": 0.1, "found": False},
        {
            "of": "eyes",
            "value": 0.5,
            "low": 0.4,
            "high": 0.6,
            "change": 0.1,
            "change_low": -0.1,
            "change_high": 0.3,
        },
    ],
    "other": {"0.5 to 1": [1, 2, 6]},
}


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("values.of=face share", "10.0 % [5.0, 20.0]"),
        ("values.of=face,in=all points", "20 points [10, 40]"),
        ("values.of=hand rate", "−20 % [−40, 10]"),
        ("values.of=hand change", "−10.0 % [−20.0, 5.0]"),
        ("values.of=face change", "+10.0 % [5.0, 20.0]"),
        ("values.of=eyes points", "10 points [−10, 30]"),
        ("values.of=eyes rate", "50 % [40, 60]"),
        ("values.rows:in=all found", "50 % [9, 91]"),
        ("values.rows:in=all count", "2"),
        ("values count", "3"),
        (r"other.0\.5 to 1 median", "2.000"),
    ],
)
def test_a_row_is_chosen_by_what_it_says(tmp_path, path, shown):
    (tmp_path / "a.json").write_text(json.dumps(ROWS))
    assert f"-->{shown}<!--" in filled(f"<!-- value: a.json {path} -->?<!-- /value -->", tmp_path)


@pytest.mark.parametrize(
    ("path", "rule"),
    [
        ("values.in=all share", "in=all has 2 rows"),
        ("values.of=foot share", "of=foot has 0 rows"),
        ("values.rows:of=foot count", "rows:of=foot has 0 rows"),
        ("values.of=hand share", "share must have an interval without zero"),
    ],
)
def test_what_names_no_single_supported_row_is_refused(tmp_path, path, rule):
    (tmp_path / "a.json").write_text(json.dumps(ROWS))
    with pytest.raises(ValueError, match=rule):
        filled(f"<!-- value: a.json {path} -->?<!-- /value -->", tmp_path)
