"""benchmarks/step_cost.py at a tiny size: every case and way is measured, and the exact ways agree."""

import importlib
from argparse import Namespace
from pathlib import Path

import pytest
import torch

from fairhuman.results import read_result


@pytest.fixture
def step_cost(monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    return importlib.import_module("step_cost")


def test_every_case_and_way_is_measured(step_cost, workspace, monkeypatch):
    monkeypatch.setattr(step_cost, "WARMUP", 2)
    step_cost.main(["--base", "tiny", "--rank", "2", "--batch", "2", "--repeats", "1"])
    found = read_result("benchmarks", "step_cost")["values"]
    rows = {(row["case"], row["way"]): row for row in found["cases"]}
    for kind in ("lora", "controlnet"):
        for case in (f"{kind}-batch2", f"{kind}-batch1", f"{kind}-batch2-checkpointed"):
            for way in ("ordinary", "exact", "grouped", "batched", "amortised"):
                row = rows[case, way]
                assert row["quartile_1"] <= row["median"] <= row["quartile_3"]
                assert row["peak_megabytes"] > 0
    assert {way for case, way in rows if case == "lora-batch2"} == set(found["time_over_ordinary"])
    assert found["time_over_ordinary"].keys() >= {"ls", "released", "torchjd_fairgrad", "torchjd_alpha_fair"}


@pytest.mark.parametrize("kind", ("lora", "controlnet"))
def test_exact_ways_find_one_direction(step_cost, kind):
    given = Namespace(base="tiny", rank=2, seed=0)
    adapter = step_cost.adapter_of(kind, given, checkpointed=True)
    parameters = list(adapter.parameters.values())
    ways = step_cost.contestants(adapter, parameters)
    batches = list(step_cost.random_batches(adapter, 4, 5))
    here = torch.cat([torch.stack([m.flatten(1).amax(1) for m in b.masks.values()], 1) for b in batches])
    assert here.sum(0).tolist() == [17, 10]  # 87 % and 52 % of 20
    found = {}
    for way in ("exact", "grouped", "batched"):
        step_cost.once(ways[way], batches[0], parameters)
        found[way] = torch.cat([p.grad.flatten() for p in parameters if p.grad is not None])
    for way in ("grouped", "batched"):
        assert (found[way] - found["exact"]).norm() < 1e-3 * found["exact"].norm()
