"""Every Python block of the README runs, in order, in one folder; every command it names exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text()
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = sorted(set(re.findall(r"python -m fairhuman ((?:train )?[a-z-]+)", README)))
TARGETS = sorted(set(re.findall(r"`?make ([a-z]+)", README)))


@pytest.mark.parametrize("target", TARGETS)
def test_make_targets_exist(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_exist(command):
    call = [sys.executable, "-m", "fairhuman", *command.split(), "--help"]
    assert subprocess.run(call, capture_output=True, check=False).returncode == 0


def test_linked_files_exist():
    links = re.findall(r"\]\(([^)#:]+)\)", README) + re.findall(r'src="([^":]+)"', README)
    assert [link for link in links if not (ROOT / link).exists()] == []
