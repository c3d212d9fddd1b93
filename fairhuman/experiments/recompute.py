"""Derived numbers again, from the raw values that are stored beside them: nothing is measured.

What a run or an image gave is kept; differences, intervals and fits follow from it, so a change of the
statistics needs no second measurement.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from fairhuman.experiments import ablations
from fairhuman.experiments.dynamics import sum_ascends
from fairhuman.experiments.motivation import gap_by_area
from fairhuman.profiles import results_directory
from fairhuman.results import read_result, rederive_result

__all__ = ["motivation_fits", "recompute"]

_THINNED_FROM = 400  # steps from which notebook 04 stores only some gradients


def recompute(profile: str) -> list[Path]:
    """Write a profile's tables of ablations and fits of the motivation again, as far as their raw values are
    stored.

    A table is recomputed from its runs. The fits stand in the same file as the images that they rest on: its
    provenance stays that of the images, and ``rederived`` says what made the fits.

    Returns:
        The files written.
    """
    written = []
    if any((results_directory(profile) / ablations.FOLDER).glob("*.json")):
        seeds = ablations.plan_of(profile)["seeds"]
        written += ablations.summarise(profile, list(ablations.TABLES.values()), seeds)
    if (results_directory(profile) / "motivation.json").is_file():
        stored = read_result(profile, "motivation")
        fits = motivation_fits(stored["values"], seed=stored["seed"])
        written.append(rederive_result(profile, "motivation", fits))
    if (results_directory(profile) / "train_lora.json").is_file():
        stored = read_result(profile, "train_lora")
        if stored["parameters"]["steps"] < _THINNED_FROM:
            ascends = sum_ascends(pd.DataFrame(stored["values"]["gradients"]))
            written.append(rederive_result(profile, "train_lora", {"sum_ascends": ascends}))
    return written


def motivation_fits(values: Mapping[str, Any], *, level: float = 0.95, seed: int = 0) -> dict[str, Any]:
    """``gaps`` and ``coefficients`` of the result ``motivation``, from its ``images``."""
    images = pd.DataFrame(values["images"])
    gaps = [gap_by_area(images, region, level=level, seed=seed) for region in ("face", "hand")]
    return {"gaps": gaps, "coefficients": _flat(gaps)}


def _flat(gaps: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The coefficients of all regions as rows with ``region``."""
    return [{"region": gap["region"]} | row for gap in gaps for row in gap["coefficients"]]
