import json
import subprocess

import numpy as np
import pytest
import torch

from fairhuman import results
from fairhuman.results import provenance, read_result, write_result


def test_a_result_says_how_it_was_obtained(workspace):
    path = write_result(
        "quick",
        "rates",
        {"face": np.float32(0.5), "w": torch.ones(2)},
        parameters={"steps": 3},
        samples=4,
        seed=7,
    )
    assert path == workspace / "results" / "quick" / "rates.json"
    result = read_result("quick", "rates")
    assert result["values"] == {"face": 0.5, "w": [1.0, 1.0]}
    assert (result["parameters"], result["samples"], result["seed"]) == ({"steps": 3}, 4, 7)
    assert result["provenance"]["versions"]["torch"].startswith("2.")


def test_the_file_is_plain_json_with_lists_on_one_line(workspace):
    figures = {"rows": [[1, 2], [3.5, None]], "names": ["a [1,  2]", "b"], "empty": []}
    path = write_result("quick", "lists", figures, parameters={}, samples=1, seed=0)
    assert json.loads(path.read_text())["values"] == figures
    assert "[3.5, null]" in path.read_text()


def test_nothing_is_left_half_written(workspace):
    write_result("quick", "rates", {"face": 1}, parameters={}, samples=1, seed=0)
    with pytest.raises(TypeError, match="object"):
        write_result("quick", "rates", {"face": object()}, parameters={}, samples=1, seed=0)
    assert read_result("quick", "rates")["values"] == {"face": 1}
    assert [path.name for path in (workspace / "results" / "quick").iterdir()] == ["rates.json"]


def test_non_finite_numbers_are_null(workspace):
    path = write_result("quick", "rates", {"face": float("inf")}, parameters={}, samples=1, seed=0)
    assert json.loads(path.read_text())["values"]["face"] is None


def test_a_result_without_samples_is_refused(workspace):
    with pytest.raises(ValueError, match="samples: must be at least 1, got 0"):
        write_result("quick", "rates", {}, parameters={}, samples=0, seed=0)


def test_a_missing_result_is_named_with_what_computes_it(workspace):
    with pytest.raises(FileNotFoundError, match=r"results/quick/nothing\.json: .*PROFILE=quick` computes it"):
        read_result("quick", "nothing")
    with pytest.raises(FileNotFoundError, match=r"results/benchmarks/nothing\.json: no such result$"):
        read_result("benchmarks", "nothing")  # no profile, so no command


def test_what_git_does_not_tell_is_not_made_up(monkeypatch):
    monkeypatch.setenv("PATH", "")
    found = provenance()
    assert found["commit"] is None and found["modified"] is None


def _notebook(source, *outputs, text="Why."):
    code = {"cell_type": "code", "source": source, "outputs": outputs}
    return json.dumps({"cells": [{"cell_type": "markdown", "source": text}, code]})


@pytest.mark.parametrize(
    ("name", "text", "modified"),
    [
        ("notebooks/00.ipynb", _notebook("1 + 1", "2"), False),
        ("notebooks/00.ipynb", _notebook("1 + 1", text="It took a minute."), False),
        ("notebooks/00.ipynb", _notebook("1 + 2"), True),
        ("notebooks/00.ipynb", '{"cells": [', True),
        ("notebooks/00.ipynb", None, True),
        ("params/quick.yaml", "steps: 2\n", True),
        ("README.md", "Another.\n", False),
        ("notebooks/01.ipynb", _notebook("1"), False),  # not tracked: no stored result can be of it
    ],
)
def test_other_outputs_are_no_other_code(tmp_path, monkeypatch, name, text, modified):
    def git(*words):
        subprocess.run(["git", "-c", "user.name=a", "-c", "user.email=a@b", *words], cwd=tmp_path, check=True)

    for folder in ("notebooks", "params", "fairhuman"):
        (tmp_path / folder).mkdir()
    (tmp_path / "notebooks" / "00.ipynb").write_text(_notebook("1 + 1"))
    (tmp_path / "params" / "quick.yaml").write_text("steps: 1\n")
    (tmp_path / "README.md").write_text("One.\n")
    git("init", "--quiet")
    git("add", ".")
    git("commit", "--quiet", "--message", "All")
    monkeypatch.setattr(results, "ROOT", tmp_path)
    assert provenance()["modified"] is False
    path = tmp_path / name
    path.write_text(text) if text is not None else path.unlink()
    assert provenance()["modified"] is modified
