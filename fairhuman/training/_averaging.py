"""The weights to evaluate, sample and save: the current ones, or an average over steps."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from fairhuman.training._optimization import schedule_free_average

__all__ = ["Averaging"]


class Averaging:
    """An exponential moving average of the weights, the schedule-free optimiser's average, or none.

    Args:
        parameters: Name → trained parameter.
        optimizer: The optimiser.
        decay: Decay of the moving average, lower during the first steps, as in diffusers' ``EMAModel``;
            ``None`` for no averaging.
    """

    def __init__(
        self, parameters: Mapping[str, Tensor], optimizer: torch.optim.Optimizer, decay: float | None
    ) -> None:
        from diffusers.training_utils import EMAModel

        self._parameters, self._optimizer = parameters, optimizer
        self._moving = None if decay is None else EMAModel(list(parameters.values()), decay=decay)

    def update(self) -> None:
        """Update after an optimiser step."""
        if self._moving is not None:
            self._moving.step(list(self._parameters.values()))

    @property
    def weights(self) -> dict[str, Tensor] | None:
        """Name → averaged weight; ``None`` without averaging."""
        if self._moving is not None:
            return dict(zip(self._parameters, self._moving.shadow_params, strict=True))
        found = {name: schedule_free_average(self._optimizer, w) for name, w in self._parameters.items()}
        averaged = {name: weight for name, weight in found.items() if weight is not None}
        return averaged or None

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Use the averaged values within the block; the original values are restored bit-identically."""
        averaged = self.weights
        if averaged is None:
            yield
            return
        kept = {name: weight.detach().clone() for name, weight in self._parameters.items()}
        _copy(averaged, self._parameters)
        try:
            yield
        finally:
            _copy(kept, self._parameters)

    def state_dict(self) -> dict[str, Any]:
        """State for a checkpoint."""
        steps = None if self._moving is None else self._moving.optimization_step
        return {"steps": steps, "weights": self.weights}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Restore from a checkpoint; the optimiser's own average is in its state."""
        if self._moving is not None:
            self._moving.optimization_step = state["steps"]
            _copy(state["weights"], dict(zip(self._parameters, self._moving.shadow_params, strict=True)))


@torch.no_grad()
def _copy(source: Mapping[str, Tensor], target: Mapping[str, Tensor]) -> None:
    for name, weight in target.items():
        weight.copy_(source[name])
