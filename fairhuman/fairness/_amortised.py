"""α-fair weights at the cost of linear scalarisation, by predicting the Gram matrix."""

from __future__ import annotations

import math
from typing import Any, Literal, get_args

import torch
from torch import Tensor

from fairhuman.fairness._alpha_fair import alpha_fair_weights, check_alpha
from fairhuman.fairness._direction import cosine
from fairhuman.fairness._prediction import GramianPrediction, PairAverage
from fairhuman.fairness._strategy import Strategy

Mode = Literal["fitted", "average", "stale"]
_SPREAD = 0.35
"""Assumed error of a predicted log-norm."""
_REMEMBERED = 50
"""Number of past steps whose uncertainty is kept."""
_SOONEST, _LATEST = 0.5, 2.0
"""Accumulated exact-step credit at which an exact step is allowed, and at which it is forced."""


class Amortised(Strategy):
    """Occasional exact α-fair steps, with an ordinary backward pass of Σ wᵢ lᵢ in between.

    In between, the weights come from a prediction of the Gram matrix:

    - ``fitted``: a regression, updated at every exact step, on information available before the backward
      pass: a sketch of the gradients if :func:`fair_backward` receives ``output``, otherwise the losses; see
      :class:`GramianPrediction`;
    - ``average``: the running average of the Gram matrices of exact steps;
    - ``stale``: the weights of the last exact step.

    In mode ``fitted``, exact steps are taken where the direction is most sensitive to prediction errors. A
    step's *doubt* is how far the direction turns when each predicted norm changes by a factor of e^±0.35. The
    most doubtful fraction 1/``every`` of the steps is exact.

    Args:
        alpha: fairness exponent.
        every: average number of steps per exact step; 1 makes every step exact.
        warmup: number of exact steps at the start.
        mode: how the weights in between are computed.
        adaptive: False takes exact steps at regular intervals, as the other modes do.
        forgetting: decay factor of past data in the regression per exact step, in (0, 1].
        averaging: decay factor in (0, 1) for the cosines, or for the Gram matrix of mode ``average``.
    """

    def __init__(
        self,
        alpha: float = 2.0,
        every: int = 8,
        *,
        warmup: int = 8,
        mode: Mode = "fitted",
        adaptive: bool = True,
        forgetting: float = 0.99,
        averaging: float = 0.9,
    ) -> None:
        for name, value, least in (("every", every, 1), ("warmup", warmup, 1)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"{name}: must be an integer of at least {least}, got {value!r}")
        if mode not in get_args(Mode):
            raise ValueError(f"mode: must be one of {', '.join(get_args(Mode))}, got {mode!r}")
        if not 0 < forgetting <= 1:
            raise ValueError(f"forgetting: must be in (0, 1], got {forgetting!r}")
        if not 0 < averaging < 1:
            raise ValueError(f"averaging: must be in (0, 1), got {averaging!r}")
        self.alpha = check_alpha(alpha)
        self.every, self.warmup, self.mode = every, warmup, mode
        self.adaptive = adaptive and mode == "fitted"
        self.name = "mpd_amortised" if self.alpha == 2 else f"amortised_alpha_fair:{self.alpha:g}"
        self._steps, self._saved = 0, 0.0
        self._doubts: list[float] = []
        self._prediction = GramianPrediction(forgetting, averaging)
        self._average = PairAverage(averaging)
        self._last: Tensor | None = None
        self._begin()

    def _begin(self) -> None:
        self._sketch: Tensor | None = None
        self._doubt: float | None = None
        self._exact: bool | None = None

    @property
    def foresees(self) -> bool:
        return self.mode == "fitted"

    def foresee(
        self, losses: Tensor, present: Tensor, sketch: Tensor | None = None, *, begins: bool = True
    ) -> None:
        if begins:
            self._begin()
        self._sketch = sketch
        if begins and self.adaptive and self._steps > 0:
            self._doubt = _doubt(self._prediction.predict(losses, sketch, present), self.alpha)
            self._exact = self._steps < self.warmup or self._is_due(self._doubt)

    def _is_due(self, doubt: float) -> bool:
        saved = self._saved + 1 / self.every
        if self.every == 1 or saved >= _LATEST or not self._doubts:
            return True
        past = torch.tensor(self._doubts, dtype=torch.float64)
        return saved >= _SOONEST and doubt >= float(past.quantile(1 - 1 / self.every))

    @property
    def needs_gramian(self) -> bool:
        if self._exact is not None:
            return self._exact
        return self._steps < self.warmup or (self._steps - self.warmup) % self.every == 0

    def weights(self, losses: Tensor, gramian: Tensor | None, present: Tensor) -> Tensor:
        if gramian is None:
            return self._predicted(losses, present)
        here = present & (gramian.diagonal() > 0)
        if self.mode == "fitted":
            self._prediction.update(losses, self._sketch, gramian, here)
        self._average.update(gramian, here)
        weights = alpha_fair_weights(gramian, self.alpha)
        seen = weights > 0
        self._last = weights if self._last is None else torch.where(seen, weights, self._last)
        return weights

    def advance(self) -> None:
        if self._doubt is not None:
            self._doubts = [*self._doubts[1 - _REMEMBERED :], self._doubt]
            if self._steps >= self.warmup:
                self._saved += 1 / self.every - bool(self._exact)
        self._steps += 1
        self._begin()

    def predicted_gramian(self, losses: Tensor, present: Tensor, sketch: Tensor | None = None) -> Tensor:
        """The Gram matrix predicted for the next step, shape (m, m); not used by mode ``stale``."""
        if self.mode == "fitted":
            return self._prediction.predict(losses, sketch, present)
        known = present & self._average.known
        return torch.where(known.unsqueeze(0) & known.unsqueeze(1), self._average.value, 0.0)

    def _predicted(self, losses: Tensor, present: Tensor) -> Tensor:
        if self.mode == "stale":
            weights = torch.zeros(len(present), dtype=torch.float64) if self._last is None else self._last
            return torch.where(present, weights, 0.0)
        return alpha_fair_weights(self.predicted_gramian(losses, present, self._sketch), self.alpha)

    def state_dict(self) -> dict[str, Any]:
        return {
            "steps": self._steps,
            "saved": self._saved,
            "doubts": list(self._doubts),
            "last": self._last,
            "prediction": self._prediction.state(),
            "average": self._average.state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        keys = {"steps", "saved", "doubts", "last", "prediction", "average"}
        if set(state) != keys:
            raise ValueError(
                f"state: must have the keys {sorted(keys)} of strategy {self.name}, got {sorted(state)}"
            )
        self._steps, self._saved, self._last = state["steps"], state["saved"], state["last"]
        self._doubts = list(state["doubts"])
        self._prediction.load(state["prediction"])
        self._average.load(state["average"])
        self._begin()


def _doubt(gramian: Tensor, alpha: float) -> float:
    """Sum of 1 − cosine between the direction and the one with each objective's gradient norm scaled by
    e^±0.35; infinite if the prediction is not finite."""
    if not bool(gramian.isfinite().all()):
        return math.inf
    weights = alpha_fair_weights(gramian, alpha)
    doubt = 0.0
    for i in (gramian.diagonal() > 0).nonzero().squeeze(-1).tolist():
        for change in (-_SPREAD, _SPREAD):
            factors = torch.ones_like(weights)
            factors[i] = math.exp(change)
            other = gramian * factors.unsqueeze(0) * factors.unsqueeze(1)
            doubt += 1 - float(cosine(other, weights, alpha_fair_weights(other, alpha)))
    return doubt
