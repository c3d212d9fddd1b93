"""What made the stored results: committed code, and the same for all rows of a table, or it is said."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from fairhuman.__main__ import app
from fairhuman.experiments.ablations import TABLES, summary_name
from fairhuman.experiments.figures import ablation_markdown
from fairhuman.experiments.recompute import recompute
from fairhuman.results import list_results, read_result, rederive_result, write_result
from fairhuman.source import library_digest, source_digest

ROOT = Path(__file__).parents[1]

MODIFIED = {
    "base/judgement",
    "base/progress",
    "base/training",
    "benchmarks/amortisation",
    "benchmarks/diffusers_script",
    "benchmarks/gramians",
    "benchmarks/metric_order",
    "benchmarks/step_cost",
    "benchmarks/table1",
    "reader/training",
}
"""Made by code that was not committed. A new run mends one; it then leaves this list, which never grows."""


def test_no_other_result_was_made_by_uncommitted_code():
    assert {row["name"] for row in list_results() if row["modified"] is not False} == MODIFIED


def test_results_older_than_the_code_s_digest_are_few_and_their_commits_known():
    """A result says which code made it: by digest, or in those made before there was one by its commit."""
    for row in list_results():
        assert re.fullmatch(r"[0-9a-f]{16}|[0-9a-f]{40}", row["code"] or row["commit"] or ""), row["name"]


def test_a_copy_of_a_run_has_the_run_s_provenance():
    for path in (ROOT / "results" / "full" / "ablations").glob("*.json"):
        stored = json.loads(path.read_text())
        same = stored["parameters"].get("same_as")
        if same is not None:
            made = read_result("full", same)
            assert (stored["values"], stored["provenance"]) == (made["values"], made["provenance"])
    by_inputs = {}
    for path in sorted((ROOT / "results" / "full" / "ablations").glob("*.json")):
        stored = json.loads(path.read_text())
        by_inputs.setdefault(stored["parameters"]["inputs"], []).append(stored)
    for twins in by_inputs.values():
        assert len({one["provenance"]["commit"] for one in twins}) == 1


@pytest.mark.parametrize("table", TABLES)
def test_a_table_of_several_versions_of_the_code_says_so(table):
    try:
        told = read_result("full", summary_name(table))["values"]
    except FileNotFoundError:
        pytest.skip("not stored")
    said = f"The runs are of {len(told['code'])} versions of the code" in ablation_markdown(told)
    assert told["code"] and said == (len(told["code"]) > 1)


@pytest.mark.slow
def test_stored_tables_and_fits_follow_from_the_stored_raw_values(tmp_path, monkeypatch):
    """Every difference, interval and fit again, from the losses, images and gradients in the repository."""
    import shutil

    shutil.copytree(ROOT / "results", tmp_path / "results")
    monkeypatch.setenv("FAIRHUMAN_WORKSPACE", str(tmp_path))
    for profile in ("full", "quick"):
        for path in recompute(profile):
            stored = json.loads((ROOT / path.relative_to(tmp_path)).read_text())
            again = dict(_leaves(json.loads(path.read_text())["values"]))
            kept = dict(_leaves(stored["values"]))
            assert again.keys() == kept.keys(), path.name
            for place, value in kept.items():
                # The order of a sum depends on the number of threads.
                near = pytest.approx(value, rel=1e-9, abs=1e-12) if isinstance(value, float) else value
                assert again[place] == near, f"{path.name}{place}"


def _leaves(value, place=""):
    """The numbers, words and nothings of nested JSON, each by its place."""
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(part, f"{place}/{key}")
    else:
        yield place, value


def test_what_follows_from_stored_values_keeps_the_provenance_of_what_was_measured(workspace):
    write_result("quick", "made", {"raw": [1, 2], "mean": 9}, parameters={}, samples=2, seed=0)
    measured = read_result("quick", "made")["provenance"]
    rederive_result("quick", "made", {"mean": 1.5})
    found = read_result("quick", "made")
    assert found["values"] == {"raw": [1, 2], "mean": 1.5} and found["provenance"] == measured
    assert found["rederived"]["values"] == ["mean"] and found["rederived"]["code"] == library_digest()
    with pytest.raises(ValueError, match="values: must be among .*, got 'median'"):
        rederive_result("quick", "made", {"median": 1})


def test_a_digest_sees_what_code_does_and_nothing_else(tmp_path):
    def digest(text, name="a.py"):
        folder = tmp_path / f"{len(list(tmp_path.iterdir()))}"
        folder.mkdir()
        (folder / name).write_text(text)
        return source_digest(folder.glob("*.py"), folder)

    plain = digest("def f(x):\n    return x + 1\n")
    assert digest('"""Doc."""\n\n\ndef f(x):  # adds\n    """Add."""\n\n    return (x + 1)\n') == plain
    others = [
        "def f(x):\n    return x + 2\n",
        "def f(x):\n    return x - 1\n",
        "def g(x):\n    return x + 1\n",
        "def f(x, y=None):\n    return x + 1\n",
        "def f(x):\n    return x + True\n",
    ]
    found = [digest(text) for text in others] + [digest("def f(x):\n    return x + 1\n", "b.py")]
    assert len({plain, *found}) == 7


def test_a_result_names_the_code_that_made_it(workspace):
    write_result("quick", "made", {}, parameters={}, samples=1, seed=0)
    (row,) = list_results()
    assert row["name"] == "quick/made" and row["code"] == library_digest() and len(row["code"]) == 16
    said = CliRunner().invoke(app, ["provenance"]).output
    assert "quick/made" in said and "this code" in said


def test_modified_results_are_listed(workspace):
    write_result(
        "quick", "made", {}, parameters={}, samples=1, seed=0, made={"modified": True, "commit": "abc"}
    )
    write_result(
        "quick", "clean", {}, parameters={}, samples=1, seed=0, made={"modified": False, "commit": "abc"}
    )
    said = CliRunner().invoke(app, ["provenance", "--modified"]).output
    assert "quick/made" in said and "quick/clean" not in said
    assert "1 of 2 results come from uncommitted code" in said
