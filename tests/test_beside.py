"""Comparison with other trainers, in USAGE.md: the settings and commands shown as ours exist."""

import re
import shlex
from pathlib import Path

import pytest
import typer

from fairhuman.__main__ import app
from fairhuman.commands._assignments import assignments
from fairhuman.training import TrainSettings

PAGE = (Path(__file__).parents[1] / "USAGE.md").read_text()
SECTION = PAGE.split("## Comparison with other trainers\n")[1].split("\n## ")[0]
LINES = [line for line in SECTION.splitlines() if line.startswith("|")][2:]
ROWS = [[cell.strip() for cell in line.strip("|").split("|")] for line in LINES]
OURS = sorted({call for row in ROWS for call in re.findall("`([^`]+)`", row[1])})


@pytest.mark.parametrize("row", ROWS, ids=[row[0] for row in ROWS])
def test_every_claim_is_of_one_kind_and_ours_is_shown(row):
    assert len(row) == 7
    for cell in row[1:]:
        assert re.match("(yes|part|no|not documented)\\b", cell), cell
    assert ("`" in row[1]) != (row[1] == "no")


@pytest.mark.parametrize("call", [call for call in OURS if call.startswith("--set ")])
def test_settings_exist_and_take_the_value(call):
    words = shlex.split(call)
    assert set(words[::2]) == {"--set"}
    TrainSettings.from_mapping({"data": "people", "output": "run"} | assignments(words[1::2]))


@pytest.mark.parametrize("call", [call for call in OURS if not call.startswith("--set ")])
def test_commands_and_their_options_exist(call):
    words, command = shlex.split(call), typer.main.get_command(app)
    while hasattr(command, "get_command"):
        command = command.get_command(typer.Context(command), words.pop(0))
    assert command is not None
    options = {option for known in command.params for option in known.opts}
    assert {word for word in words if word.startswith("-")} <= options
