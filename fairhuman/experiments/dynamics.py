"""What a run's log says about its objectives: gradients, conflicts, and who pulls how much.

With K the Gram matrix of a step's gradients and d = Σ wⱼ gⱼ, everything is read off K: the norm of a
gradient is √Kᵢᵢ, of the direction √(wᵀKw), and gᵢᵀd = (K w)ᵢ. A positive gᵢᵀd means that a small step
against d lowers objective i.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd
import torch

from fairhuman.evaluation.statistics import estimate_steps
from fairhuman.fairness import alpha_fair_weights

__all__ = ["conflict_table", "gradient_table", "loss_curves", "sum_ascends"]

DIRECTIONS = ("sum", "mpd")


def gradient_table(log: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """One row for each step and objective present in it, of the steps whose Gram matrix was logged.

    Args:
        log: A run's :attr:`~fairhuman.training.Run.log`.

    Returns:
        Columns ``step``, ``objective``, ``loss``, ``weight`` (the one applied), ``norm`` (of the gradient)
        and, for each direction that could be taken there, the plain sum of the gradients (``sum``) and
        exact MPD (``mpd``): ``<direction>_alignment``, the cosine between gradient and direction, negative
        where the step raises the objective, and ``<direction>_share``, wᵢ‖gᵢ‖ as a share of their sum.
    """
    rows = []
    for line in log:
        if line["gramian"] is None or not line["finite"]:
            continue
        names = list(line["losses"])
        K = np.array(line["gramian"])
        present = np.flatnonzero(np.diag(K) > 0)
        if not len(present):
            continue
        K, names = K[np.ix_(present, present)], [names[i] for i in present]
        norms = np.sqrt(np.diag(K))
        columns = {
            "loss": [line["losses"][name] for name in names],
            "weight": [line["weights"][name] for name in names],
            "norm": norms,
        }
        for direction in DIRECTIONS:
            w = _weights(K, direction)
            length = np.sqrt(max(w @ K @ w, 0))
            columns[f"{direction}_alignment"] = K @ w / (norms * length) if length > 0 else np.zeros(len(w))
            pull = w * norms
            columns[f"{direction}_share"] = pull / pull.sum() if pull.sum() > 0 else pull
        for i, name in enumerate(names):
            row = {name: float(values[i]) for name, values in columns.items()}
            rows.append({"step": line["step"], "objective": name} | row)
    return pd.DataFrame(rows)


def sum_ascends(gradients: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Share of each run's steps in which the plain sum of the gradients would have raised an objective.

    Steps of one run are not independent, so the interval is over stretches of it
    (:func:`fairhuman.evaluation.statistics.estimate_steps`); it says nothing about other runs.

    Args:
        gradients: From :func:`gradient_table`, with ``run``.

    Returns:
        Run → an estimate's fields.
    """
    worst = gradients.sort_values("step").groupby(["run", "step"]).sum_alignment.min() < 0
    return {
        run: estimate_steps(steps.astype(float), bounds=(0, 1)).stored()
        for run, steps in worst.groupby("run", sort=False)
    }


def conflict_table(log: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Cosine between the gradients of each pair of objectives, where both are present.

    Args:
        log: A run's :attr:`~fairhuman.training.Run.log`.

    Returns:
        Columns ``step``, ``first``, ``second``, ``cosine``.
    """
    rows = []
    for line in log:
        if line["gramian"] is None or not line["finite"]:
            continue
        K, names = np.array(line["gramian"]), list(line["losses"])
        for i, j in combinations(range(len(names)), 2):
            scale = np.sqrt(K[i, i] * K[j, j])
            if scale > 0:
                row = {"first": names[i], "second": names[j], "cosine": K[i, j] / scale}
                rows.append({"step": line["step"]} | row)
    return pd.DataFrame(rows)


def loss_curves(heldout: Mapping[str, Sequence[Mapping[str, Any]]]) -> pd.DataFrame:
    """Held-out losses along several runs, as a share of those before the first step.

    Args:
        heldout: Name of a run → its :attr:`~fairhuman.training.Run.heldout`.

    Returns:
        Columns ``run``, ``step``, ``objective``, ``loss`` (mean over the images that have the region) and
        ``relative``, the loss over that at the first measurement.

    Raises:
        ValueError: No run has a measurement.
    """
    rows = []
    for run, measurements in heldout.items():
        for line in measurements:
            for name, values in line["errors"].items():
                known = [value for value in values if value is not None]
                loss = float(np.mean(known)) if known else float("nan")
                rows.append({"run": run, "step": line["step"], "objective": name, "loss": loss})
    if not rows:
        raise ValueError(f"heldout: must hold at least one measurement, got none for {list(heldout)}")
    table = pd.DataFrame(rows)
    first = table.groupby(["run", "objective"]).loss.transform("first")
    return table.assign(relative=table.loss / first)


def _weights(K: np.ndarray, direction: str) -> np.ndarray:
    if direction == "sum":
        return np.ones(len(K))
    return alpha_fair_weights(torch.from_numpy(K)).numpy()
