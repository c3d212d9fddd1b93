"""Rounding weights to float64 where it matters which way.

Where gradients nearly cancel, K w is a small difference of large terms: rounding each weight to its nearest
number leaves a residual of about ε (|K| w) / (K w), which at a condition of 1e8 can be far above 1e-9. But
along the directions in which K is weakest one may move far before the residual changes, and every place
there rounds differently. So some places are tried, with the residual computed in twice the precision.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

ENOUGH = 1e-9
"""Residual that is aimed at."""
_SOLVED = 1e-5
"""Residual above which it is not rounding that is amiss."""
_WITHIN = 5e-10
"""How far, in residual before rounding, a place tried may be from the solution."""
_TRIED, _ROUNDS = 128, 24
_SPLITTER = 2.0**27 + 1
_HARMLESS = ENOUGH / 32 / torch.finfo(torch.float64).eps
"""w^(1/α) ∘ (|K| w) up to which rounding cannot matter."""


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
    return w.pow(1 / alpha) * (high + error) - 1


def rounding_matters(K: Sequence[Sequence[float]], w: Sequence[float], alpha: float) -> bool:
    """Whether :func:`round_well` would look at one problem any closer."""
    rates = [sum(abs(entry) * value for entry, value in zip(row, w, strict=True)) for row in K]
    return any(value ** (1 / alpha) * rate > _HARMLESS for value, rate in zip(w, rates, strict=True))


def round_well(K: Tensor, w: Tensor, alpha: float) -> Tensor:
    """The weights, moved within their rounding errors where that brings the residual to :data:`ENOUGH`.

    The residual counts both as it is and as float64 products give it.

    Args:
        K: Gram matrices, shape (n, m, m), float64.
        w: their weights up to rounding, shape (n, m); those of absent objectives and of stationary points
            are 0.
        alpha: fairness exponent.

    Returns:
        shape (n, m); what no place tried improves is left as it was.
    """
    rates = (K.abs() @ w.unsqueeze(-1)).squeeze(-1)
    chosen = ((w.pow(1 / alpha) * rates).amax(-1) > _HARMLESS).nonzero().squeeze(-1)
    if not len(chosen):
        return w
    # An absent objective is replaced by one that is solved and orthogonal to all others.
    absent = w[chosen] == 0
    filled = torch.where(absent.unsqueeze(-1) | absent.unsqueeze(-2), 0.0, K[chosen])
    filled = filled + torch.diag_embed(absent.to(w.dtype))
    start = torch.where(absent, 1.0, w[chosen])
    violation = _violation(filled, start, alpha)
    moving = (violation > ENOUGH) & (violation < 1 + _SOLVED)
    if not bool(moving.any()):
        return w
    chosen, absent = chosen[moving], absent[moving]
    found = _best_of_some(filled[moving], start[moving], violation[moving], alpha)
    w = w.clone()
    w[chosen] = torch.where(absent, 0.0, found)
    return w


def _best_of_some(K: Tensor, w: Tensor, least: Tensor, alpha: float) -> Tensor:
    F = relative_residual(K, w, alpha)
    J = w.pow(1 / alpha).unsqueeze(-1) * K * w.unsqueeze(-2) + torch.diag_embed((F + 1) / alpha)
    correction = torch.linalg.solve(J, -F)
    _, sizes, directions = torch.linalg.svd(J)
    reach = _WITHIN / sizes.clamp_min(1) / w.shape[-1] ** 0.5
    best, least = w.clone(), least.clone()
    chance = torch.Generator().manual_seed(0)
    for _ in range(_ROUNDS):
        left = (least > ENOUGH).nonzero().squeeze(-1)
        if not len(left):
            break
        step = 2 * torch.rand(len(left), _TRIED, w.shape[-1], generator=chance, dtype=w.dtype) - 1
        shift = correction[left].unsqueeze(1) + (step * reach[left].unsqueeze(1)) @ directions[left]
        places = w[left].unsqueeze(1) * (1 + shift)
        value, index = _violation(K[left].unsqueeze(1), places, alpha).min(-1)
        better = value < least[left]
        place = places[torch.arange(len(left)), index]
        best[left] = torch.where(better.unsqueeze(-1), place, best[left])
        least[left] = torch.where(better, value, least[left])
    return best


def _violation(K: Tensor, w: Tensor, alpha: float) -> Tensor:
    """The residual, plus 1 if above :data:`ENOUGH`; else what float64 products take it for, which counts
    less than any true violation."""
    true = relative_residual(K, w, alpha).abs().amax(-1)
    plain = (w.pow(1 / alpha) * (K @ w.unsqueeze(-1)).squeeze(-1) - 1).abs().amax(-1)
    return torch.where(true > ENOUGH, 1 + true, plain.clamp_max(1))


def _halves(x: Tensor) -> tuple[Tensor, Tensor]:
    shifted = _SPLITTER * x
    high = shifted - (shifted - x)
    return high, x - high
