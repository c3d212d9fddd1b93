"""benchmarks/scale.py at a tiny size: every part measures what it names."""

import importlib
import sys
from pathlib import Path

from fairhuman.evaluation import distances, statistics
from fairhuman.evaluation.evaluate import _evaluate
from fairhuman.results import read_result


def test_every_part_runs(workspace, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    scale = importlib.import_module("scale")
    monkeypatch.setenv("FAIRHUMAN_CACHE", "as measure() leaves it")
    for module, name in [(_evaluate, "detect"), (_evaluate, "AttributeReader"), (distances, "_RESAMPLES")]:
        monkeypatch.setattr(module, name, getattr(module, name))  # a part replaces it, in its own process
    monkeypatch.setattr(statistics, "_RESAMPLES", statistics._RESAMPLES)
    monkeypatch.setattr(scale.time, "sleep", lambda seconds: None)
    monkeypatch.setattr(scale, "child", lambda name, *arguments: scale.PARTS[name](*arguments))
    given = ["--counts", "12", "40", "--lines", "100", "--repeats", "1", "--base", "tiny"]
    monkeypatch.setattr(sys, "argv", ["scale.py", *given])
    scale.main()
    found = read_result("benchmarks", "scale")["values"]
    assert [row["images"] for row in found["start"]] == [12, 40]
    assert found["step"]["disk_over_memory"]["median"] > 0
    measured = [row[way] for row in found["start"] for way in ("cold", "warm")]
    for row in [*measured, found["index"], found["evaluation"], *found["duplicates"]]:
        assert row["cpu_seconds"] > 0 and row["peak_megabytes"] >= row["added_megabytes"] >= 0
