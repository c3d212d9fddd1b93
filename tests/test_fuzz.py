"""A little of benchmarks/fuzz.py: drawn input is read as promised or refused in words."""

import sys
from pathlib import Path


def test_drawn_input_is_read_or_refused(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(str(Path(__file__).parents[1] / "benchmarks"))
    monkeypatch.delitem(sys.modules, "fuzz", raising=False)
    import fuzz

    found = fuzz.fuzz(tmp_path, lines=200, images=60, masks=60, parameters=60, seed=1)
    for name in ("lines", "imported lines", "images", "masks", "parameters"):
        assert min(found[name].values()) > 0, name
