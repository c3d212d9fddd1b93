"""torchjd strategies with memory of earlier Gram matrices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torchjd.aggregation import MoDoWeighting, PCDWeighting

from fairhuman.fairness._strategy import Strategy, take_gramian, take_state


class PriorityConstrained(Strategy):
    """``pcd``: descent on the first objective, the whole image, constrained by the others.

    Priority-constrained descent, following :class:`torchjd.aggregation.PCD` (arXiv 2606.29521): the direction
    d̃ closest to the primary gradient for which each secondary objective makes at least the fraction ``tau``
    of the progress along its own normalised gradient, gⱼᵀd̃ ≥ τ‖gⱼ‖² after normalisation, rescaled to the
    length of the primary gradient. If the constraints are infeasible, or only the primary objective is
    present, d is the primary gradient, which may be zero. An absent objective is unconstrained, and its
    running norm counts the step as 0.

    Args:
        tau: that fraction, in [0, 1].
        beta: decay of the running squared gradient norms, in [0, 1).
        eps: constant added to these norms. Default 0, because squared gradients in fine-tuning can be as
            small as torchjd's default of 1e-8.
    """

    name = "pcd"

    def __init__(self, tau: float = 0.02, beta: float = 0.999, eps: float = 0.0) -> None:
        self._weighting = PCDWeighting(tau=tau, beta=beta, eps=eps)

    @property
    def needs_gramian(self) -> bool:
        return True

    def weights(self, losses: Tensor, gramian: Tensor | None, present: Tensor) -> Tensor:
        gramian = take_gramian(self, gramian)
        return torch.where(present & (gramian.diagonal() > 0), self._weighting(gramian), 0.0)

    def state_dict(self) -> dict[str, Any]:
        weighting = self._weighting
        return {"squares": weighting._sq_norm_ema, "steps": int(weighting._n_steps or 0)}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        state, weighting = take_state(self, state, "squares", "steps"), self._weighting
        weighting.reset()
        if state["squares"] is not None:
            weighting._sq_norm_ema, weighting._n_steps = state["squares"], torch.tensor(state["steps"])
            weighting._state_key = len(state["squares"])


class MoDo(Strategy):
    """``modo``: weights that take one projected gradient step per training step towards the shortest
    combination.

    Following :class:`torchjd.aggregation.MoDoWeighting`: λ ← Π(λ − γ (Kλ + ρλ)), where Π projects onto
    non-negative weights with sum 1. The method computes K from two independent batches. Here, K comes from
    the step's own batch, which biases λ, and is scaled to a mean diagonal of 1; otherwise, gradients as small
    as in fine-tuning would hardly change λ.

    Args:
        gamma: γ > 0.
        rho: ρ ≥ 0.
    """

    name = "modo"

    def __init__(self, gamma: float = 0.1, rho: float = 0.1) -> None:
        self._weighting = MoDoWeighting(gamma=gamma, rho=rho)

    @property
    def needs_gramian(self) -> bool:
        return True

    def weights(self, losses: Tensor, gramian: Tensor | None, present: Tensor) -> Tensor:
        gramian = take_gramian(self, gramian)
        here = present & (gramian.diagonal() > 0)
        if not bool(here.any()):
            return torch.zeros_like(losses)
        weights = torch.where(here, self._weighting(gramian / gramian.diagonal()[here].mean()), 0.0)
        return weights if bool(weights.any()) else here.to(losses) / here.sum()

    def state_dict(self) -> dict[str, Any]:
        return {"weights": self._weighting._lambda}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        weights, weighting = take_state(self, state, "weights")["weights"], self._weighting
        weighting.reset()
        if weights is not None:
            weighting._lambda = weights.clone()
            weighting._state_key = (len(weights), weights.dtype, weights.device)
