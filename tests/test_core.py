"""The core alone: a wheel that needs torch and numpy, loads nothing else and changes nobody's environment."""

import ast
import doctest
import importlib
import re
import shutil
import subprocess
import sys
import venv
from importlib.metadata import distribution
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
CORE = ("fairhuman.fairness", "fairhuman.objectives", "fairhuman.regions")
SOURCES = [
    *(ROOT / "fairhuman/fairness").rglob("*.py"),
    *(ROOT / f"fairhuman/{n}.py" for n in ("objectives", "regions")),
]
EXAMPLE = next(
    block
    for block in re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
    if "fair_backward(" in block
)


def run(code, python=sys.executable, cwd=ROOT, *flags):
    done = subprocess.run([python, *flags, "-c", code], cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_core_imports_nothing_of_the_companion(path):
    imported = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            imported.update(name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            imported.add(node.module)
    ours = {name for name in imported if name.partition(".")[0] == "fairhuman"}
    assert {name for name in ours if not name.startswith(CORE)} == set()


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.stem)
def test_examples_in_docstrings_run(path):
    name = ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
    assert doctest.testmod(importlib.import_module(name)).failed == 0


def test_core_loads_no_more_than_torch_and_numpy():
    code = f"""
import sys, torch, numpy
before = set(sys.modules)
import {", ".join(CORE)}
print(*sorted({{name.partition(".")[0] for name in set(sys.modules) - before}}))
"""
    loaded = set(run(code).stdout.split()) - set(sys.stdlib_module_names)
    assert loaded <= {"fairhuman", "torch", "numpy"}


def test_importing_leaves_the_environment_alone():
    run(f"""
import logging, os, warnings, torch, numpy
before = dict(os.environ), logging.getLogger().level, list(warnings.filters)
import {", ".join(CORE)}
assert before == (dict(os.environ), logging.getLogger().level, list(warnings.filters))
""")


@pytest.mark.parametrize("call", ["tiny_pipeline()", "load_base()"])
def test_making_a_pipeline_is_silent_and_changes_no_logger(call):
    done = run(f"""
import logging, os
from fairhuman.models import load_base, tiny_pipeline
from transformers.utils.logging import get_verbosity
before = get_verbosity()
{call}
assert get_verbosity() == before
for name in ("transformers", "transformers.utils.import_utils"):
    assert not logging.getLogger(name).filters
assert "TRANSFORMERS_VERBOSITY" not in os.environ
""")
    assert done.stderr == ""


def pip(*arguments):
    call = [sys.executable, "-m", "pip", "--disable-pip-version-check", *map(str, arguments)]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def needed_by(*names):
    """The distributions that these need, themselves included."""
    found, asked = {}, list(names)
    while asked:
        name = asked.pop()
        if name not in found:
            found[name] = distribution(name)
            lines = map(Requirement, found[name].requires or ())
            asked += [
                line.name for line in lines if line.marker is None or line.marker.evaluate({"extra": ""})
            ]
    return found.values()


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    source = tmp_path_factory.mktemp("source")
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    weights = shutil.ignore_patterns("*.safetensors", "__pycache__")  # what takes long to compress
    shutil.copytree(ROOT / "fairhuman", source / "fairhuman", ignore=weights)
    pip("wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", source / "dist", source)
    (built,) = (source / "dist").glob("*.whl")
    return built


@pytest.fixture(scope="module")
def alone(wheel, tmp_path_factory):
    """An environment with the wheel, torch, numpy and what these two need; no index is asked."""
    folder = tmp_path_factory.mktemp("alone")
    venv.create(folder / "venv", symlinks=True)
    (site,) = (folder / "venv").glob("lib/python*/site-packages")
    (folder / "needed").mkdir()
    for one in needed_by("torch", "numpy"):
        for top in {path.parts[0] for path in one.files if path.parts[0] not in ("..", "__pycache__")}:
            link = folder / "needed" / top
            if not link.exists():
                link.symlink_to(one.locate_file(top))
    (site / "needed.pth").write_text(f"{folder / 'needed'}\n")
    python = folder / "venv/bin/python"
    pip("--python", python, "install", "--no-index", wheel)
    return python


def test_the_readme_example_runs_with_the_core_alone(alone, tmp_path):
    run(EXAMPLE, alone, tmp_path, "-I")


def test_the_core_alone_is_whole_and_says_what_else_it_could_use(alone, tmp_path):
    done = run(
        "\n".join(f"from {name} import *" for name in CORE)
        + """
import importlib.util
import fairhuman
from fairhuman import fairness
assert "site-packages" in fairhuman.__file__
assert importlib.util.find_spec("torchjd") is None
for name in (*STRATEGIES, "alpha_fair:4", "ls:1,2"):
    try:
        get_strategy(name)
    except ImportError as error:
        print(error)
try:
    fairness.AlphaFair
except ImportError as error:
    print(error)
""",
        alone,
        tmp_path,
        "-I",  # whatever else the path holds
    )
    install = "needs torchjd: pip install 'fairhuman[strategies]'"
    wanting = ("dwa", "uw", "rlw", "si", "famo", "fairgrad_official", "mgda", "upgrad", "modo", "pcd")
    expected = [*(f"Strategy `{name}` {install}" for name in wanting), f"`AlphaFair` {install}"]
    assert done.stdout.splitlines() == expected


def test_the_command_line_names_the_extra_that_it_needs(alone, tmp_path):
    done = subprocess.run([alone, "-I", "-m", "fairhuman"], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr == "fairhuman: the command line needs typer: pip install 'fairhuman[cli]'\n"
