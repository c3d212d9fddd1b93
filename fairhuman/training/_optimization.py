"""The optimiser and its learning rate, which is a function of the step alone."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from fairhuman.training._settings import TrainSettings

__all__ = ["learning_rate", "make_optimizer"]

_FUSED = ("cpu", "cuda")  # one kernel for all parameters: less than half the time of a loop over them


def make_optimizer(settings: TrainSettings, parameters: list[Tensor]) -> torch.optim.Optimizer:
    """Adam, AdamW, or AdamW with its moments in 8 bits.

    Raises:
        ImportError: ``adamw8bit`` without the package that has it; names the command that installs it.
    """
    rate, decay = settings.learning_rate, settings.weight_decay
    if settings.optimizer == "adamw8bit":
        try:
            from bitsandbytes.optim import AdamW8bit
        except ImportError as error:
            raise ImportError(
                "optimizer: adamw8bit needs the package bitsandbytes; pip install bitsandbytes"
            ) from error
        return AdamW8bit(parameters, lr=rate, weight_decay=decay)
    fused = parameters[0].device.type in _FUSED
    if settings.optimizer == "adam":
        return torch.optim.Adam(parameters, lr=rate, fused=fused)
    return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=fused)


def learning_rate(settings: TrainSettings, step: int) -> float:
    """Learning rate of a step, counted from 0: a linear rise over ``warmup`` steps to
    ``learning_rate``, then ``schedule``. As diffusers' schedulers of the same names have it, but without a
    state that a resumed run would need."""
    if step < settings.warmup:
        return settings.learning_rate * step / settings.warmup
    progress = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    factor = {
        "constant": 1.0,
        "cosine": 0.5 * (1 + math.cos(math.pi * progress)),
        "linear": 1 - progress,
    }
    return settings.learning_rate * factor[settings.schedule]
