"""The workflow on a small checkout of its own: stale or not, resumed or begun anew."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path

import nbformat
import pytest
import yaml

from fairhuman import workflow
from fairhuman.experiments.ablations import PRIMARY, planned, summary_name
from fairhuman.profiles import load_profile
from fairhuman.workflow import (
    Step,
    executed_path,
    imported_modules,
    refresh_notebook,
    result_names,
    run_notebook,
    steps,
)
from fairhuman.workflow._steps import STEPS

ROOT = Path(__file__).parents[1]


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    for folder in ("params", "notebooks", "fairhuman"):
        (tmp_path / folder).mkdir()
    (tmp_path / "params" / "quick.yaml").write_text("notebooks: {}")
    for part in ("quiet", "sheet"):  # one makes, the other draws
        (tmp_path / "fairhuman" / f"{part}.py").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("FAIRHUMAN_WORKSPACE", str(tmp_path))
    monkeypatch.setattr("fairhuman.workflow._steps.STEPS", {"00_first": Step(owns=("made",))})
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
    made = checkout / "runs" / "quick" / "made" / "images"
    write_notebook(
        checkout,
        "import pathlib\n"
        "from fairhuman import quiet, sheet\n"
        "folder = pathlib.Path('../runs/quick/made/images')\n"
        "folder.mkdir(exist_ok=True, parents=True)\n"
        "(folder / 'sampling.json').touch()\n"
        "print(len(list(folder.iterdir())))",
    )
    run_notebook("00_first")
    (made / "000000.png").write_text("half way")
    (made.parent / "answers.json").write_text("a user's")

    def found():
        return nbformat.read(run_notebook("00_first"), as_version=4).cells[-1].outputs[0].text.strip()

    assert found() == "2"  # same inputs: goes on from what is there
    (checkout / "fairhuman" / "sheet.py").write_text("changed = True")
    assert found() == "2"  # only the drawing changed
    (checkout / "fairhuman" / "quiet.py").write_text("changed = True")
    assert found() == "1"  # the library changed: begun anew
    assert (made.parent / "answers.json").is_file()


RENDER = json.dumps({"file_name": "images/000000.png", "source": "render"})
PHOTOGRAPH = json.dumps({"file_name": "images/000000.png", "source": "photograph"})


@pytest.mark.parametrize(
    ("files", "removed"),
    [
        ({"train/metadata.jsonl": f"{RENDER}\n{RENDER}\n"}, True),
        ({"train/.partial/album.json": "{}", "train/images/000000.png": ""}, True),
        ({"settings.yaml": "", "inputs.json": ""}, True),
        ({"base-123/sampling.json": "{}"}, True),
        ({"train/metadata.jsonl": f"{RENDER}\n{PHOTOGRAPH}\n"}, False),
        ({"train/metadata.jsonl": PHOTOGRAPH, "train/.partial/album.json": "{}"}, False),
        ({"train/metadata.jsonl": '{"file_name": "a.png"}'}, False),
        ({"train/metadata.jsonl": "not a line of ours"}, False),
        ({"train/a.png": ""}, False),
        ({"settings.yaml": ""}, False),
    ],
)
def test_nothing_is_removed_that_does_not_carry_its_maker_s_mark(checkout, files, removed):
    """As on the first run of a profile, of which no fingerprint is known yet."""
    write_notebook(checkout, "")
    for name, text in files.items():
        path = checkout / "runs" / "quick" / "made" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    run_notebook("00_first")
    there = {name for name in files if (checkout / "runs" / "quick" / "made" / name).exists()}
    assert there == (set() if removed else set(files))


def test_a_linked_folder_is_left_alone(checkout, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    (elsewhere / "sampling.json").touch()
    write_notebook(checkout, "")
    (checkout / "runs" / "quick" / "made").mkdir(parents=True)
    (checkout / "runs" / "quick" / "made" / "images").symlink_to(elsewhere)
    run_notebook("00_first")
    assert (elsewhere / "sampling.json").is_file()


def test_what_lies_beside_the_code_counts_as_code(checkout):
    package = checkout / "fairhuman"
    write_notebook(checkout, "from fairhuman import quiet\nfrom fairhuman.style import page")
    (package / "quiet.yaml").write_text("rules: 1")
    (package / "style").mkdir()
    for name in ("page.css", "page.html", "page.js", "page.py", "weights.bin"):
        (package / "style" / name).write_text("")
    found = [path.relative_to(package).as_posix() for path in workflow.sources("00_first")]
    assert found == [
        "quiet.py",
        "quiet.yaml",
        "style/page.css",
        "style/page.html",
        "style/page.js",
        "style/page.py",
    ]


def test_a_notebook_is_refreshed_in_place(checkout):
    write_notebook(checkout, "print(count * 21)")
    path = refresh_notebook("00_first")
    notebook = nbformat.read(path, as_version=4)
    assert notebook.cells[-1].outputs[0].text == "42\n"
    assert [cell.execution_count for cell in notebook.cells] == [1, 2]
    assert set(notebook.metadata) == {"kernelspec", "language_info"}


def test_a_refresh_records_its_time_and_whether_runs_were_kept(checkout):
    write_notebook(checkout, "import time\ntime.sleep(0.3)")
    record = nbformat.read(refresh_notebook("00_first"), as_version=4).cells[0].metadata["run"]
    assert record["seconds"] >= 0.3 and record["processors"] >= 1
    assert (record["profile"], record["kept"]) == ("quick", False)
    made = checkout / "runs" / "quick" / "made"
    made.mkdir(parents=True)
    (made / "sampling.json").write_text("{}")
    record = nbformat.read(refresh_notebook("00_first"), as_version=4).cells[0].metadata["run"]
    assert record["kept"]


def test_a_picture_is_stored_once(checkout):
    write_notebook(checkout, "from PIL import Image\nImage.new('RGB', (4, 4))")
    notebook = nbformat.read(refresh_notebook("00_first"), as_version=4)
    assert "image/jpeg" in notebook.cells[-1].outputs[0].data
    assert "image/png" not in notebook.cells[-1].outputs[0].data


def test_a_widget_is_no_stored_output_but_its_table_is(checkout):
    view = "{'application/vnd.jupyter.widget-view+json': {'model_id': 'a'}, 'text/plain': 'Progress()'}"
    table = view.replace("'text/plain'", "'text/html': '<table/>', 'text/plain'")
    shown = "\n".join(f"display({output}, raw=True)" for output in (view, table))
    write_notebook(checkout, f"from IPython.display import display\n{shown}\nprint(1)")
    found = nbformat.read(refresh_notebook("00_first"), as_version=4).cells[-1].outputs
    assert [sorted(output.get("data", {"stream": 0})) for output in found] == [
        ["text/html", "text/plain"],
        ["stream"],
    ]


def test_a_failing_notebook_is_left_as_it_was(checkout):
    write_notebook(checkout, "1 / 0")
    path = checkout / "notebooks" / "00_first.ipynb"
    before = path.read_bytes()
    with pytest.raises(RuntimeError, match="ZeroDivisionError"):
        refresh_notebook("00_first")
    assert path.read_bytes() == before


def test_a_failing_notebook_leaves_result_and_figures_as_they_were(checkout):
    write_notebook(checkout, WRITING)
    refresh_notebook("00_first")
    stored, figure = checkout / "results/quick/first.json", checkout / "figures/first.txt"
    before = stored.read_bytes()
    write_notebook(checkout, WRITING.replace("{count}", "7").replace("[count]", "[7]") + "1 / 0")
    for run in (refresh_notebook, run_notebook):
        with pytest.raises(RuntimeError, match="ZeroDivisionError"):
            run("00_first")
        assert (stored.read_bytes(), figure.read_text()) == (before, "2 rows")
    write_notebook(checkout, WRITING.replace("{count}", "7"))
    run_notebook("00_first")
    assert figure.read_text() == "7 rows"


def test_an_unknown_notebook_is_refused(checkout):
    write_notebook(checkout, "")
    with pytest.raises(ValueError, match="unknown name '00_frist'; did you mean '00_first'"):
        run_notebook("00_frist")


def test_parameters_must_be_literals(checkout):
    write_notebook(checkout, "", parameters="profile = str(1)")
    with pytest.raises(ValueError, match="may hold `name = literal` only, got 'profile = str\\(1\\)'"):
        run_notebook("00_first")


FILES = {
    "__init__.py": "",
    "a.py": "from fairhuman import b\nfrom typing import TYPE_CHECKING\n"
            "if TYPE_CHECKING:\n    import fairhuman.unused",
    "b.py": "def later():\n    from fairhuman.folder import inner",
    "folder/__init__.py": "",
    "folder/inner.py": "from . import beside\nfrom ..top import name",
    "folder/beside.py": "import numpy",
    "top.py": "",
    "unused.py": "",
    "lazy/__init__.py": "_HOMES = {'one': 'first', 'two': 'second'}",
    "lazy/first.py": "import fairhuman.top",
    "lazy/second.py": "import fairhuman.unused",
}  # fmt: skip


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import fairhuman.a", "a b folder folder.inner folder.beside top"),
        ("from fairhuman.folder import beside", "folder folder.beside"),
        ("from fairhuman.lazy import one", "lazy lazy.first top"),
        ("from fairhuman import lazy\nlazy.two(1)", "lazy lazy.second unused"),
        ("from fairhuman import lazy as other\nother.one(1).two", "lazy lazy.first top"),
        ("import numpy", None),
    ],
)
def test_imports_are_followed(tmp_path, code, expected):
    for name, text in FILES.items():
        (tmp_path / "fairhuman" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "fairhuman" / name).write_text(text)
    wanted = set() if expected is None else {"fairhuman", *(f"fairhuman.{name}" for name in expected.split())}
    assert imported_modules(code, tmp_path) == wanted
    assert not imported_modules(code, tmp_path, without=["fairhuman"])
    if "fairhuman.b" in wanted:
        leaves = imported_modules(code, tmp_path, leaves=["fairhuman.b"])
        assert leaves == {"fairhuman", "fairhuman.a", "fairhuman.b"}


def test_what_a_notebook_imports_exists_and_can_make_it_stale():
    """All in one process: what each import loads that was not loaded before is among its sources,
    and every name that is taken from a module is there."""
    done = subprocess.run([sys.executable, "-c", LOADED], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    loaded = json.loads(done.stdout.splitlines()[-1])
    assert list(loaded) == list(steps())
    assert len(set().union(*loaded.values())) > 50
    for name, files in loaded.items():
        known = {path.relative_to(ROOT / "fairhuman").as_posix() for path in workflow.sources(name)}
        assert not set(files) - known - {"profiles.py", "results.py", "source.py"}, name


def test_what_only_judges_and_explores_makes_no_run_stale():
    """A change of an explorer's style repeats no training."""
    for name in steps():
        makers = {
            path.relative_to(ROOT / "fairhuman").parts[0] for path in workflow.sources(name, judging=False)
        }
        assert not makers & {"evaluation", "experiments", "explorers"}, name
    beside = {path.name for path in workflow.sources("04_train_lora")}
    assert {"prompt.py", "style.css"} <= beside


# What drawings import does not count: they come last.
LOADED = """
import ast, json, sys
from pathlib import Path
from types import ModuleType
seen, loaded, drawing, used = set(), {}, [], []
def run(node, names):
    exec(compile(ast.fix_missing_locations(ast.Module([node], [])), "notebook", "exec"), names)
for path in sorted(Path("notebooks").glob("*.ipynb")):
    cells = json.loads(path.read_text())["cells"]
    tree = ast.parse("\\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code"))
    names = {}
    for node in [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]:
        for alias in node.names:
            one = ast.ImportFrom(node.module, [alias], 0) if isinstance(node, ast.ImportFrom) else node
            draws = any(part in ast.unparse(one) for part in ("figures", "explorers"))
            drawing.append((one, names)) if draws else run(one, names)
    taken = [node for node in ast.walk(tree) if isinstance(node, ast.Attribute)]
    used += [(names, n.value.id, n.attr) for n in taken if isinstance(n.value, ast.Name)]
    now = {m.__file__ for n, m in sys.modules.items() if n.split(".")[0] == "fairhuman"}
    loaded[path.stem] = sorted(str(Path(f).relative_to(Path("fairhuman").resolve())) for f in now - seen)
    seen |= now
for one, names in drawing:
    run(one, names)
for names, module, name in used:  # such as figures.save
    if isinstance(names.get(module), ModuleType):
        getattr(names[module], name)
print(json.dumps(loaded))
"""


def test_a_notebook_follows_those_whose_runs_and_results_it_names():
    """As far as it names them by literals; what it reads by way of the library only `STEPS` can say."""
    made = {name: {*step.owns, *result_names(name, load_profile("quick"))} for name, step in steps().items()}
    for name in made:
        code = "\n".join(workflow._notebook.code_cells(name))
        named = set(re.findall(r'(?:run_directory|read_result)\(profile, f?"([\w-]+)', code))
        earlier = before(name)
        for other, things in made.items():
            assert other in {name, *earlier} or not named & things, (name, other)


def before(name):
    after = steps()[name].after
    return set(after).union(*(before(one) for one in after))


def test_steps_are_of_notebooks_that_come_before():
    names = list(steps())
    for name, step in STEPS.items():
        assert all(names.index(other) < names.index(name) for other in step.after)


def test_a_result_that_is_deleted_is_computed_again_alone(workspace):
    """As Snakemake plans it: the notebook or the run that writes it, and the notebooks that read it."""
    summaries = [summary_name(table) for table in workflow.parameter_defaults("07_ablations")["tables"]]
    assert result_names("07_ablations", load_profile("quick")) == [*summaries, summary_name(PRIMARY)]
    results = workspace / "results" / "full"
    (results / "ablations").mkdir(parents=True)
    executed_path("", "full").parent.mkdir(parents=True)
    made = [results / f"{result}.json" for result in planned("full")]
    for name in steps():
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
    done = snakemake("-n", "--cores", "1", "--config", "profile=full", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    return set(re.findall(r"^(n\w+|ablation_\w+) +\d+$", done.stdout, re.MULTILINE))


WRITING = """
from fairhuman.profiles import figures_directory
from fairhuman.results import write_result
folder = figures_directory()
folder.mkdir(parents=True, exist_ok=True)
(folder / "first.txt").write_text(f"{count} rows")
write_result(profile, "first", {"rows": [count]}, parameters={}, samples=1, seed=0)
"""


def test_a_workspace_anywhere_and_a_notebook_that_fails(tmp_path, monkeypatch):
    """The Snakefile as it is, on a checkout of one notebook."""
    checkout, home = tmp_path / 'my check\'out "é"', tmp_path / "my $HOME;work`space` ü"
    for folder in ("params", "notebooks"):
        (checkout / folder).mkdir(parents=True)
    home.mkdir()
    (checkout / "params" / "quick.yaml").write_text("notebooks: {}")
    write_notebook(checkout, WRITING)
    monkeypatch.setenv("FAIRHUMAN_WORKSPACE", str(home))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    stored = home / "results" / "quick" / "first.json"

    done = snakemake("--cores", "1", cwd=checkout)
    assert done.returncode == 0, done.stderr
    assert json.loads(stored.read_text())["values"] == {"rows": [2]}
    assert (home / "runs" / "quick" / "notebooks" / "00_first.ipynb").is_file()
    assert {path.name for path in tmp_path.iterdir()} == {checkout.name, home.name}

    assert (home / "figures" / "first.txt").read_text() == "2 rows"

    before, log = stored.read_bytes(), home / "runs" / "quick" / "notebooks" / "00_first.log"
    write_notebook(checkout, WRITING.replace("count]", "7]").replace("{count}", "7") + "1 / 0")
    for _ in range(2):  # it stays stale
        done = snakemake("--cores", "1", cwd=checkout)
        assert done.returncode != 0 and "ZeroDivisionError" in log.read_text()
        assert stored.read_bytes() == before
        assert (home / "figures" / "first.txt").read_text() == "2 rows"
        assert {path.suffix for path in log.parent.iterdir()} == {".ipynb", ".inputs", ".log"}


def test_a_cluster_profile_is_taken_up_by_a_dry_run():
    """For want of a queue its executor is replaced; tests/test_queue.py has one."""
    profile = ROOT / "cluster" / "slurm"
    assert yaml.safe_load((profile / "config.yaml").read_text())["executor"] == "slurm"
    words = ["ablations", "-n", "-e", "dryrun", "--forceall", "--workflow-profile", str(profile)]
    done = snakemake(*words, "--config", "profile=paper", cwd=ROOT)
    assert done.returncode == 0, done.stderr
    jobs = set(re.findall(r"^ablation_\w+(?= +1$)", done.stdout, re.MULTILINE))
    assert len(jobs) == len(planned("paper"))


def snakemake(*words, cwd):
    call = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), *words]
    return subprocess.run(call, cwd=cwd, capture_output=True, text=True)
