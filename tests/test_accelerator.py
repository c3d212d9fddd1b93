"""benchmarks/accelerator.py, on a CPU at a tiny size: every part measures all it names, and goes on."""

import importlib
import json
import warnings
from pathlib import Path

import pytest


@pytest.fixture
def accelerator(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    return importlib.import_module("accelerator")


def run(accelerator, part, folder, *further):
    accelerator.main([part, "--device", "cpu", "--size", "tiny", "--output", str(folder), *further])
    return json.loads((folder / f"accelerator-{part}.json").read_text())["values"]


@pytest.mark.parametrize("part", ("correct", "steps", "inference", "base", "paper"))
def test_a_part_runs(accelerator, part, tmp_path):
    found = run(accelerator, part, tmp_path)
    assert list(found) == [name for name, _ in accelerator.PARTS[part]("tiny", "cpu", tmp_path)]
    for name, value in found.items():
        if not name.endswith("-float16"):  # which a CPU need not have; the reason is then stored
            assert not value.get("failed"), found
    if part == "correct":
        assert found["solver"]["largest_relative_error"] < 1e-9
        for name, value in found.items():
            if name.endswith("float32"):
                assert value["cosine"] > 0.9999
            elif name.endswith("-bfloat16"):
                assert value["cosine"] > 0.9
    if part == "steps":
        for value in found.values():
            assert set(value["over_ordinary"]) == set(accelerator.WAYS)
            assert "synchronisations" not in value
            assert "CUDA alone" in value["synchronisations_absent"]
    if part == "base":
        assert [value["first"] for value in found.values()] == [0, 2, 4, 6]


def test_it_goes_on_where_it_stopped(accelerator, tmp_path, capsys):
    run(accelerator, "inference", tmp_path)
    path = tmp_path / "accelerator-inference.json"
    stored = json.loads(path.read_text())
    assert stored["provenance"]["versions"]["torch"] and stored["seed"] == 0
    del stored["values"]["mole"]
    stored["values"]["base"] = {"failed": "OutOfMemoryError: of another day"}
    path.write_text(json.dumps(stored))
    again = run(accelerator, "inference", tmp_path)
    assert "failed" not in again["base"]
    assert all(again[name] == stored["values"][name] for name in again if name not in ("base", "mole"))
    stored["torch"] = "0.0"
    path.write_text(json.dumps(stored))
    with pytest.raises(SystemExit, match=r"another torch \(0.0\)"):
        run(accelerator, "inference", tmp_path)


def test_time_is_kept(accelerator, tmp_path, capsys):
    with pytest.raises(SystemExit):
        run(accelerator, "inference", tmp_path, "--minutes", "0")
    assert "--minutes: must be positive" in capsys.readouterr().err


def test_the_base_goes_on_from_its_state(accelerator, tmp_path):
    whole = run(accelerator, "base", tmp_path / "whole")
    for piece in range(accelerator.PIECES):
        again = accelerator.piece_of_base(piece, "tiny", "cpu", tmp_path / "accelerator-base")
        assert again["median_loss"] == whole[f"piece-{piece + 1}"]["median_loss"]
    kept = accelerator.piece_of_base(1, "tiny", "cpu", tmp_path / "accelerator-base")
    assert kept["peak_bytes"] == 0 and kept["first"] == 2  # read from the log
    assert len((tmp_path / "accelerator-base" / "log.jsonl").read_text().splitlines()) == 8
    with pytest.raises(ValueError, match="device"):
        accelerator.piece_of_base(0, "tiny", "abacus", tmp_path / "other")


def test_synchronisations_are_what_torch_warns_of(accelerator, monkeypatch):
    modes = []
    monkeypatch.setattr(accelerator.torch.cuda, "set_sync_debug_mode", modes.append)

    def what():
        for _ in range(3):
            warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
        warnings.warn("of something else", stacklevel=1)

    assert accelerator.synchronisations(what) == 3
    assert modes == ["warn", "default"]
