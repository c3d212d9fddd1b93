"""benchmarks/buckets.py at a tiny size: both sets are measured, and the mixed one has many sizes."""

import importlib
from pathlib import Path

from fairhuman.results import read_result


def test_both_sets_are_measured(workspace, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    benchmark = importlib.import_module("buckets")
    monkeypatch.setattr(benchmark, "EACH", 1)
    benchmark.main(
        [
            "--base",
            "tiny",
            "--resolution",
            "64",
            "--step",
            "16",
            "--batch",
            "2",
            "--steps",
            "2",
            "--repeats",
            "2",
        ]
    )
    found = read_result("benchmarks", "buckets")["values"]
    assert len(found["buckets"]) == 3 and [64, 64] in found["buckets"]
    ratio = found["mixed_over_square"]
    assert 0 < ratio["quartile_1"] <= ratio["median"] <= ratio["quartile_3"]
    assert all(speed > 0 for speed in found["pixels_per_second"].values())
