"""α-fair weights at the price of linear scalarisation, by predicting the Gram matrix."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch
from torch import Tensor

from fairhuman.fairness._alpha_fair import alpha_fair_weights, check_alpha
from fairhuman.fairness._strategy import Strategy

Mode = Literal["fitted", "average", "stale"]


class Amortised(Strategy):
    """Exact α-fair steps now and then, one ordinary backward pass of Σ wᵢ lᵢ in between.

    The weights in between follow from a prediction of the Gram matrix, whose diagonal mostly follows the
    batch's timesteps, hence its losses, which are known before the backward pass:

    - ``fitted``: log‖gᵢ‖² from a regression on the logarithms of all losses, fitted by recursive least
      squares at every exact step, and correlations averaged over exact steps;
    - ``average``: the running average of the Gram matrices of exact steps;
    - ``stale``: the weights of the last exact step.

    Args:
        alpha: fairness exponent.
        every: an exact step every so many steps; 1 is always exact.
        warmup: exact steps at the beginning.
        mode: how weights in between are found.
        forgetting: weight of the past at each exact step, in (0, 1], for the regression.
        averaging: the same in (0, 1) for the correlations, or the Gram matrix of ``average``.
    """

    def __init__(
        self,
        alpha: float = 2.0,
        every: int = 10,
        *,
        warmup: int = 8,
        mode: Mode = "fitted",
        forgetting: float = 0.99,
        averaging: float = 0.9,
    ) -> None:
        for name, value, least in (("every", every, 1), ("warmup", warmup, 1)):
            if isinstance(value, bool) or not isinstance(value, int) or value < least:
                raise ValueError(f"`{name}` must be an integer of at least {least}. Found {value!r}.")
        if mode not in get_args(Mode):
            raise ValueError(f"`mode` must be one of {', '.join(get_args(Mode))}. Found {mode!r}.")
        if not 0 < forgetting <= 1:
            raise ValueError(f"`forgetting` must be in (0, 1]. Found {forgetting!r}.")
        if not 0 < averaging < 1:
            raise ValueError(f"`averaging` must be in (0, 1). Found {averaging!r}.")
        self.alpha = check_alpha(alpha)
        self.every, self.warmup, self.mode = every, warmup, mode
        self.name = "mpd_amortised" if self.alpha == 2 else f"amortised_alpha_fair:{self.alpha:g}"
        self._steps = 0
        self._regression = _LogNorms(forgetting)
        self._average = _PairAverage(averaging)
        self._last: Tensor | None = None

    @property
    def needs_gramian(self) -> bool:
        return self._steps < self.warmup or (self._steps - self.warmup) % self.every == 0

    def weights(self, losses: Tensor, gramian: Tensor | None, present: Tensor) -> Tensor:
        self._regression.begin(losses)
        features = self._regression.features(losses, present)
        if gramian is None:
            return self._predicted(features, present)
        norms = gramian.diagonal()
        here = present & (norms > 0)
        self._regression.update(features, norms, here)
        self._average.update(gramian if self.mode == "average" else _correlations(gramian), here)
        weights = alpha_fair_weights(gramian, self.alpha)
        seen = weights > 0
        self._last = weights if self._last is None else torch.where(seen, weights, self._last)
        return weights

    def advance(self) -> None:
        self._steps += 1

    def predicted_gramian(self, losses: Tensor, present: Tensor) -> Tensor:
        """The Gram matrix that the next step would assume, shape (m, m); not used by mode ``stale``."""
        self._regression.begin(losses)
        return self._gramian(self._regression.features(losses, present), present)

    def _predicted(self, features: Tensor, present: Tensor) -> Tensor:
        if self.mode == "stale":
            weights = torch.zeros(len(present), dtype=torch.float64) if self._last is None else self._last
            return torch.where(present, weights, 0.0)
        return alpha_fair_weights(self._gramian(features, present), self.alpha)

    def _gramian(self, features: Tensor, present: Tensor) -> Tensor:
        known = present & self._average.known
        K = self._average.value
        if self.mode == "fitted":
            norms = self._regression.predict(features)
            K = _positive(K) * norms.unsqueeze(0) * norms.unsqueeze(1)
        return torch.where(known.unsqueeze(0) & known.unsqueeze(1), K, 0.0)

    def state_dict(self) -> dict[str, Any]:
        return {
            "steps": self._steps,
            "last": self._last,
            "regression": self._regression.state(),
            "average": self._average.state(),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        keys = {"steps", "last", "regression", "average"}
        if set(state) != keys:
            raise ValueError(f"A state of `{self.name}` has the keys {sorted(keys)}. Found {sorted(state)}.")
        self._steps, self._last = state["steps"], state["last"]
        self._regression.load(state["regression"])
        self._average.load(state["average"])


class _LogNorms:
    """Recursive least squares of log‖gᵢ‖² on (1, log l₁ − mean, …, log lₘ − mean).

    A priori each follows its own log-loss with slope 1, as the gradient of a squared error does.
    """

    INTERCEPT_VARIANCE, SLOPE_VARIANCE, NOISE_VARIANCE = 1e4, 0.25, 0.1

    def __init__(self, forgetting: float) -> None:
        self._forgetting = forgetting
        self._tensors: dict[str, Tensor] = {}

    def begin(self, losses: Tensor) -> None:
        if self._tensors:
            return
        m = len(losses)
        prior = torch.full((m + 1,), self.SLOPE_VARIANCE / self.NOISE_VARIANCE, dtype=torch.float64)
        prior[0] = self.INTERCEPT_VARIANCE / self.NOISE_VARIANCE
        self._tensors = {
            "coefficients": torch.cat([torch.zeros(m, 1), torch.eye(m)], dim=1).double(),
            "covariance": torch.diag(prior).repeat(m, 1, 1),
            "mean": torch.zeros(m, dtype=torch.float64),
            "count": torch.zeros(m, dtype=torch.float64),
        }

    def features(self, losses: Tensor, present: Tensor) -> Tensor:
        """Centred log-losses with a leading 1; 0 for what is absent. Updates the means."""
        logs = losses.abs().clamp_min(1e-30).log()
        mean, count = self._tensors["mean"], self._tensors["count"]
        usable = present & (losses != 0)
        count = count + usable
        # The first losses fix the origin; shifting it later would make the intercept wrong.
        settling = usable & (count <= 1)
        mean = torch.where(settling, logs, mean)
        self._tensors.update(mean=mean, count=count)
        return torch.cat([torch.ones(1, dtype=torch.float64), torch.where(usable, logs - mean, 0.0)])

    def update(self, features: Tensor, squares: Tensor, here: Tensor) -> None:
        W, P = self._tensors["coefficients"], self._tensors["covariance"]
        W, P = W.clone(), P.clone()
        for i in here.nonzero().squeeze(-1).tolist():
            gain = P[i] @ features
            gain = gain / (self._forgetting + features @ gain)
            W[i] += gain * (squares[i].log() - W[i] @ features)
            P[i] = (P[i] - torch.outer(gain, features @ P[i])) / self._forgetting
            P[i] = (P[i] + P[i].mT) / 2
        self._tensors.update(coefficients=W, covariance=P)

    def predict(self, features: Tensor) -> Tensor:
        """Gradient norms, shape (m,)."""
        return (self._tensors["coefficients"] @ features).div(2).exp()

    def state(self) -> dict[str, Tensor]:
        return {name: tensor.clone() for name, tensor in self._tensors.items()}

    def load(self, state: dict[str, Tensor]) -> None:
        self._tensors = {name: tensor.clone() for name, tensor in state.items()}


class _PairAverage:
    """Exponential average of a matrix, entry by entry over the steps in which both objectives were."""

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._sum: Tensor | None = None
        self._weight: Tensor | None = None

    def update(self, matrix: Tensor, here: Tensor) -> None:
        if self._sum is None or self._weight is None:
            self._sum, self._weight = torch.zeros_like(matrix), torch.zeros_like(matrix)
        both = here.unsqueeze(0) & here.unsqueeze(1)
        decayed = self._decay * self._sum + (1 - self._decay) * matrix
        self._sum = torch.where(both, decayed, self._sum)
        weighed = self._decay * self._weight + (1 - self._decay)
        self._weight = torch.where(both, weighed, self._weight)

    @property
    def known(self) -> Tensor:
        if self._weight is None:
            return torch.zeros(1, dtype=torch.bool)
        return self._weight.diagonal() > 0

    @property
    def value(self) -> Tensor:
        if self._sum is None or self._weight is None:
            return torch.zeros(1, 1, dtype=torch.float64)
        return torch.where(self._weight > 0, self._sum / self._weight, 0.0)

    def state(self) -> dict[str, Tensor | None]:
        return {"sum": self._sum, "weight": self._weight}

    def load(self, state: dict[str, Tensor | None]) -> None:
        self._sum, self._weight = state["sum"], state["weight"]


def _correlations(gramian: Tensor) -> Tensor:
    norms = gramian.diagonal().clamp_min(0).sqrt()
    norms = torch.where(norms > 0, norms, 1.0)
    return gramian / norms.unsqueeze(0) / norms.unsqueeze(1)


def _positive(correlations: Tensor, least: float = 1e-3) -> Tensor:
    """The matrix with eigenvalues of at least ``least``, rescaled to a unit diagonal where it had one.

    Averages over different steps for different pairs need not be positive definite.
    """
    values, vectors = torch.linalg.eigh(correlations)
    lifted = (vectors * values.clamp_min(least)) @ vectors.mT
    norms = lifted.diagonal().sqrt()
    return lifted / norms.unsqueeze(0) / norms.unsqueeze(1)
