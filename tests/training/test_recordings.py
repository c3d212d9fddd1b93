"""The recordings that the amortised step is judged by."""

import importlib
from pathlib import Path

import pytest
import torch

from fairhuman.results import read_result


@pytest.fixture
def benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    return importlib.import_module("recordings")


@pytest.mark.parametrize("training", ("lora_early", "controlnet"))
def test_a_recording_holds_gram_matrices_of_every_place(benchmark, training, people, workspace):
    asked = [training, "--data", str(people), "--base", "tiny", "--resolution", "32", "--steps", "3"]
    benchmark.main([*asked, "--batch", "2", "--rank", "2", "--images", "2"])
    stored = read_result("benchmarks", f"recordings-{training}")
    assert stored["samples"] == len(stored["values"]["steps"]) == 3
    for step in stored["values"]["steps"]:
        K = torch.tensor(step["gramian"], dtype=torch.float64)
        assert torch.linalg.eigvalsh(K).min() > -1e-9 * K.diagonal().max()
        assert K[0, 0] > 0
        assert len(step["places"]) == 4
        for place in step["places"].values():
            mean, every = (torch.tensor(place[name]).diagonal(dim1=-2, dim2=-1) for name in ("mean", "every"))
            assert mean.shape == every.shape == (2, 3)
            assert (mean <= every * (1 + 1e-5)).all()
            assert (every[:, 0] > 0).all()
