"""Checkpoints come back as they were, and a failed one harms nothing."""

import json
import os

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import save_file

from fairhuman.training import _checkpoint as checkpoint
from fairhuman.training._checkpoint import (
    latest_checkpoint,
    load_checkpoint,
    newest_readable,
    save_checkpoint,
)

STATE = {
    "parameters": {"a.b": torch.arange(4.0), "c": torch.ones(2, 3).T, "d": torch.tensor(2)},
    "optimizer": {"0": {"step": torch.tensor(3.0), "betas": [0.9, 0.999]}},
    "random": torch.get_rng_state(),
    "skipped": 1,
    "name": None,
}


def assert_equal(first, second):
    if isinstance(first, torch.Tensor):
        assert first.dtype == second.dtype and torch.equal(first, second)
    elif isinstance(first, dict):
        assert first.keys() == second.keys()
        for key in first:
            assert_equal(first[key], second[key])
    else:
        assert first == second


def test_round_trip(tmp_path):
    path = save_checkpoint(tmp_path, 12, STATE, keep=1)
    step, state = load_checkpoint(path)
    assert step == 12
    assert_equal(STATE, state)


def test_tensors_that_share_memory_are_saved(tmp_path):
    shared = torch.arange(6.0)
    path = save_checkpoint(tmp_path, 1, {"whole": shared, "part": shared[2:]}, keep=1)
    assert_equal({"whole": shared, "part": shared[2:]}, load_checkpoint(path)[1])


def test_the_latest_are_kept(tmp_path):
    assert latest_checkpoint(tmp_path) is None
    for step in (9, 10, 100):
        save_checkpoint(tmp_path, step, STATE, keep=2)
    names = sorted(path.name for path in (tmp_path / "checkpoints").iterdir())
    assert names == ["step-00000010.safetensors", "step-00000100.safetensors"]
    assert latest_checkpoint(tmp_path).name == names[-1]


@pytest.mark.parametrize("moment", ["writing", "renaming"])
def test_a_failure_leaves_the_previous_one(tmp_path, monkeypatch, moment):
    save_checkpoint(tmp_path, 1, STATE, keep=1)

    def full_disk(tensors, path, metadata=None):
        path.write_bytes(b"half a fi")
        raise OSError(28, "No space left on device")

    if moment == "writing":
        monkeypatch.setattr(checkpoint, "save_file", full_disk)
    else:
        monkeypatch.setattr(os, "fsync", lambda _: (_ for _ in ()).throw(OSError("lost")))
    with pytest.raises(OSError, match=r"cannot write .*step-00000002.*untouched"):
        save_checkpoint(tmp_path, 2, STATE, keep=1)
    step, state = load_checkpoint(latest_checkpoint(tmp_path))
    assert step == 1
    assert_equal(STATE, state)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), SafetensorError("I/O error")])
def test_a_full_disk_gets_its_space_back(tmp_path, monkeypatch, error):
    """What was half written is removed, and the next attempt succeeds once there is space."""
    save_checkpoint(tmp_path, 1, STATE, keep=1)

    def full_disk(tensors, path, metadata=None):
        path.write_bytes(b"half a fi")
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(checkpoint, "save_file", full_disk)
        with pytest.raises(OSError, match="earlier ones are untouched"):
            save_checkpoint(tmp_path, 2, STATE, keep=1)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000001.safetensors"]
    (tmp_path / "checkpoints/.step-00000003.safetensors.partial").write_bytes(b"killed whi")
    save_checkpoint(tmp_path, 4, STATE, keep=1)
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step-00000004.safetensors"]


def test_a_damaged_file_is_named(tmp_path):
    path = save_checkpoint(tmp_path, 1, STATE, keep=1)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ValueError, match=r"cannot read .*step-00000001"):
        load_checkpoint(path)


def write_old(path, step):
    """As versions before the digest wrote it."""
    path.parent.mkdir(exist_ok=True)
    state = {"parameters": {"a": {"__tensor__": "/parameters/a"}}}
    about = {"state": json.dumps(state), "step": str(step)}
    save_file({"/parameters/a": torch.ones(2)}, path, metadata=about)


def test_a_checkpoint_of_an_earlier_version_is_read(tmp_path):
    write_old(tmp_path / "checkpoints/step-00000007.safetensors", 7)
    step, state = newest_readable(tmp_path)
    assert step == 7 and torch.equal(state["parameters"]["a"], torch.ones(2))


@pytest.mark.parametrize("place", [-1, -60, 300])
def test_a_flipped_bit_is_known(tmp_path, place):
    path = save_checkpoint(tmp_path, 1, STATE, keep=1)
    data = bytearray(path.read_bytes())
    data[place] ^= 4
    path.write_bytes(data)
    with pytest.raises(ValueError, match=r"cannot read .*step-00000001"):
        load_checkpoint(path)


def test_the_one_before_a_damaged_one_is_taken_with_a_word(tmp_path, caplog):
    assert newest_readable(tmp_path) is None
    for step in (1, 2, 3):
        path = save_checkpoint(tmp_path, step, STATE | {"skipped": step}, keep=3)
        if step > 1:
            path.write_bytes(path.read_bytes()[: 100 * step])
    step, state = newest_readable(tmp_path)
    assert step == state["skipped"] == 1
    said = [record.getMessage() for record in caplog.records]
    assert ["step-00000003" in said[0], "step-00000002" in said[1], len(said)] == [True, True, 2]
    names = {path.name for path in (tmp_path / "checkpoints").iterdir()}
    assert names == {"step-00000001.safetensors"} | {f"step-0000000{n}.safetensors.damaged" for n in (2, 3)}
    (tmp_path / "checkpoints/step-00000001.safetensors").write_bytes(b"")
    with pytest.raises(ValueError, match="checkpoint: none in .*checkpoints can be read"):
        newest_readable(tmp_path)


def test_a_later_version_is_not_taken_for_damage(tmp_path, monkeypatch):
    write_old(tmp_path / "checkpoints/step-00000001.safetensors", 1)
    monkeypatch.setattr(checkpoint, "VERSION", checkpoint.VERSION + 1)
    save_checkpoint(tmp_path, 2, STATE, keep=2)
    monkeypatch.undo()
    with pytest.raises(NotImplementedError, match="version must be ≤ 2, got 3"):
        newest_readable(tmp_path)
