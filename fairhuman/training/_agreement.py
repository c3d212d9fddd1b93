"""Agreement between the processes of a run, so that they neither diverge nor deadlock."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["check_agreement", "largest", "mean"]


def largest(accelerator: Accelerator, number: int) -> int:
    """The maximum of an integer over the processes."""
    if accelerator.num_processes == 1:
        return number
    return int(accelerator.gather(torch.tensor([number], device=accelerator.device)).max())


def mean(accelerator: Accelerator, number: float) -> float:
    """The mean of a number over the processes."""
    if accelerator.num_processes == 1:
        return number
    return float(accelerator.reduce(torch.tensor(number, device=accelerator.device), "mean"))


def check_agreement(accelerator: Accelerator, step: int, parameters: Iterable[Tensor]) -> None:
    """Check that all processes have the same step and bit-identical parameters.

    Raises:
        ValueError: They differ; raised in every process.
    """
    if accelerator.num_processes == 1:
        return
    digest = hashlib.sha256()
    for parameter in parameters:
        digest.update(parameter.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    number = int.from_bytes(digest.digest()[:7], "big")
    every = accelerator.gather(torch.tensor([[step, number]], device=accelerator.device)).tolist()
    if any(one != every[0] for one in every):
        steps = ", ".join(str(one[0]) for one in every)
        raise ValueError(
            f"processes: must start from the same parameters, got different ones, at steps {steps}; do all "
            "see the same files?"
        )
