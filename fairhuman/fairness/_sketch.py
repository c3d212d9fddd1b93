"""What the gradients will be like, seen from the network's output before any backward pass through it."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

_FINE = 0.003
"""Share of the parts of an output's gradient that average out, so that none is taken for zero."""
_NOISE_SLOPE = 2.0
"""How the logarithm of a squared gradient grows with the noise level, for the same error."""


def sketch_of(losses: Sequence[Tensor | None], output: Tensor, noise: Tensor | None = None) -> Tensor:
    """A cheap stand-in for the Gram matrix of the gradients.

    The gradients of the losses by the *output*, which cost one backward pass through the losses alone, say
    much of those by the parameters: the part that is the same all over an image moves the attention layers
    of a UNet most, by far. So the sketch is the Gram matrix of the spatial means, summed over examples.

    Args:
        losses: m scalar losses; None for one that is absent.
        output: what they were computed from, on their graph, shape (batch, channels, ...).
        noise: noise level of each example, from 0 to 1 at pure noise, shape (batch,): the same error moves
            the parameters more where the input holds more noise.

    Returns:
        shape (m, m), float64, on the CPU; rows of absent objectives are 0.

    Raises:
        ValueError: if ``output`` is not on the losses' graph, or ``noise`` does not fit.
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
        # Multiplied by the number of entries: means would underflow in half precision.
        scaled = loss * output.numel()
        (gradient,) = torch.autograd.grad(scaled, output, retain_graph=True, allow_unused=True)
    if gradient is None:
        gradient = torch.zeros_like(output)
    return gradient.detach().float().reshape(*shape[:2], -1)
