"""The environment is described twice, for pip and for conda; both must mean the same."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
PINNED = PROJECT["dependencies"] + PROJECT["optional-dependencies"]["dev"]


def conda_pins():
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    return next(entry["pip"] for entry in entries if isinstance(entry, dict))


def test_conda_and_pip_agree():
    requirements = [pin for pin in conda_pins() if not pin.startswith("--")]
    assert sorted(requirements) == sorted(PINNED)


def test_every_dependency_is_pinned():
    assert [pin for pin in PINNED if not re.fullmatch(r"[\w.-]+(\[[\w,-]+\])?==[\w.]+", pin)] == []


def test_constraints_hold_every_pin():
    constraints = dict(
        line.lower().split("==")
        for line in (ROOT / "constraints.txt").read_text().splitlines()
        if "==" in line
    )
    for pin in PINNED:
        name, version = re.sub(r"\[.*\]", "", pin).lower().split("==")
        assert constraints[name] == version


def test_python_versions_agree():
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    minor = int(next(e for e in entries if isinstance(e, str) and e.startswith("python=")).split(".")[1])
    low, high = map(int, re.fullmatch(r">=3\.(\d+),<3\.(\d+)", PROJECT["requires-python"]).groups())
    assert low <= minor < high


@pytest.mark.parametrize("name", ["LICENSE", "CITATION.cff", "README.md"])
def test_files_for_strangers_exist(name):
    assert (ROOT / name).stat().st_size > 500
