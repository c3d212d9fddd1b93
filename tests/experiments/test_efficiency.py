"""Sizes are exact, memory is what tensors hold, and ratios are taken within a repeat."""

import itertools

import numpy as np
import pandas as pd
import pytest

from fairhuman.experiments import efficiency
from fairhuman.experiments.efficiency import (
    extra_memory,
    make_ways,
    parameter_bytes,
    ratios_to,
    sdxl_sizes,
    time_in_turn,
)
from fairhuman.models import tiny_pipeline
from fairhuman.models.adapters import LoRA
from fairhuman.sampling import sample


def test_the_papers_sizes():
    (row,) = sdxl_sizes({"LoRA": {"kind": "lora", "rank": 256}}).to_dict("records")
    assert row["parameters"] == 371_589_120
    assert row["MiB float32"] == 2 * row["MiB bf16"] == pytest.approx(1417.5)
    with pytest.raises(ValueError, match="kind: unknown name 'lota'"):
        sdxl_sizes({"LoRA": {"kind": "lota"}})


def test_extra_memory_is_the_adapters_tensors():
    base, pipeline = tiny_pipeline().unet, tiny_pipeline()
    lora = LoRA(pipeline, rank=4)
    assert extra_memory(lora, base) == 4 * sum(p.numel() for p in lora.parameters.values()) > 0
    assert extra_memory(None, base) == 0
    assert parameter_bytes(base) == 4 * sum(p.numel() for p in base.parameters())


def test_a_fused_lora_is_the_lora_and_costs_nothing():
    kinds = {
        "base": {},
        "LoRA": {"kind": "lora", "rank": 4},
        "fused": {"kind": "lora", "rank": 4, "fuse": True},
    }
    base = tiny_pipeline()
    ways = make_ways(base, kinds)
    assert [ways[name].extra_bytes > 0 for name in kinds] == [False, True, False]
    options = {"steps": 2, "guidance": 1.0, "progress": False}
    drawn = {
        name: np.asarray(sample(way.pipeline, ["a person"], **options)[0].load(), dtype=int)
        for name, way in ways.items()
    }
    assert np.abs(drawn["fused"] - drawn["LoRA"]).max() <= 1
    assert np.abs(drawn["LoRA"] - drawn["base"]).max() > 1
    with pytest.raises(ValueError, match="fuse: only a LoRA can be fused, got 'controlnet'"):
        make_ways(base, {"it": {"kind": "controlnet", "fuse": True}})


def test_every_way_has_its_turn_and_ratios_are_within_repeats(monkeypatch):
    called, clock = [], itertools.count()
    monkeypatch.setattr(efficiency.time, "perf_counter", lambda: float(next(clock)))
    ways = {name: (lambda name=name: called.append(name)) for name in "abc"}
    seconds = time_in_turn(ways, repeats=2)
    assert called == [*"abc", *"abc", *"bca"]
    assert seconds.to_numpy().tolist() == [[1.0] * 3] * 2
    slowing = pd.DataFrame({"base": [1.0, 2.0, 4.0], "lora": [2.0, 4.0, 8.0]})
    assert [row["ratio"] for row in ratios_to(slowing, "base")] == [1, 2]
    with pytest.raises(ValueError, match="base: unknown name 'bass'"):
        ratios_to(slowing, "bass")
    with pytest.raises(ValueError, match="got 0 and 5"):
        time_in_turn({})
