"""The optimiser, its stored state, and its learning rate, a function of the step only."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from contextlib import redirect_stdout
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from fairhuman.training._settings import TrainSettings

__all__ = [
    "learning_rate",
    "load_optimizer_state",
    "make_optimizer",
    "optimizer_state",
    "schedule_free_average",
]

_FUSED = ("cpu", "cuda")  # one kernel for all parameters: less than half the time of a loop over them


_PACKAGES = {
    "adamw8bit": ("bitsandbytes", "bitsandbytes"),
    "prodigy": ("prodigyopt", "'fairhuman[optimizers]'"),
    "schedulefree": ("schedulefree", "'fairhuman[optimizers]'"),
}
"""Optimiser → its package and install command."""


def make_optimizer(settings: TrainSettings, parameters: list[Tensor]) -> torch.optim.Optimizer:
    """The optimiser selected in the settings; the loop sets its learning rate at each step.

    Raises:
        ImportError: Its package is not installed; the message gives the install command.
    """
    name, rate, decay = settings.optimizer, settings.learning_rate, settings.weight_decay
    try:
        if name == "adamw8bit":
            from bitsandbytes.optim import AdamW8bit

            return AdamW8bit(parameters, lr=rate, weight_decay=decay)
        if name == "prodigy":
            from prodigyopt import Prodigy

            with redirect_stdout(io.StringIO()):  # it announces its kind of weight decay
                return Prodigy(
                    parameters,
                    lr=rate,
                    weight_decay=decay,
                    use_bias_correction=True,
                    safeguard_warmup=settings.warmup > 0,
                )
        if name == "schedulefree":
            from schedulefree import AdamWScheduleFree

            optimizer = AdamWScheduleFree(parameters, lr=rate, weight_decay=decay)
            optimizer.train()
            return optimizer
    except ImportError as error:
        package, wanted = _PACKAGES[name]
        raise ImportError(f"optimizer: {name} needs the package {package}; pip install {wanted}") from error
    fused = parameters[0].device.type in _FUSED
    if name == "adam":
        return torch.optim.Adam(parameters, lr=rate, fused=fused)
    return torch.optim.AdamW(parameters, lr=rate, weight_decay=decay, fused=fused)


def optimizer_state(optimizer: torch.optim.Optimizer) -> dict[str, Any]:
    """Moments and scalar group values, such as Prodigy's estimate, for a checkpoint."""
    state = optimizer.state_dict()
    groups = [
        {name: value for name, value in group.items() if isinstance(value, bool | int | float)}
        for group in state["param_groups"]
    ]
    return {"moments": {str(index): values for index, values in state["state"].items()}, "groups": groups}


def load_optimizer_state(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Restore a state from :func:`optimizer_state`; the learning rate still follows the settings."""
    groups = optimizer.state_dict()["param_groups"]
    moments, kept = state.get("moments", state), state.get("groups", [{}] * len(groups))  # once no groups
    moments = {int(index): values for index, values in moments.items()}
    groups = [group | saved for group, saved in zip(groups, kept, strict=True)]
    optimizer.load_state_dict({"state": moments, "param_groups": groups})


def schedule_free_average(optimizer: torch.optim.Optimizer, weight: Tensor) -> Tensor | None:
    """The averaged point x of a schedule-free optimiser (Defazio et al., 2024), from the gradient point y and
    the iterate z; ``None`` for other optimisers."""
    for group in optimizer.param_groups:
        if "train_mode" in group and any(weight is one for one in group["params"]):
            state, beta = optimizer.state[weight], group["betas"][0]
            return weight.detach().lerp(state["z"], 1 - 1 / beta) if "z" in state else weight.detach().clone()
    return None


def learning_rate(settings: TrainSettings, step: int) -> float:
    """Learning rate of a step, counted from 0: a linear increase over ``warmup`` steps to ``learning_rate``,
    then ``schedule``. Equivalent to diffusers' schedulers of the same names, but stateless."""
    if step < settings.warmup:
        return settings.learning_rate * step / settings.warmup
    progress = (step - settings.warmup) / max(1, settings.steps - settings.warmup)
    factor = {
        "constant": 1.0,
        "cosine": 0.5 * (1 + math.cos(math.pi * progress)),
        "linear": 1 - progress,
    }
    return settings.learning_rate * factor[settings.schedule]
