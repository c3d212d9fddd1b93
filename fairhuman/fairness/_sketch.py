"""A gradient estimate from the network's output, before any backward pass through the network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_FINE = 0.003
"""Weight of the output gradient's spatial variation, so that no estimate is zero."""
_NOISE_SLOPE = 2.0
"""Growth of the log squared gradient with the noise level, for the same error."""


def sketch_of(losses: Sequence[Tensor | None], output: Tensor, noise: Tensor | None = None) -> Tensor:
    """A cheap estimate of the gradients' Gram matrix.

    The gradients with respect to the *output* only need a backward pass through the losses, and they are
    informative about those with respect to the parameters: the spatially constant part affects a UNet's
    attention layers by far the most. The sketch is therefore the Gram matrix of the spatial means, summed
    over examples.

    Args:
        losses: m scalar losses; None for absent objectives.
        output: the tensor from which they were computed, on their graph, shape (batch, channels, ...).
        noise: noise level of each example, from 0 to 1 (pure noise), shape (batch,): the same error gives
            larger parameter gradients at higher noise levels.

    Returns:
        shape (m, m), float64, on the CPU; rows of absent objectives are 0.

    Raises:
        ValueError: if ``output`` is not on the losses' graph, or ``noise`` has the wrong shape.
    """
    if not isinstance(output, Tensor) or not output.requires_grad or output.ndim < 1:
        raise ValueError("output: must be the tensor that the losses were computed from, on their graph")
    if output.is_complex():
        raise ValueError(f"output: must be real, got {output.dtype}")
    if noise is not None and tuple(noise.shape) != (len(output),):
        raise ValueError(f"noise: must have shape ({len(output)},), got {tuple(noise.shape)}")
    rows = [_by_output(loss, output) for loss in losses]
    D = torch.stack(rows)  # (m, batch, channels, positions)
    if noise is not None:
        D = D * (_NOISE_SLOPE / 2 * noise.to(D)).exp().view(1, -1, 1, 1)
    means, every = D.mean(-1).flatten(1), D.flatten(1)
    sketch = means @ means.mT * D.shape[-1] + _FINE * (every @ every.mT)
    return sketch.double().cpu() / output.numel() ** 2


def _by_output(loss: Tensor | None, output: Tensor) -> Tensor:
    shape = (*output.shape[:2], -1) if output.ndim > 1 else (len(output), 1, 1)
    gradient: Tensor | None = None
    if loss is not None:
        # Multiplied by the number of entries, because means would underflow in half precision.
        scaled = loss * output.numel()
        (gradient,) = torch.autograd.grad(scaled, output, retain_graph=True, allow_unused=True)
    if gradient is None:
        gradient = torch.zeros_like(output)
    return gradient.detach().float().reshape(*shape[:2], -1)
