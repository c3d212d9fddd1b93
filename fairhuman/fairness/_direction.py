"""Comparison of directions from their weights, without the gradients."""

from __future__ import annotations

from torch import Tensor


def cosine(gramian: Tensor, weights: Tensor, others: Tensor) -> Tensor:
    """Cosine between the directions Σ wᵢ gᵢ of two sets of weights.

    Args:
        gramian: Gram matrix of the gradients gᵢ, shape (..., m, m).
        weights, others: shape (..., m).

    Returns:
        shape (...), float64; NaN where a direction is zero.
    """
    K = gramian.double()
    a, b = weights.double().unsqueeze(-1), others.double().unsqueeze(-1)
    product, left, right = (x.mT @ K @ y for x, y in ((a, b), (a, a), (b, b)))
    return (product / (left * right).sqrt()).squeeze(-1).squeeze(-1)
