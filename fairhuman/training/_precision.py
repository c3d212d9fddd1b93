"""Half precision: the frozen base's type, and a loss scale against underflow."""

from __future__ import annotations

from typing import Any

import torch

__all__ = ["PRECISIONS", "LossScale"]

PRECISIONS = {"no": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


class LossScale:
    """The dynamic loss scale of float16: halved after a non-finite step, doubled after ``interval``
    consecutive finite steps, as in ``torch.amp.GradScaler``.

    That class scales the loss and unscales ``.grad`` just before the optimiser's step. Here, gradients must
    be unscaled earlier, before their inner products are computed, because the weights of a fair strategy are
    not proportional to the scale. :func:`fairhuman.fairness.fair_backward` therefore receives :attr:`value`,
    and this class only maintains it.

    Args:
        precision: Only ``fp16`` has a scale other than 1: bfloat16 has the range of float32.
        start: Initial scale.
        interval: Finite steps after which the scale is doubled.
    """

    START = 65536.0

    def __init__(self, precision: str, start: float = START, interval: int = 2000) -> None:
        self.dynamic, self.interval = precision == "fp16", interval
        self.value = start if self.dynamic else 1.0
        self._finite_steps = 0

    def update(self, finite: bool) -> None:
        """Update after a step."""
        if not self.dynamic:
            return
        self._finite_steps = self._finite_steps + 1 if finite else 0
        if not finite:
            self.value /= 2
        elif self._finite_steps == self.interval:
            self.value, self._finite_steps = 2 * self.value, 0

    def state_dict(self) -> dict[str, Any]:
        """Scale and count, for a checkpoint."""
        return {"value": self.value, "finite_steps": self._finite_steps}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state saved by :meth:`state_dict`."""
        self.value, self._finite_steps = state["value"], state["finite_steps"]
