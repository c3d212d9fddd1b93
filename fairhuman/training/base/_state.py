"""What both trainings share: the learning rate, the moving average, the checkpoints."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import torch
from torch import nn

from fairhuman.training._checkpoint import latest_checkpoint, load_checkpoint, save_checkpoint


def rate(step: int, steps: int, warmup: int, decay: int) -> float:
    """Share of the peak learning rate at a step: linear rise, constant, linear fall to 0.

    >>> [round(rate(step, 10, 2, 4), 2) for step in range(10)]
    [0.5, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 0.75, 0.5, 0.25]
    """
    rise = min(1.0, (step + 1) / warmup) if warmup else 1.0
    fall = min(1.0, (steps - step) / decay) if decay else 1.0
    return min(rise, fall)


def autocast(precision: str, device: str = "cpu") -> AbstractContextManager:
    """Forward passes in bfloat16 if asked for."""
    return torch.autocast(device, torch.bfloat16, enabled=precision == "bfloat16")


class Average:
    """Exponential moving average of some modules' weights, short at first.

    Args:
        modules: Modules to follow.
        decay: Decay once warmed up.
    """

    def __init__(self, modules: Iterable[nn.Module], decay: float) -> None:
        self.live = list(modules)
        self.modules = [copy.deepcopy(module).eval().requires_grad_(False) for module in self.live]
        self.decay = decay

    @torch.no_grad()
    def update(self, step: int) -> None:
        """Move towards the live weights after the step-th step (from 0)."""
        decay = min(self.decay, (1 + step) / (10 + step))
        for average, live in zip(self.modules, self.live, strict=True):
            for kept, new in zip(average.parameters(), live.parameters(), strict=True):
                kept.lerp_(new.detach(), 1 - decay)


def save_state(
    folder: Path,
    step: int,
    modules: list[nn.Module],
    average: Average,
    optimizers: list[torch.optim.Optimizer],
) -> None:
    """Checkpoint weights, their average and the optimisers' moments; older checkpoints go."""
    state: dict[str, Any] = {
        "live": [module.state_dict() for module in modules],
        "average": [module.state_dict() for module in average.modules],
        "optimizers": [optimizer.state_dict()["state"] for optimizer in optimizers],
    }
    folder.mkdir(parents=True, exist_ok=True)
    save_checkpoint(folder, step, state, keep=1)


def load_state(
    folder: Path, modules: list[nn.Module], average: Average, optimizers: list[torch.optim.Optimizer]
) -> int:
    """Take up the latest checkpoint, if there is one; returns the steps done."""
    path = latest_checkpoint(folder)
    if path is None:
        return 0
    step, state = load_checkpoint(path)
    for module, saved in zip(modules, state["live"], strict=True):
        module.load_state_dict(saved)
    for module, saved in zip(average.modules, state["average"], strict=True):
        module.load_state_dict(saved)
    for optimizer, saved in zip(optimizers, state["optimizers"], strict=True):
        groups = optimizer.state_dict()["param_groups"]
        moments = {int(index): values for index, values in saved.items()}
        optimizer.load_state_dict({"state": moments, "param_groups": groups})
    return step


def set_rate(optimizers: list[torch.optim.Optimizer], share: float) -> None:
    """Set each group's learning rate to a share of its peak, which the group carries as ``peak``."""
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = share * group["peak"]
