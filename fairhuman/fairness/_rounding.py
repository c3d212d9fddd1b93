"""Rounding weights to float64 where it matters which way.

Where gradients nearly cancel, K w is a small difference of large terms: rounding each weight to its nearest
number leaves a residual of about ε (|K| w) / (K w), which at a condition of 1e8 is far above 1e-9. But along
the directions in which K is weakest one may move far before the residual changes, and every place there
rounds differently. So some places are tried, with the residual computed in twice the precision.
"""

from __future__ import annotations

import torch
from torch import Tensor

ENOUGH = 1e-9
"""Residual that is aimed at."""
_WITHIN = 5e-10
"""How far, in residual before rounding, a place tried may be from the solution."""
_TRIED, _ROUNDS = 128, 24
_SPLITTER = 2.0**27 + 1


def relative_residual(K: Tensor, w: Tensor, alpha: float) -> Tensor:
    """w^(1/α) ∘ (K w) − 1, shape (..., m), with K w accurate to its last digit however much cancels.

    Products and sums carry their rounding errors along (Dekker 1971; Ogita, Rump and Oishi 2005, Dot2).
    """
    high = error = torch.zeros_like(w)
    for j in range(w.shape[-1]):
        column, factor = K[..., j], w[..., j : j + 1]
        product = column * factor
        (a, b), (c, d) = _halves(column), _halves(factor)
        lost = ((a * c - product) + a * d + b * c) + b * d
        total = high + product
        part = total - high
        error = error + ((high - (total - part)) + (product - part)) + lost
        high = total
    rate, root = high + error, w.pow(1 / alpha)
    return root * rate - 1


def _halves(x: Tensor) -> tuple[Tensor, Tensor]:
    shifted = _SPLITTER * x
    high = shifted - (shifted - x)
    return high, x - high


def round_well(K: Tensor, w: Tensor, alpha: float) -> Tensor:
    """Weights beside ``w`` with a residual of at most :data:`ENOUGH`, or the least that was found.

    Args:
        K: Gram matrices, shape (n, m, m), float64, positive definite, no zero rows.
        w: their weights up to rounding, shape (n, m).
        alpha: fairness exponent.

    Returns:
        shape (n, m).
    """
    F = relative_residual(K, w, alpha)
    root = w.pow(1 / alpha)
    J = root.unsqueeze(-1) * K * w.unsqueeze(-2) + torch.diag_embed((F + 1) / alpha)
    correction = torch.linalg.solve(J, -F)
    _, sizes, directions = torch.linalg.svd(J)
    reach = torch.minimum(_WITHIN / sizes, torch.full_like(sizes, _WITHIN)) / w.shape[-1] ** 0.5
    best, least = w.clone(), F.abs().amax(-1)
    chance = torch.Generator().manual_seed(0)
    for _ in range(_ROUNDS):
        open_ = (least > ENOUGH).nonzero().squeeze(-1)
        if not len(open_):
            break
        step = 2 * torch.rand(len(open_), _TRIED, w.shape[-1], generator=chance, dtype=w.dtype) - 1
        shift = correction[open_].unsqueeze(1) + (step * reach[open_].unsqueeze(1)) @ directions[open_]
        places = w[open_].unsqueeze(1) * (1 + shift)
        found = relative_residual(K[open_].unsqueeze(1), places, alpha).abs().amax(-1)
        value, index = found.min(-1)
        better = value < least[open_]
        chosen = places.gather(1, index[:, None, None].expand(-1, 1, w.shape[-1])).squeeze(1)
        best[open_] = torch.where(better.unsqueeze(-1), chosen, best[open_])
        least[open_] = torch.where(better, value, least[open_])
    return best
