"""Nash-MTL through torchjd."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchjd.aggregation import NashMTL

from fairhuman.fairness._strategy import Strategy


class Nash(Strategy):
    """``nash_mtl``: the bargaining solution, K w = 1/w, approximated by torchjd's successive programs.

    It is what ``alpha_fair:1`` solves exactly, but starts from the previous step's weights, stops at a
    coarse tolerance and by default shortens the direction to norm 1. Kept as the published baseline.

    Args:
        max_norm: length to which a longer direction is cut; 0 for none.
    """

    name = "nash_mtl"

    def __init__(self, max_norm: float = 1.0) -> None:
        NashMTL(1, max_norm)  # refuses bad options and missing packages now, not at the first step
        self._max_norm = max_norm
        self._solvers: dict[tuple[int, ...], NashMTL] = {}
        self._kept: dict[tuple[int, ...], Any] = {}

    @property
    def needs_gramian(self) -> bool:
        return True

    def weights(self, losses: Tensor, gramian: Tensor | None, present: Tensor) -> Tensor:
        if gramian is None:
            raise ValueError("Strategy `nash_mtl` needs the Gram matrix; `gramian` is None.")
        index = (gramian.diagonal() > 0).nonzero().squeeze(-1)
        weights = gramian.new_zeros(len(gramian))
        if index.numel():
            weights[index] = self._solver(tuple(index.tolist()))(_root(gramian[index][:, index]))
        return weights

    def _solver(self, key: tuple[int, ...]) -> Any:
        # One for each set of present objectives: torchjd's keeps weights of a fixed number of them.
        if key not in self._solvers:
            self._solvers[key] = NashMTL(len(key), self._max_norm)
            if key in self._kept:
                self._solvers[key].weighting.prvs_alpha = self._kept.pop(key)
        return self._solvers[key].weighting

    def state_dict(self) -> dict[str, Any]:
        solved = {key: solver.weighting.prvs_alpha for key, solver in self._solvers.items()}
        kept = self._kept | solved
        return {" ".join(map(str, key)): torch.as_tensor(value) for key, value in kept.items()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._solvers.clear()
        try:
            self._kept = {tuple(map(int, key.split())): value.numpy().copy() for key, value in state.items()}
        except (ValueError, AttributeError) as error:
            raise ValueError(f"Not a state of strategy `nash_mtl`: the keys {sorted(state)}.") from error


def _root(gramian: Tensor) -> Tensor:
    """A square matrix with that Gram matrix, as torchjd's solver asks for gradients."""
    values, vectors = torch.linalg.eigh(gramian)
    return vectors * values.clamp_min(0).sqrt()
