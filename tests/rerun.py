"""The notebooks, run again, measure what is stored: ``make test`` runs this after them.

Their new results lie in the workspace that FAIRHUMAN_WORKSPACE names. Another processor rounds otherwise, and
training amplifies that; so a number need not be equal, but it must lie within its stored interval, and an
effect whose interval excludes zero must still be there, with its sign. What is computed without training must
be equal up to rounding, with an interval or without. Runs of a few steps are all but equal too, while the
intervals over their two seeds hold everything: of these the change itself is compared.
"""

import json
import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from fairhuman.experiments.claims import ledger

ROOT = Path(__file__).parents[1]
STORED = sorted((ROOT / "results" / "quick").glob("*.json"))
WORKSPACE = Path(os.environ.get("FAIRHUMAN_WORKSPACE", ROOT))


def estimates(stored: Any, found: Any, path: str = "") -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Every stored estimate, with its path and what is found at this path now."""
    if isinstance(stored, dict) and {"value", "low", "high"} <= stored.keys():
        yield path, stored, found
    elif isinstance(stored, dict | list):
        for key, part in stored.items() if isinstance(stored, dict) else enumerate(stored):
            there = key in found if isinstance(found, dict) else isinstance(found, list) and key < len(found)
            yield from estimates(part, found[key] if there else None, f"{path}.{key}")


def disagreement(stored: dict[str, Any], found: Any) -> str | None:
    """Why an estimate is no longer the stored one; None where it is."""
    ends = [stored["value"], stored["low"], stored["high"]]
    if not all(isinstance(end, int | float) and math.isfinite(end) for end in ends):
        return None  # stored without an interval
    value = found["value"] if isinstance(found, dict) else None
    if value is None:
        return "is gone"
    _, low, high = ends
    slack = 1e-6 * max(abs(low), abs(high))
    if not low - slack <= value <= high + slack:
        return f"is {value:.4g}, outside [{low:.4g}, {high:.4g}]"
    return None


SHORT = {"ablations-2": 0.002}
"""Results of a few steps from the same seeds, and how far a change may move, as a share of the loss."""


def drift(stored: dict[str, Any], found: dict[str, Any], furthest: float) -> dict[tuple[str, ...], str]:
    """Changes of a loss that are no longer the stored ones, by who is compared."""
    key = ("reference", "setting", "region")
    again = {tuple(row[name] for name in key): row["share"] for row in found["differences"]}
    moved = {}
    for row in stored["differences"]:
        pair = tuple(row[name] for name in key)
        if pair not in again or abs(again[pair] - row["share"]) > furthest:
            moved[pair] = f"is {again.get(pair)}, stored {row['share']}"
    return moved


UNTRAINED = {"humans": 0.02, "mpd_derivation": 0.02}
"""Results of which every number is compared, and the relative tolerance."""


def numbers(value: Any, path: str = "") -> Iterator[tuple[str, float]]:
    """Every number of nested JSON with its path."""
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from numbers(part, f"{path}.{key}")
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value


@pytest.mark.parametrize("path", STORED, ids=lambda path: path.stem)
def test_what_is_measured_again_lies_within_the_stored_interval(path):
    stored = json.loads(path.read_text())
    found = json.loads((WORKSPACE / "results" / "quick" / path.name).read_text())
    reasons = {
        place: reason
        for place, one, again in estimates(stored["values"], found["values"])
        if (reason := disagreement(one, again))
    }
    assert reasons == {}


@pytest.mark.parametrize(("name", "furthest"), SHORT.items())
def test_runs_of_a_few_steps_change_the_losses_as_stored(name, furthest):
    stored, found = (
        json.loads((place / "results" / "quick" / f"{name}.json").read_text())["values"]
        for place in (ROOT, WORKSPACE)
    )
    assert max(abs(row["share"]) for row in stored["differences"]) > 2 * furthest  # or nothing is compared
    assert drift(stored, found, furthest) == {}


@pytest.mark.parametrize(("name", "tolerance"), UNTRAINED.items())
def test_what_needs_no_training_is_equal(name, tolerance):
    stored, found = (
        dict(numbers(json.loads((place / "results" / "quick" / f"{name}.json").read_text())["values"]))
        for place in (ROOT, WORKSPACE)
    )
    assert found.keys() == stored.keys()
    apart = {
        place: (value, found[place])
        for place, value in stored.items()
        if not math.isclose(value, found[place], rel_tol=tolerance, abs_tol=1e-3)
    }
    assert apart == {}


def test_the_verdicts_are_the_stored_ones(monkeypatch):
    verdicts = []
    for place in (ROOT, WORKSPACE):
        monkeypatch.setenv("FAIRHUMAN_WORKSPACE", str(place))
        found = ledger()
        verdicts.append(dict(zip(found.index, found.verdict, strict=True)))
    assert verdicts[0] == verdicts[1]


def test_an_effect_that_is_gone_or_turned_is_noticed():
    stored = {"value": -0.2, "low": -0.3, "high": -0.1}
    assert disagreement(stored, {"value": -0.15}) is None
    assert all(disagreement(stored, found) for found in ({"value": 0.0}, {"value": 0.2}, None))


def test_a_change_of_a_short_run_that_is_gone_or_turned_is_noticed():
    row = {"reference": "global", "setting": "mpd", "region": "hand", "share": -0.011}
    stored = {"differences": [row]}
    assert drift(stored, {"differences": [row | {"share": -0.0105}]}, 0.002) == {}
    for rows in ([], [row | {"share": 0.0}], [row | {"share": 0.011}], [row | {"region": "face"}]):
        assert list(drift(stored, {"differences": rows}, 0.002)) == [("global", "mpd", "hand")]
