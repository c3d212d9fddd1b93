"""Prediction of a batch's Gram matrix from information available before its backward pass."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

_INTERCEPT_VARIANCE, _NOISE_VARIANCE = 1e3, 0.4
_SLOPES = {False: (1.0, 0.25), True: (0.9, 0.1)}
"""Prior mean and variance of the slope, for losses and for a sketch."""
_TRUST = 0.5
"""Factor applied to deviations of the sketch's cosines from their average."""


class GramianPrediction:
    """log‖gᵢ‖² by recursive least squares on the logarithm of its *size*, cosines by averaging.

    An objective's size is its loss or, if available, its diagonal entry in the gradient sketch. All
    objectives share one slope; each has its own intercept. If there is a sketch, its cosines indicate on
    which side of their average the gradients' cosines lie.

    Args:
        forgetting: decay factor of past data in the regression per update, in (0, 1].
        averaging: decay factor of the cosines, in (0, 1).
    """

    def __init__(self, forgetting: float, averaging: float) -> None:
        self._forgetting = forgetting
        self._cosines = PairAverage(averaging)
        self._tensors: dict[str, Tensor] = {}
        self._sketched: bool | None = None

    def predict(self, losses: Tensor, sketch: Tensor | None, present: Tensor) -> Tensor:
        """The Gram matrix, shape (m, m); rows of objectives not seen before are 0."""
        self._check(sketch)
        known = present & self._cosines.known
        if not self._tensors:
            return torch.zeros(len(losses), len(losses), dtype=torch.float64)
        logs = self._rows(losses, sketch) @ self._tensors["coefficients"]
        norms = torch.where(known, logs.div(2).exp(), 0.0)
        C = self._cosines.value + _deviation(sketch)
        C = positive(torch.where(torch.eye(len(norms), dtype=torch.bool), 1.0, C))
        return C * norms.unsqueeze(0) * norms.unsqueeze(1)

    def update(self, losses: Tensor, sketch: Tensor | None, gramian: Tensor, here: Tensor) -> None:
        """Update from a step with a known Gram matrix."""
        self._check(sketch)
        m = len(losses)
        sizes = _sizes(losses, sketch)
        usable = here & (sizes > 0)
        if not self._tensors:
            self._sketched = sketch is not None
            slope, variance = _SLOPES[self._sketched]
            spread = torch.tensor([*[_INTERCEPT_VARIANCE] * m, variance], dtype=torch.float64)
            self._tensors = {
                "coefficients": torch.tensor([*[0.0] * m, slope], dtype=torch.float64),
                "covariance": torch.diag(spread),
                "origin": torch.full((m,), torch.nan, dtype=torch.float64),
            }
        # The first sizes fix the origin; shifting it later would invalidate the intercepts.
        new = usable & self._tensors["origin"].isnan()
        self._tensors["origin"] = torch.where(new, _log(sizes), self._tensors["origin"])
        w, P = self._tensors["coefficients"], self._tensors["covariance"]
        rows, targets = self._rows(losses, sketch), _log(gramian.diagonal())
        for i in usable.nonzero().squeeze(-1).tolist():
            gain = P @ rows[i]
            gain = gain / (_NOISE_VARIANCE * self._forgetting + rows[i] @ gain)
            w = w + gain * (targets[i] - w @ rows[i])
            P = (P - torch.outer(gain, rows[i] @ P)) / self._forgetting
            P = (P + P.mT) / 2
        self._tensors.update(coefficients=w, covariance=P)
        self._cosines.update(cosines(gramian) - _deviation(sketch), here)

    def _rows(self, losses: Tensor, sketch: Tensor | None) -> Tensor:
        """One regression row per objective: its intercept and its centred log-size."""
        centred = _log(_sizes(losses, sketch)) - self._tensors["origin"]
        return torch.cat([torch.eye(len(losses)).double(), centred.nan_to_num(0.0).unsqueeze(1)], dim=1)

    def _check(self, sketch: Tensor | None) -> None:
        if self._sketched is not None and self._sketched != (sketch is not None):
            raise ValueError("output: must be given to the fair backward pass at every step or at none")

    def state(self) -> dict[str, Any]:
        return {"sketched": self._sketched, "tensors": dict(self._tensors), "cosines": self._cosines.state()}

    def load(self, state: dict[str, Any]) -> None:
        self._sketched, self._tensors = state["sketched"], dict(state["tensors"])
        self._cosines.load(state["cosines"])


class PairAverage:
    """Elementwise exponential average of a matrix over the steps in which both objectives were present."""

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


def cosines(gramian: Tensor) -> Tensor:
    """Cosines between gradients, shape (m, m); 0 for zero gradients."""
    norms = gramian.diagonal().clamp_min(0).sqrt()
    norms = torch.where(norms > 0, norms, 1.0)
    return gramian / norms.unsqueeze(0) / norms.unsqueeze(1)


def positive(matrix: Tensor, least: float = 1e-2) -> Tensor:
    """Clamp the eigenvalues of a cosine matrix to at least ``least`` and rescale it to a unit diagonal.

    Averages over different steps for different pairs may not be positive definite.
    """
    if not bool(matrix.isfinite().all()):
        return matrix
    values, vectors = torch.linalg.eigh(matrix)
    lifted = (vectors * values.clamp_min(least)) @ vectors.mT
    norms = lifted.diagonal().sqrt()
    return lifted / norms.unsqueeze(0) / norms.unsqueeze(1)


def _sizes(losses: Tensor, sketch: Tensor | None) -> Tensor:
    return losses.abs() if sketch is None else sketch.diagonal()


def _log(values: Tensor) -> Tensor:
    return values.clamp_min(1e-300).log()


def _deviation(sketch: Tensor | None) -> Tensor:
    if sketch is None:
        return torch.zeros((), dtype=torch.float64)
    C = cosines(sketch)
    return _TRUST * (C - torch.diag(C.diagonal()))
