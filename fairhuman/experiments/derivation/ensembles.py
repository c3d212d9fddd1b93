"""Random Gram matrices to test, measure and draw with."""

from __future__ import annotations

import torch
from torch import Generator, Tensor


def conditioned(
    count: int,
    m: int,
    generator: Generator,
    *,
    log10_condition: float | tuple[float, float] = 8.0,
    log10_scale: float = 0.0,
) -> Tensor:
    """Gram matrices of any orientation, condition number and scale, shape (count, m, m), float64.

    K = Q Λ Qᵀ with Q uniform among orthogonal matrices; the condition number is 10^U(low, high) with
    ``log10_condition`` = (low, high), or high alone with low = 0, the other eigenvalues log-uniform in
    between, the largest 10^U(−log10_scale, log10_scale).
    """
    normal = torch.randn(count, m, m, generator=generator, dtype=torch.float64)
    Q, R = torch.linalg.qr(normal)
    Q = Q * R.diagonal(dim1=-2, dim2=-1).sign().unsqueeze(-2)
    exponents = torch.rand(count, m, generator=generator, dtype=torch.float64)
    if m > 1:
        exponents[:, 0], exponents[:, -1] = 0.0, 1.0
    low, high = log10_condition if isinstance(log10_condition, tuple) else (0.0, log10_condition)
    span = low + (high - low) * torch.rand(count, 1, generator=generator, dtype=torch.float64)
    scale = log10_scale * (2 * torch.rand(count, 1, generator=generator, dtype=torch.float64) - 1)
    return symmetric((Q * (10 ** (scale - span * exponents)).unsqueeze(-2)) @ Q.mT)


def gaussian(count: int, m: int, dimension: int, generator: Generator) -> Tensor:
    """Gram matrices of m independent standard normal gradients in ``dimension`` dimensions."""
    G = torch.randn(count, m, dimension, generator=generator, dtype=torch.float64)
    return symmetric(G @ G.mT)


def regional(norms: tuple[float, ...], correlations: tuple[float, ...]) -> Tensor:
    """The Gram matrix with these gradient norms and correlations, shape (m, m).

    Args:
        norms: ‖g₁‖ … ‖gₘ‖.
        correlations: cosines in the order (1,2), (1,3), …, (2,3), ….

    Example:
        >>> regional((0.1, 0.01), (0.3,))
        tensor([[0.0100, 0.0003],
                [0.0003, 0.0001]], dtype=torch.float64)
    """
    m = len(norms)
    C = torch.eye(m, dtype=torch.float64)
    rows, columns = torch.triu_indices(m, m, offset=1)
    C[rows, columns] = torch.tensor(correlations, dtype=torch.float64)
    C = C + C.mT - torch.eye(m, dtype=torch.float64)
    sizes = torch.tensor(norms, dtype=torch.float64)
    return C * sizes.unsqueeze(0) * sizes.unsqueeze(1)


def symmetric(matrices: Tensor) -> Tensor:
    """Symmetric part."""
    return (matrices + matrices.mT) / 2
