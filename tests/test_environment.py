"""What is installed: ranges for those who use the core, one lock for everything here, the same for conda."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
ASKED = [Requirement(line) for lines in (PROJECT["dependencies"], *EXTRAS.values()) for line in lines]
LOCKS = [ROOT / f"requirements/{name}.lock" for name in ("all", "site", "cuda", "cpu")]


def pins(path):
    """Locked requirement and its hashes, as pip reads them."""
    text = re.sub(r"(?m)^#.*$", "", path.read_text()).replace("\\\n", " ")
    for line in filter(None, map(str.strip, text.splitlines())):
        requirement, *hashes = line.split("--hash=")
        yield Requirement(requirement.strip()), [value.strip() for value in hashes]


def test_core_needs_torch_and_numpy_only():
    assert {Requirement(line).name for line in PROJECT["dependencies"]} == {"torch", "numpy"}


def test_extras_are_ranges_but_for_mediapipe():
    pinned = {asked.name for asked in ASKED if "==" in str(asked.specifier)}
    assert pinned == {"mediapipe"}


def test_every_requirement_is_locked_in_a_version_that_it_allows():
    locked = {canonicalize_name(pin.name): pin for lock in LOCKS[:2] for pin, _ in pins(lock)}
    for asked in ASKED:
        if asked.name != "fairhuman":
            (version,) = [one.version for one in locked[canonicalize_name(asked.name)].specifier]
            assert version in asked.specifier, asked


@pytest.mark.parametrize("lock", LOCKS, ids=lambda path: path.name)
def test_every_lock_entry_is_one_version_with_hashes(lock):
    for pin, hashes in pins(lock):
        assert re.fullmatch(r"==[\w.+]+", str(pin.specifier)), pin
        assert hashes, pin
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", value) for value in hashes), pin
    assert "://" not in lock.read_text()


def test_both_builds_of_torch_are_of_one_version():
    versions = {
        str(pin.specifier).partition("+")[0] for lock in LOCKS for pin, _ in pins(lock) if pin.name == "torch"
    }
    assert len(versions) == 1


def test_conda_installs_what_is_locked():
    entries = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    *listed, folder = next(entry["pip"] for entry in entries if isinstance(entry, dict))
    assert [str(Requirement(line)) for line in listed] == [str(pin) for pin, _ in pins(LOCKS[0])]
    assert folder == "--editable ."
    (python,) = [entry for entry in entries if isinstance(entry, str) and entry.startswith("python=")]
    assert python.removeprefix("python=") in ("3.11", "3.12")


@pytest.mark.parametrize("name", ["LICENSE", "CITATION.cff", "README.md"])
def test_files_for_strangers_exist(name):
    assert (ROOT / name).stat().st_size > 500
