"""Recompute derived numbers from stored raw values, without new measurements.

Raw values of runs and images are stored; differences, intervals and fits are derived from them, so a change
in the statistics needs no new measurement.
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
    """Rewrite a profile's ablation tables and motivation fits from their stored raw values.

    A table is recomputed from its runs. The fits are in the same file as their image data: its provenance
    stays that of the images, and ``rederived`` records the origin of the fits.

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
