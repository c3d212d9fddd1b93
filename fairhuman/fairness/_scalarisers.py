"""Strategies that weight losses by their values: one backward pass per step."""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor
from torchjd import scalarization

from fairhuman.fairness._strategy import Strategy, take_state


class FromScalariser(Strategy):
    """A torchjd scalariser s(l) as weights: wᵢ = ∂s/∂lᵢ."""

    def weights(self, losses: Tensor, gramian: Tensor | None, present: Tensor) -> Tensor:
        weights = torch.zeros_like(losses)
        index = self._usable(losses, present).nonzero().squeeze(-1)
        if index.numel():
            with torch.enable_grad():
                values = losses.detach().clone().requires_grad_()
                weights = self._differentiate(values, index)
        return torch.where(present, weights, 0.0)

    def _usable(self, losses: Tensor, present: Tensor) -> Tensor:
        return present

    @abstractmethod
    def _differentiate(self, values: Tensor, index: Tensor) -> Tensor: ...


class ScaleInvariant(FromScalariser):
    """``si``: the geometric mean of the losses, whose direction is invariant to rescaling of a loss.

    Following :class:`torchjd.scalarization.GeometricMean`; the sum of log-losses has the same direction.
    Losses of exactly 0 have no logarithm and are left out.
    """

    name = "si"

    def _usable(self, losses: Tensor, present: Tensor) -> Tensor:
        return present & (losses != 0)

    def _differentiate(self, values: Tensor, index: Tensor) -> Tensor:
        return torch.autograd.grad(scalarization.GeometricMean()(values[index]), values)[0]


class RandomWeighting(FromScalariser):
    """``rlw``: random loss weighting: random weights at each step, the softmax of normal samples.

    Following :class:`torchjd.scalarization.Random`. Samples come from a separate random stream, so that
    data-parallel processes agree and a resumed run continues identically.

    Args:
        seed: seed of that stream.
    """

    name = "rlw"

    def __init__(self, seed: int = 0) -> None:
        self._stream = torch.Generator().manual_seed(seed).get_state()
        self._next = self._stream

    def _differentiate(self, values: Tensor, index: Tensor) -> Tensor:
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._stream)
            total = scalarization.Random()(values[index])
            self._next = torch.get_rng_state()
        return torch.autograd.grad(total, values)[0]

    def advance(self) -> None:
        self._stream = self._next

    def state_dict(self) -> dict[str, Any]:
        return {"stream": self._stream.clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self._stream = take_state(self, state, "stream")["stream"].clone()


class DynamicWeightAverage(FromScalariser):
    """``dwa``: dynamic weight average: more weight for losses that fall slowly.

    Following :class:`torchjd.scalarization.DWA`. An absent objective keeps its last loss.

    Args:
        period: number of steps over which losses are averaged before their rates of decrease are computed, at
            least 1. This replaces the method's epoch, which is long when fine-tuning a diffusion model.
        temperature: larger values give more equal weights; > 0.
    """

    name = "dwa"

    def __init__(self, period: int = 100, temperature: float = 2.0) -> None:
        if isinstance(period, bool) or not isinstance(period, int) or period < 1:
            raise ValueError(f"period: must be an integer of at least 1, got {period!r}")
        self.period = period
        self._scalariser = scalarization.DWA(temperature)
        self._last: Tensor | None = None
        self._steps = 0

    def _differentiate(self, values: Tensor, index: Tensor) -> Tensor:
        seen = values.detach().clone()
        if self._last is not None:
            kept = torch.ones_like(seen, dtype=torch.bool)
            kept[index] = False
            seen = torch.where(kept, self._last, seen)
        self._last = seen
        values = seen.requires_grad_()
        return torch.autograd.grad(self._scalariser(values), values)[0]

    def advance(self) -> None:
        self._steps += 1
        if self._steps % self.period == 0:
            self._scalariser.step()

    def state_dict(self) -> dict[str, Any]:
        scalariser = self._scalariser
        return {
            "steps": self._steps,
            "last": self._last,
            "sum": scalariser._loss_sum,
            "count": scalariser._n_batches,
            "averages": list(scalariser._previous_averages),
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        state = take_state(self, state, "steps", "last", "sum", "count", "averages")
        self._steps, self._last = state["steps"], state["last"]
        self._scalariser._loss_sum, self._scalariser._n_batches = state["sum"], state["count"]
        self._scalariser._previous_averages = list(state["averages"])


class UncertaintyWeighting(FromScalariser):
    """``uw``: uncertainty weighting: weights e^(−s)/2 with learned log-variances s.

    Following :class:`torchjd.scalarization.UW`. The log-variances are learned by plain gradient descent,
    independently of the model's optimiser; that of an absent objective stays unchanged.

    Args:
        learning_rate: learning rate of the log-variances, > 0.
    """

    name = "uw"

    def __init__(self, learning_rate: float = 1e-2) -> None:
        if not learning_rate > 0:
            raise ValueError(f"learning_rate: must be positive, got {learning_rate!r}")
        self.learning_rate = learning_rate
        self._scalariser: scalarization.UW | None = None

    def _differentiate(self, values: Tensor, index: Tensor) -> Tensor:
        if self._scalariser is None:
            self._scalariser = scalarization.UW(len(values)).double()
        s = self._scalariser.log_var
        weights, descent = torch.autograd.grad(self._scalariser(values), (values, s))
        with torch.no_grad():
            s[index] -= self.learning_rate * descent[index]
        return weights

    def state_dict(self) -> dict[str, Any]:
        s = self._scalariser
        return {"log_variances": None if s is None else s.log_var.detach().clone()}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        s = take_state(self, state, "log_variances")["log_variances"]
        self._scalariser = None
        if s is not None:
            self._scalariser = scalarization.UW(len(s)).double()
            self._scalariser.log_var.data.copy_(s)


class FastAdaptive(FromScalariser):
    """``famo``: weights under which all losses fall at the same rate, learned from the effect of each step.

    Following :class:`torchjd.scalarization.FAMO`: weights zᵢ/lᵢ, scaled to sum 1, z a softmax of logits that
    rise where a loss fell less than the others. This needs an additional forward pass on the same batch after
    the step, whose losses are passed to :meth:`review`. Without it, as with plain :func:`fair_backward`, the
    logits stay fixed and every log-loss has equal weight. An absent objective counts as unchanged.

    Args:
        learning_rate: learning rate of the logits, ≥ 0.
        decay: weight decay of the logits, ≥ 0.
    """

    name = "famo"

    def __init__(self, learning_rate: float = 0.025, decay: float = 1e-3) -> None:
        if not 0 <= learning_rate < float("inf"):
            raise ValueError(f"learning_rate: must be a finite number of at least 0, got {learning_rate!r}")
        if not 0 <= decay < float("inf"):
            raise ValueError(f"decay: must be a finite number of at least 0, got {decay!r}")
        self.learning_rate, self.decay = learning_rate, decay
        self._scalariser: scalarization.FAMO | None = None

    @property
    def reviews(self) -> bool:
        return True

    def _usable(self, losses: Tensor, present: Tensor) -> Tensor:
        return present & (losses > 0)

    def _differentiate(self, values: Tensor, index: Tensor) -> Tensor:
        famo = self._famo(len(values))
        among = scalarization.FAMO(len(index)).double()
        among._w.data.copy_(famo._w[index].detach())
        return torch.autograd.grad(among(values[index]), values)[0]

    def _famo(self, count: int) -> scalarization.FAMO:
        if self._scalariser is None:
            self._scalariser = scalarization.FAMO(
                count, lr=self.learning_rate, weight_decay=self.decay
            ).double()
        return self._scalariser

    def review(self, before: Tensor, after: Tensor, present: Tensor) -> None:
        usable = present & (before > 0) & (after > 0)
        famo = self._famo(len(before))
        famo(torch.where(usable, before, 1.0))
        famo.update(torch.where(usable, after, 1.0))

    def state_dict(self) -> dict[str, Any]:
        famo = self._scalariser
        moments = None
        if famo is not None and famo._optimizer is not None:
            moments = dict(famo._optimizer.state_dict()["state"][0])
        return {"logits": None if famo is None else famo._w.detach().clone(), "moments": moments}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        state = take_state(self, state, "logits", "moments")
        self._scalariser = None
        if state["logits"] is None:
            return
        famo = self._famo(len(state["logits"]))
        famo._w.data.copy_(state["logits"])
        if state["moments"] is not None:
            famo._optimizer = torch.optim.Adam([famo._w], lr=self.learning_rate, weight_decay=self.decay)
            groups = famo._optimizer.state_dict()["param_groups"]
            moments = {name: value.clone() for name, value in state["moments"].items()}
            famo._optimizer.load_state_dict({"state": {0: moments}, "param_groups": groups})
