"""A run is known again by the content of what it was made from; what a kill leaves is no other run."""

import json
from pathlib import Path
from types import SimpleNamespace

import pytest
from people import write_folder

from fairhuman.data import HumanFolder
from fairhuman.training import Run, TrainSettings
from fairhuman.training import _loop as loop
from fairhuman.training._inputs import fingerprint_inputs
from fairhuman.training._run import INPUTS_FILE, LOG_FILE, SETTINGS_FILE, check_output, write_settings


@pytest.fixture
def settings(tmp_path, base):
    write_folder(tmp_path / "people", count=2, size=(64, 64))
    (tmp_path / "first").write_bytes(b"weights")
    return TrainSettings(
        data=tmp_path / "people",
        base=str(base),
        output=tmp_path / "run",
        adapter="controlnet",
        start=str(tmp_path / "first"),
    )


def found(settings):
    return fingerprint_inputs(settings, HumanFolder(settings.data, conditions=settings.conditions), None)


@pytest.mark.parametrize("what", ["conditions", "start"])
def test_other_conditions_or_another_start_make_another_run(settings, what):
    before = found(settings)
    write_settings(Path(settings.output), settings, before)
    assert check_output(settings, found(settings)) is None
    if what == "start":
        Path(settings.start).write_bytes(b"others")
    else:
        path = HumanFolder(settings.data, conditions=settings.conditions).records[1].conditions["depth"]
        path.write_bytes(path.read_bytes() + b" ")
    after = found(settings)
    assert {name for name in before if before[name] != after[name]} == {what}
    assert f"its {what} was not what" in check_output(settings, after)
    older = {name: value for name, value in before.items() if name not in ("conditions", "start")}
    write_settings(Path(settings.output), settings, older)  # kept no fingerprint of them
    assert check_output(settings, after) is None


def test_a_run_killed_before_its_settings_were_there_can_begin(settings):
    folder = Path(settings.output)
    write_settings(folder, settings, found(settings))
    (folder / SETTINGS_FILE).rename(folder / f".{SETTINGS_FILE}.partial")
    assert check_output(settings) is None
    (folder / INPUTS_FILE).rename(folder / f".{INPUTS_FILE}.partial")
    assert check_output(settings) is None
    (folder / "diary.txt").write_text("dear diary")
    with pytest.raises(ValueError, match="holds something else"):
        check_output(settings)


def test_a_kill_while_inputs_are_written_again_leaves_the_old_ones(settings, monkeypatch):
    folder = Path(settings.output)
    write_settings(folder, settings, {"data": "a"})
    monkeypatch.setattr(Path, "replace", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
    with pytest.raises(KeyboardInterrupt):
        write_settings(folder, settings, {"data": "b"})
    assert json.loads((folder / INPUTS_FILE).read_text()) == {"data": "a"}


def test_files_of_a_run_that_are_damaged_are_named(settings):
    folder = Path(settings.output)
    write_settings(folder, settings, {"data": "a"})
    (folder / INPUTS_FILE).write_text("")
    with pytest.raises(ValueError, match=r"run: .*inputs.json must be a JSON object, got ''"):
        check_output(settings, {"data": "a"})
    (folder / LOG_FILE).write_bytes(b'{"step": 0}\n\0\0\xff\n{"step": 2}\n')
    with pytest.raises(ValueError, match=r"run: .*log.jsonl, line 2 must be a JSON object, got"):
        _ = Run(folder, settings).log


@pytest.mark.parametrize("main", [True, False])
def test_one_process_removes_and_all_wait_for_it(settings, main):
    write_settings(Path(settings.output), settings, {})
    waits = []
    trainer = loop.Trainer.__new__(loop.Trainer)
    trainer.run = Run(Path(settings.output), settings)
    trainer.accelerator = SimpleNamespace(is_main_process=main, wait_for_everyone=lambda: waits.append(1))
    trainer.remove_other()
    assert Path(settings.output).exists() != main and waits == [1]
    assert not list(Path(settings.output).parent.glob(".run*"))
