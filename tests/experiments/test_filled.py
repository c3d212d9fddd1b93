"""Numbers on the pages are the stored ones."""

import json
from pathlib import Path

import pytest

from fairhuman.experiments.filled import MARK, filled

ROOT = Path(__file__).parents[2]


def test_the_readme_is_filled_in():
    text = (ROOT / "README.md").read_text()
    assert MARK.search(text)
    assert filled(text, ROOT) == text


@pytest.mark.parametrize("value", [0.25, 0.5])
def test_a_changed_value_changes_the_text(tmp_path, value):
    (tmp_path / "a.json").write_text(json.dumps({"values": [value]}))
    text = filled("<!-- value: a.json values.0 .0% -->?<!-- /value -->", tmp_path)
    assert f"-->{value:.0%}<!--" in text


def test_unknown_paths_are_refused_by_name(tmp_path):
    (tmp_path / "a.json").write_text("{}")
    with pytest.raises(ValueError, match=r"path: must be in a\.json, got values\.0"):
        filled("<!-- value: a.json values.0 .0% -->?<!-- /value -->", tmp_path)
