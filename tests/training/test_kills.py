"""A run that is killed and resumed ends as one that was not; benchmarks/kills.py kills other commands too."""

import sys
from pathlib import Path


def test_two_kills_change_nothing(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[2] / "benchmarks"))
    monkeypatch.delitem(sys.modules, "kills", raising=False)
    import kills

    found = kills.survive(kills.commands(tmp_path)["train"], tmp_path / "train", 2, seed=1)
    assert found["kills"] == 2 and found["runs"] > 0
