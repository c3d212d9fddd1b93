"""A run that is asked to end, killed, damaged or diverged: nothing is lost, and what is found is said."""

import json
import os
import signal

import pytest
import torch
from people import write_folder
from safetensors.torch import load_file
from typer.testing import CliRunner

from fairhuman.__main__ import app
from fairhuman.data import HumanFolder, JointTransform
from fairhuman.files import owned
from fairhuman.models import load_base
from fairhuman.sampling import sample_file
from fairhuman.training import Run, TrainSettings, adapter_at, checkpoint_at, train
from fairhuman.training import _loop as loop
from fairhuman.training import _objectives as objectives
from fairhuman.training._agreement import check_agreement
from fairhuman.training._suitability import check_suitability

STATUS = {signal.SIGTERM: 143, signal.SIGUSR1: 138}


@pytest.fixture
def said(caplog):
    """What is said, a line for each message."""
    caplog.set_level("INFO", logger="fairhuman")

    def lines():
        found = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return found

    return lines


@pytest.fixture
def at_step(monkeypatch):
    """Have something happen in the middle of a step, once."""

    def arrange(step, happen):
        advance = loop.Trainer.advance
        pending = [happen]

        def interrupted(self):
            if self.step == step and pending:
                pending.pop()()
            return advance(self)

        monkeypatch.setattr(loop.Trainer, "advance", interrupted)

    return arrange


def send(number):
    return lambda: os.kill(os.getpid(), number)


def assert_same(first, second):
    first, second = load_file(first.weights), load_file(second.weights)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


@pytest.mark.parametrize("number", [signal.SIGINT, *STATUS])
def test_a_signal_ends_a_run_with_a_checkpoint(values, tmp_path, at_step, said, number):
    whole = train(TrainSettings(**values))
    assert any("run: new, 6 steps" in line for line in said())
    settings = TrainSettings(**values | {"output": str(tmp_path / "cut")})
    before = {one: signal.getsignal(one) for one in (signal.SIGINT, *STATUS)}
    at_step(2, send(number))
    with pytest.raises(BaseException) as ended:  # noqa: PT011 - what it is follows
        train(settings)
    assert ended.type is KeyboardInterrupt if number == signal.SIGINT else ended.value.code == STATUS[number]
    assert {one: signal.getsignal(one) for one in before} == before
    assert any(f"{number.name}: ends after this step" in line for line in said())
    assert [path.name for path in (tmp_path / "cut/checkpoints").iterdir()] == ["step-00000003.safetensors"]
    resumed = train(settings)
    assert any("cut: continues from step 3 of 6" in line for line in said())
    assert_same(whole, resumed)
    assert [line["step"] for line in resumed.log] == list(range(6))
    assert train(settings) == resumed and any("cut: finished before" in line for line in said())


def test_a_command_ends_with_the_status_of_the_signal(values, at_step):
    words = [f"--set={name}={value}" for name, value in values.items()]
    for number, status in ((signal.SIGTERM, 143), (signal.SIGINT, 130)):
        at_step(1 if number == signal.SIGTERM else 3, send(number))
        assert CliRunner().invoke(app, ["train", "lora", *words]).exit_code == status
    assert CliRunner().invoke(app, ["train", "lora", *words]).exit_code == 0


def test_steps_without_a_checkpoint_are_made_again_and_that_is_said(values, at_step, said):
    class Killed(BaseException):
        pass

    def kill():
        raise Killed

    at_step(3, kill)
    with pytest.raises(Killed):
        train(TrainSettings(**values))
    said()
    run = train(TrainSettings(**values))
    assert any("has no checkpoint; its 3 steps are made again, of 6" in line for line in said())
    assert len(run.log) == 6


def test_checkpoints_come_by_the_clock(values):
    run = train(TrainSettings(**values, checkpoint_minutes=1e-9))
    kept = sorted(path.name for path in (run.directory / "checkpoints").iterdir())
    assert kept == ["step-00000005.safetensors", "step-00000006.safetensors"]
    again = train(TrainSettings(**values | {"output": values["output"] + "-2"}, checkpoint_minutes=0))
    assert not (again.directory / "checkpoints").exists()


def test_two_runs_do_not_share_a_folder(values, tmp_path):
    busy = rf"output: another run is working on .*run.*process {os.getpid()} on"
    with owned(tmp_path / "run", "output"), pytest.raises(ValueError, match=busy):
        train(TrainSettings(**values))
    assert not (tmp_path / "run").exists()
    run = train(TrainSettings(**values))
    assert not (run.directory / ".lock").exists()


def test_a_damaged_checkpoint_is_passed_over(values, tmp_path, at_step, said):
    whole = train(TrainSettings(**values))
    settings = TrainSettings(**values | {"output": str(tmp_path / "cut"), "checkpoint_every": 2})
    at_step(4, send(signal.SIGTERM))
    with pytest.raises(SystemExit):
        train(settings)
    newest = tmp_path / "cut/checkpoints/step-00000005.safetensors"
    data = bytearray(newest.read_bytes())
    data[-5] ^= 1
    newest.write_bytes(data)
    said()
    resumed = train(settings)
    first, second = [line for line in said() if "cut" in line and "images" not in line][:2]
    assert "cannot read" in first and "its content is not what was written" in first
    assert "continues from step 4 of 6" in second
    assert newest.with_name(f"{newest.name}.damaged").is_file()
    assert_same(whole, resumed)


def test_settings_that_change_no_result_may_change(values, tmp_path, at_step):
    whole = train(TrainSettings(**values))
    values |= {"output": str(tmp_path / "cut")}
    at_step(2, send(signal.SIGTERM))
    with pytest.raises(SystemExit):
        train(TrainSettings(**values))
    changed = {"checkpoint_every": 1, "checkpoint_minutes": 5, "keep_checkpoints": 3, "cache": False}
    assert_same(whole, train(TrainSettings(**values, **changed, skip_limit=3)))
    with pytest.raises(ValueError, match="contains another run: steps is 6 there, 7 here"):
        train(TrainSettings(**values | {"steps": 7}))


def test_a_divergence_may_be_answered_and_the_answer_is_recorded(values, monkeypatch, said):
    values |= {"checkpoint_every": 2, "skip_limit": 1}
    losses, sick = objectives.regional_losses, []
    monkeypatch.setattr(
        objectives,
        "regional_losses",
        lambda *a, **o: {k: v * (sick and float("nan") or 1) for k, v in losses(*a, **o).items()},
    )
    advance = loop.Trainer.advance

    def sicken(self):
        sick[:] = [1] if self.step == 3 and self.settings.learning_rate == 1e-2 else []
        return advance(self)

    monkeypatch.setattr(loop.Trainer, "advance", sicken)
    with pytest.raises(FloatingPointError):
        train(TrainSettings(**values))
    run = Run.open(values["output"])
    assert run.failure.startswith("FloatingPointError at step 3: training: loss or gradient not finite")
    with pytest.raises(ValueError, match="contains another run: seed is 3 there, 4 here"):
        train(TrainSettings(**values | {"seed": 4, "learning_rate": 1e-3}))
    done = train(TrainSettings(**values | {"learning_rate": 1e-3, "steps": 5, "accumulation": 2}))
    assert [line["learning_rate"] for line in done.log] == [1e-2] * 2 + [1e-3] * 3
    assert done.changes == [
        {
            "step": 2,
            "after": run.failure or done.changes[0]["after"],
            "from": {"steps": 6, "accumulation": 1, "learning_rate": 1e-2},
            "to": {"steps": 5, "accumulation": 2, "learning_rate": 1e-3},
        }
    ]
    assert "FloatingPointError" in done.changes[0]["after"] and done.failure is None
    assert "'from': {'steps': 6" in (done.directory / "README.md").read_text()
    with pytest.raises(ValueError, match="contains another run: learning_rate is 0.001 there"):
        train(TrainSettings(**values | {"steps": 5, "accumulation": 2}))


@pytest.mark.parametrize("kind", ["lora", "t2i-adapter", "mole"])
def test_a_checkpoint_is_sampled_from_and_started_from(values, base, people, tmp_path, at_step, kind):
    values |= {"adapter": kind, "checkpoint_every": 1}
    if kind == "t2i-adapter":
        del values["rank"]
    at_step(2, send(signal.SIGTERM))
    with pytest.raises(SystemExit):
        train(TrainSettings(**values))
    file = checkpoint_at(values["output"])
    assert file.name == "step-00000003.safetensors"
    assert checkpoint_at(file) == file and checkpoint_at(people) is checkpoint_at(None) is None
    whole = train(TrainSettings(**values | {"output": str(tmp_path / "three"), "steps": 3}))
    assert checkpoint_at(whole.directory) is None
    adapter = adapter_at(load_base(base), file)
    for name, saved in trained(whole, base).items():
        assert torch.equal(adapter.parameters[name], saved)
    shown = {"conditions": people} if adapter.conditions else {}
    options = {"base": str(base), "steps": 1, "progress": False, **shown}
    made = [
        sample_file(["a man"], tmp_path / f"{place.name}-images", adapter=place, **options)
        for place in (file, whole.directory)
    ]
    pictures = [(folder / "images/000000-0.png").read_bytes() for folder in made]
    assert pictures[0] == pictures[1]
    more = values | {"output": str(tmp_path / "more"), "steps": 1, "start": str(file)}
    if kind == "lora":
        with pytest.raises(ValueError, match=r"rank: must be that of start, .*: 2, got 3"):
            train(TrainSettings(**more | {"rank": 3}))
    theirs = more | {"output": str(tmp_path / "theirs"), "start": str(whole.directory)}
    assert_same(train(TrainSettings(**more)), train(TrainSettings(**theirs)))


def trained(run, base):
    """The parameters of a finished run, as a start of another one has them."""
    settings = run.settings.changed(start=str(run.directory))
    return loop.build_adapter(load_base(base), settings).parameters


class TwoProcesses:
    """Of accelerate, as far as it is asked here: the other process has what it is given."""

    num_processes, device = 2, "cpu"

    def __init__(self, other):
        self.other = other

    def gather(self, mine):
        return torch.cat([mine, mine if self.other is None else self.other])


def test_processes_agree_on_step_and_parameters():
    seen = []
    check_agreement(TwoProcesses(None), 4, [torch.ones(3)])
    process = TwoProcesses(None)
    process.gather = lambda mine: seen.append(mine) or torch.cat([mine, mine])
    check_agreement(process, 4, [torch.ones(3)])
    for step, parameters in ((5, torch.ones(3)), (4, torch.full((3,), 1 + 1e-7))):
        with pytest.raises(ValueError, match=f"different ones, at steps {step}, 4"):
            check_agreement(TwoProcesses(seen[0]), step, [parameters])


def test_what_a_data_set_lacks_is_said_before_the_first_step(tmp_path, said):
    entries = write_folder(tmp_path, count=3, size=(40, 120))
    for entry in entries:
        entry["hand_mask_file_name"] = None
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    data = HumanFolder(tmp_path)
    check_suitability(data, JointTransform(64))
    found = [line.removeprefix(f"{tmp_path}: ") for line in said()]
    assert found[:4] == [
        "face in 3 of 3 images",
        "hand in 0 of 3 images",
        "hand in no image: its objective is never there",
        "3 of 3 images are smaller than 64 pixels and are enlarged",
    ]
    kept = [data[index].masks["face"][:, 40:80].sum() / data[index].masks["face"].sum() for index in range(3)]
    assert data.central["face"] == pytest.approx(kept) and min(kept) < 0.95
    worst = min(range(3), key=kept.__getitem__)
    cut = sum(share < 0.95 for share in kept)
    assert found[4:] == [
        f"the central square cuts the face of {cut} of 3 images; "
        f"of {worst:06d}.png it keeps {100 * kept[worst]:.0f} %"
    ]
    check_suitability(data, JointTransform(32, "random"))
    assert not any("cuts" in line or "smaller" in line for line in said())
    with pytest.raises(
        ValueError, match=r"line 1: 000000.png of 40 × 120 .* would be resized to 6000 × 18000"
    ):
        check_suitability(data, JointTransform(6000))
