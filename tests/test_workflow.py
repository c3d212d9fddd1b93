"""The workflow on a small checkout of its own: stale or not, resumed or begun anew."""

import ast
import json
import os
import re
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import nbformat
import pytest

from fairhuman import workflow
from fairhuman.experiments.ablations import planned, summary_name
from fairhuman.profiles import load_profile
from fairhuman.workflow import STEPS, Step, executed_path, refresh_notebook, result_names, run_notebook

ROOT = Path(__file__).parents[1]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for folder in ("params", "notebooks", "fairhuman"):
        (tmp_path / folder).mkdir()
    (tmp_path / "params" / "quick.yaml").write_text("notebooks: {}")
    for part in ("part", "style"):
        (tmp_path / "fairhuman" / f"{part}.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAIRHUMAN_WORKSPACE", str(tmp_path))
    monkeypatch.setattr(
        workflow, "STEPS", {"00_first": Step(owns=("made",), uses=("part",), draws=("style",))}
    )
    return tmp_path


def write_notebook(checkout, code, parameters='profile = "quick"\ncount = 2'):
    cells = [
        nbformat.v4.new_code_cell(parameters, metadata={"tags": ["parameters"]}),
        nbformat.v4.new_code_cell(code),
    ]
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(
        nbformat.v4.new_notebook(cells=cells, metadata=kernel), checkout / "notebooks" / "00_first.ipynb"
    )


def test_a_notebook_runs_with_the_profile_s_values(checkout):
    write_notebook(checkout, "print(profile, count * 21)")
    (checkout / "params" / "big.yaml").write_text("notebooks: {00_first: {count: 4}}")
    executed = nbformat.read(run_notebook("00_first", "big"), as_version=4)
    assert executed.cells[-1].outputs[0].text == "big 84\n"


def test_a_notebook_knows_its_profile_and_nobody_else_does(checkout, monkeypatch):
    monkeypatch.delenv("FAIRHUMAN_PROFILE", raising=False)
    write_notebook(
        checkout, "from fairhuman.profiles import figures_directory\nprint(figures_directory().name)"
    )
    (checkout / "params" / "big.yaml").write_text("notebooks: {}")
    for profile, folder in (("big", "big"), ("quick", "figures")):
        executed = nbformat.read(run_notebook("00_first", profile), as_version=4)
        assert executed.cells[-1].outputs[0].text.strip() == folder
    assert "FAIRHUMAN_PROFILE" not in os.environ


def test_a_failure_names_the_copy_and_leaves_no_executed_notebook(checkout):
    write_notebook(checkout, "1 / 0")
    with pytest.raises(RuntimeError, match="00_first: ZeroDivisionError: .*unfinished.ipynb"):
        run_notebook("00_first")
    assert not executed_path("00_first", "quick").exists()


def test_what_a_step_made_is_kept_until_its_inputs_change(checkout):
    made = checkout / "runs" / "quick" / "made"
    write_notebook(
        checkout,
        "import pathlib\n"
        "folder = pathlib.Path('../runs/quick/made')\n"
        "folder.mkdir(exist_ok=True)\n"
        "print(len(list(folder.iterdir())))",
    )
    run_notebook("00_first")
    (made / "checkpoint").write_text("half way")

    def found():
        return nbformat.read(run_notebook("00_first"), as_version=4).cells[-1].outputs[0].text.strip()

    assert found() == "1"  # same inputs: goes on from what is there
    (checkout / "fairhuman" / "style.py").write_text("changed = True")
    assert found() == "1"  # only the drawing changed
    (checkout / "fairhuman" / "part.py").write_text("changed = True")
    assert found() == "0"  # the library changed: begun anew


def test_what_lies_beside_the_code_counts_as_code(checkout):
    package = checkout / "fairhuman"
    (package / "part.yaml").write_text("rules: 1")
    (package / "style.py").unlink()
    (package / "style").mkdir()
    for name in ("page.html", "page.py", "weights.bin"):
        (package / "style" / name).write_text("")
    found = [path.relative_to(package).as_posix() for path in workflow.sources("00_first")]
    assert found == ["part.py", "part.yaml", "style/page.html", "style/page.py"]


def test_a_notebook_is_refreshed_in_place(checkout):
    write_notebook(checkout, "print(count * 21)")
    path = refresh_notebook("00_first")
    notebook = nbformat.read(path, as_version=4)
    assert notebook.cells[-1].outputs[0].text == "42\n"
    assert [cell.execution_count for cell in notebook.cells] == [1, 2]
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


def test_a_failing_notebook_is_left_as_it_was(checkout):
    write_notebook(checkout, "1 / 0")
    path = checkout / "notebooks" / "00_first.ipynb"
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        refresh_notebook("00_first")
    assert path.read_bytes() == before


def test_an_unknown_notebook_is_refused(checkout):
    write_notebook(checkout, "")
    with pytest.raises(ValueError, match="unknown name '00_frist'; did you mean '00_first'"):
        run_notebook("00_frist")


def test_parameters_must_be_literals(checkout):
    write_notebook(checkout, "", parameters="profile = str(1)")
    with pytest.raises(ValueError, match="may hold `name = literal` only, found 'profile = str\\(1\\)'"):
        run_notebook("00_first")


def test_every_part_that_a_notebook_imports_can_make_it_stale():
    """Itself or through an earlier notebook; what only reads and writes results decides nothing."""
    known, missing = {}, set()
    for name, step in STEPS.items():
        known[name] = {f"{part}/" for part in step.uses + step.draws}.union(*(known[n] for n in step.after))
        parts = imported(ROOT / "notebooks" / f"{name}.ipynb") - {"checks", "profiles", "results"}
        missing |= {(name, part) for part in parts if not f"{part}/".startswith(tuple(known[name]))}
    assert not missing


def imported(notebook):
    """Parts of the library as ``STEPS`` names them, such as ``evaluation/statistics``."""
    cells = json.loads(notebook.read_text())["cells"]
    code = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    found = set()
    for node in ast.walk(ast.parse("\n".join(code))):
        if isinstance(node, ast.ImportFrom) and node.module.split(".")[0] == "fairhuman":
            homes = getattr(import_module(node.module), "_HOMES", {})
            for alias in node.names:
                part = ROOT / node.module.replace(".", "/") / homes.get(alias.name, alias.name)
                while not (part.is_dir() or part.with_suffix(".py").is_file()):
                    part = part.parent
                found.add(part.relative_to(ROOT / "fairhuman").as_posix())
    return found


def test_a_result_that_is_deleted_is_computed_again_alone(workspace):
    """As Snakemake plans it: the notebook or the run that writes it, and the notebooks that read it."""
    summaries = [summary_name(table) for table in workflow.parameter_defaults("07_ablations")["tables"]]
    assert result_names("07_ablations", load_profile("quick")) == summaries
    results = workspace / "results" / "full"
    (results / "ablations").mkdir(parents=True)
    executed_path("", "full").parent.mkdir(parents=True)
    made = [results / f"{result}.json" for result in planned("full")]
    for name in STEPS:
        made += [results / f"{result}.json" for result in result_names(name, load_profile("full"))]
        made.append(executed_path(name, "full"))
    later = time.time() + 3600  # than any change of the library
    for place, path in enumerate(made):
        path.touch()
        os.utime(path, (later + place, later + place))
    assert to_do() == set()
    for deleted in ("efficiency", "ablations-released", "ablations/mpd-seed1"):
        (results / f"{deleted}.json").unlink()
    readers = {"n07_ablations", "n10_figures", "n11_claims"}
    assert to_do() == {"n08_efficiency", "ablation_mpd_1", *readers}


def to_do():
    words = ["-s", str(ROOT / "Snakefile"), "-n", "--cores", "1", "--config", "profile=full"]
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *words], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"^(n\w+|ablation_\w+) +\d+$", done.stdout, re.MULTILINE))
