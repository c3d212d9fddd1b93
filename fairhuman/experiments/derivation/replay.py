"""What a strategy would have decided at the steps of a recorded run, against the exact direction."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fairhuman.experiments.derivation.reference import potential_delay, rates_of_descent
from fairhuman.fairness import Strategy, alpha_fair_weights, get_strategy
from fairhuman.fairness._direction import cosine


@dataclass(frozen=True)
class Recorded:
    """One step of a run: its losses, the Gram matrix of its gradients, which objectives were present, and
    the sketch of the gradients if there was one."""

    losses: Tensor
    gramian: Tensor
    present: Tensor
    sketch: Tensor | None = None


def recorded(lines: Iterable[Mapping[str, Any]]) -> list[Recorded]:
    """Steps of a log that hold a Gram matrix, in order.

    Args:
        lines: each with ``losses`` by name, ``gramian`` or None, and possibly ``sketch`` and ``finite``;
            steps that were refused are left out.
    """
    steps = []
    for line in lines:
        if line["gramian"] is None or not line.get("finite", True):
            continue
        losses = torch.tensor(list(line["losses"].values()), dtype=torch.float64)
        gramian = torch.tensor(line["gramian"], dtype=torch.float64)
        sketch = line.get("sketch")
        sketch = None if sketch is None else torch.tensor(sketch, dtype=torch.float64)
        steps.append(Recorded(losses, gramian, gramian.diagonal() > 0, sketch))
    return steps


def replay(steps: Iterable[Recorded], strategy: Strategy) -> tuple[Tensor, Tensor]:
    """Let a strategy decide at every step; it sees the Gram matrix only when it asks for it.

    The run went on as it did, whatever the strategy decides.

    Returns:
        Weights, shape (n, m), and which steps asked for the Gram matrix, shape (n,), bool.
    """
    decided, asked = [], []
    for step in steps:
        if strategy.foresees:
            strategy.foresee(step.losses, step.present, step.sketch)
        asks = strategy.needs_gramian
        decided.append(strategy.weights(step.losses, step.gramian if asks else None, step.present))
        asked.append(asks)
        strategy.advance()
    return torch.stack(decided), torch.tensor(asked)


def agreement(steps: Sequence[Recorded], weights: Tensor, alpha: float = 2.0) -> Tensor:
    """Cosine of each step's direction with the exact α-fair direction of the same batch, shape (n,)."""
    K = torch.stack([step.gramian for step in steps])
    return cosine(K, weights, alpha_fair_weights(K, alpha))


def compare_strategies(
    steps: Sequence[Recorded], names: Iterable[str], objectives: Sequence[str]
) -> list[dict[str, Any]]:
    """What each strategy would have decided at recorded steps, against the optimum of Eq. 5.

    Every step is shown to every strategy; those at which all objectives are present are counted. A strategy
    that learns from what its own step did (``famo``) stays as it was at the first.

    Args:
        steps: of a run that went along other directions.
        names: of strategies, as :func:`fairhuman.fairness.get_strategy` takes them.
        objectives: names, in the order of the Gram matrices' rows.

    Returns:
        One row a strategy: ``strategy``, ``asks`` (share of steps at which it needs the Gram matrix),
        ``cosine`` (mean, with the exact direction), ``cosine_5`` (5th percentile), ``excess`` (median, of
        Eq. 5 over its optimum; infinite where an objective ascends), ``ascends`` (objective → share of
        steps).

    Raises:
        ValueError: if no step has all objectives.
    """
    whole = torch.stack([step.present for step in steps]).all(1)
    if not whole.any():
        raise ValueError("steps: one must have all objectives, got none")
    K = torch.stack([step.gramian for step in steps])[whole]
    optimum = potential_delay(rates_of_descent(K, alpha_fair_weights(K)))
    rows = []
    for name in names:
        weights, asked = replay(steps, get_strategy(name))
        rates = rates_of_descent(K, weights[whole])
        cosines = agreement(steps, weights)[whole]
        excess = potential_delay(rates) / optimum - 1
        ascends = (rates < 0).double().mean(0).tolist()
        rows.append(
            {
                "strategy": name,
                "asks": float(asked.double().mean()),
                "cosine": float(cosines.mean()),
                "cosine_5": float(cosines.quantile(0.05)),
                "excess": float(excess.quantile(0.5, interpolation="nearest")),
                "ascends": dict(zip(objectives, ascends, strict=True)),
            }
        )
    return rows
