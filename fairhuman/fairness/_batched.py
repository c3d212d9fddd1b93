"""Gradients of several losses by one batched vector-Jacobian product."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


class NotBatchable(Exception):
    """An operation in the graph has no batching rule; the message names it."""


def batched_gradients(losses: Sequence[Tensor], parameters: Sequence[Tensor]) -> list[list[Tensor | None]]:
    """Gradient of each loss with respect to each parameter, None for parameters on which no loss depends.

    The graph is retained, so that losses can still be differentiated one at a time.

    Args:
        losses: m scalars on one device.
        parameters: tensors to differentiate with respect to.

    Raises:
        NotBatchable: if torch cannot batch an operation; gives torch's reason.
        MemoryError, torch.OutOfMemoryError: as without batching.

    Example:
        >>> import torch
        >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> batched_gradients([x.sum(), x[0] * x[1]], [x])
        [[tensor([1., 1.])], [tensor([2., 1.])]]
    """
    try:
        together = torch.stack([loss.reshape(()) for loss in losses])
        units = torch.eye(len(losses), dtype=together.dtype, device=together.device)
        found = torch.autograd.grad(
            together, parameters, units, is_grads_batched=True, retain_graph=True, allow_unused=True
        )
    except torch.OutOfMemoryError:
        raise
    except (RuntimeError, NotImplementedError) as error:
        reason = str(error).strip().splitlines()
        if "memory" in str(error):  # of the CPU's allocator
            raise
        raise NotBatchable(reason[0] if reason else type(error).__name__) from error
    return [[None if g is None else g[i] for g in found] for i in range(len(losses))]
