"""Strategies based on the shortest convex combination of the gradients."""

from __future__ import annotations

import itertools
import math
from typing import Any

import torch
from torch import Tensor

from fairhuman.fairness._strategy import FromGramian, Strategy, take_state

_MOST = 12
"""Maximum number of objectives for which every support is tried."""


def min_norm_weights(gramian: Tensor, offset: Tensor | None = None) -> Tensor:
    """Weights w ≥ 0 with sum 1 that minimise ‖Σ (wᵢ + cᵢ) gᵢ‖; c = 0 gives MGDA.

    Exact up to rounding: on each support, the minimum solves a linear system; the best feasible one is
    returned.

    Args:
        gramian: Gram matrix of the gradients, shape (m, m), float64, m ≤ 12.
        offset: c, shape (m,). Default: 0.

    Returns:
        shape (m,), float64.

    Raises:
        ValueError: if m is above 12.

    Example:
        >>> import torch
        >>> min_norm_weights(torch.diag(torch.tensor([1.0, 3.0], dtype=torch.float64)))
        tensor([0.7500, 0.2500], dtype=torch.float64)
    """
    m = len(gramian)
    if m > _MOST:
        raise ValueError(f"gramian: must be of at most {_MOST} objectives here, got {m}")
    c = gramian.new_zeros(m) if offset is None else offset.to(gramian)
    scale = gramian.diagonal().amax()
    K = gramian / scale if scale > 0 else gramian
    best, least = K.new_full((m,), 1 / m), math.inf
    for size in range(1, m + 1):
        for support in itertools.combinations(range(m), size):
            index = torch.tensor(support)
            w = K.new_zeros(m)
            w[index] = _on_support(K[index][:, index], (K @ c)[index])
            value = float((w + c) @ K @ (w + c))
            if bool((w >= 0).all()) and value < least:
                best, least = w, value
    return best


def _on_support(K: Tensor, slope: Tensor) -> Tensor:
    """Minimiser of ½wᵀKw + wᵀs with Σ w = 1, of any sign."""
    if len(K) == 1:
        return torch.ones_like(slope)
    # From the last weight on: no multiplier, whose scale would spoil the system's condition.
    basis = torch.cat([torch.eye(len(K) - 1).to(K), -K.new_ones(1, len(K) - 1)])
    start = K.new_zeros(len(K))
    start[-1] = 1
    moved = torch.linalg.pinv(basis.mT @ K @ basis, hermitian=True) @ (basis.mT @ (K @ start + slope))
    return start - basis @ moved


class SDMGrad(FromGramian):
    """``sdmgrad``: MGDA pulled towards the mean gradient, min ‖Σ (wᵢ + λ/m) gᵢ‖.

    SDMGrad (arXiv 2305.18409) computes inner products from two independent batches and takes a few steps of
    gradient descent. Here, inner products come from the step's own batch, which biases the weights, and the
    minimum is exact. λ = 0 is MGDA; λ → ∞ gives the mean gradient.

    Args:
        pull: λ, at least 0.

    Raises:
        ValueError: if ``pull`` is negative or not finite.
    """

    def __init__(self, pull: float = 0.3) -> None:
        if not 0 <= pull < math.inf:
            raise ValueError(f"pull: must be a finite number of at least 0, got {pull!r}")
        self.pull = pull
        super().__init__("sdmgrad", self._pulled)

    def _pulled(self, gramian: Tensor) -> Tensor:
        offset = torch.full_like(gramian[0], self.pull / len(gramian))
        return (min_norm_weights(gramian, offset) + offset) / (1 + self.pull)


class PeriodicMinNorm(Strategy):
    """``psmgd``: MGDA's weights, computed at every R-th step and reused in between.

    PSMGD (arXiv 2412.10961) is the closest published relative of :class:`Amortised`, which predicts the
    weights in between instead of keeping them. An objective that is absent at an update keeps its previous
    weight; if all present objectives have weight 0, they are weighted equally.

    Args:
        every: R, at least 1; 1 is MGDA.
        momentum: fraction of the old weights kept at an update, in [0, 1).

    Raises:
        ValueError: if an argument is out of range.
    """

    name = "psmgd"

    def __init__(self, every: int = 4, *, momentum: float = 0.0) -> None:
        if isinstance(every, bool) or not isinstance(every, int) or every < 1:
            raise ValueError(f"every: must be an integer of at least 1, got {every!r}")
        if not 0 <= momentum < 1:
            raise ValueError(f"momentum: must be in [0, 1), got {momentum!r}")
        self.every, self.momentum = every, momentum
        self._steps = 0
        self._last: Tensor | None = None

    @property
    def needs_gramian(self) -> bool:
        return self._steps % self.every == 0

    def weights(self, losses: Tensor, gramian: Tensor | None, present: Tensor) -> Tensor:
        if gramian is not None:
            self._renew(gramian)
        last = torch.zeros_like(losses) if self._last is None else self._last
        weights = torch.where(present, last, 0.0)
        if bool(weights.any()) or not bool(present.any()):
            return weights
        return present.to(losses) / present.sum()

    def _renew(self, gramian: Tensor) -> None:
        index = (gramian.diagonal() > 0).nonzero().squeeze(-1)
        if not index.numel():
            return
        found = gramian.new_zeros(len(gramian)) if self._last is None else self._last.clone()
        new = min_norm_weights(gramian[index][:, index])
        kept = 0.0 if self._last is None else self.momentum
        found[index] = kept * found[index] + (1 - kept) * new
        self._last = found

    def advance(self) -> None:
        self._steps += 1

    def state_dict(self) -> dict[str, Any]:
        return {"steps": self._steps, "last": self._last}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        state = take_state(self, state, "steps", "last")
        self._steps, self._last = state["steps"], state["last"]
