"""Exact α-fair weights, and the closed form printed in the paper."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import NamedTuple

import torch
from torch import Tensor

from fairhuman.fairness._gramian import (
    check_gramian,
    check_shape,
    is_surely_gramian,
    rounding_tolerance,
)
from fairhuman.fairness._newton import EPSILON, newton_batch, newton_single
from fairhuman.fairness._rounding import round_well, rounding_matters

_UNSOLVED = 1e-3
"""Violation of the equations above which they count as unsolved."""


class AlphaFairSolution(NamedTuple):
    """Weights and what is known about them.

    Attributes:
        weights: shape (..., m); see :func:`alpha_fair_weights`.
        stationary: shape (...), bool; True where a non-negative combination of the gradients vanishes to
            rounding, so that no direction improves every objective and the weights are all 0.
        iterations: Newton iterations made, the most over the batch.
    """

    weights: Tensor
    stationary: Tensor
    iterations: int


def solve_alpha_fair(gramian: Tensor, alpha: float = 2.0, *, check: bool | None = None) -> AlphaFairSolution:
    """:func:`alpha_fair_weights` together with where the problem has no solution."""
    alpha = check_alpha(alpha)
    check_shape(gramian)
    on_cpu = gramian.device.type == "cpu"
    check = on_cpu if check is None else check
    if on_cpu and gramian.ndim == 2:
        rows = gramian.tolist()
        sure = is_surely_gramian(rows, rounding_tolerance(gramian.dtype))
        if check and not sure:
            check_gramian(gramian.detach())
        if check or sure:
            with suppress(ArithmeticError):  # floats raise where tensors go on with infinities
                solution = _solve_one(rows, gramian.dtype, alpha)
                careful = rounding_matters(rows, solution.weights.tolist(), alpha)
                return _rounded_well(gramian, solution, alpha) if careful else solution
    elif check:
        check_gramian(gramian.detach())
    solution = _solve_batch(gramian, alpha)
    return _rounded_well(gramian, solution, alpha) if on_cpu else solution


def alpha_fair_weights(gramian: Tensor, alpha: float = 2.0, *, check: bool | None = None) -> Tensor:
    """Weights w > 0 with K w = w^(−1/α): Eq. 8 of the paper (α = 2) and its α-fair generalisation.

    The direction d = Σ wᵢ gᵢ then minimises Σ (gᵢᵀd)^(1−α) / (α−1) among all directions as long as d
    (α = 1: maximises Σ log gᵢᵀd), and gᵢᵀd = wᵢ^(−1/α) > 0: every objective descends. α = 2 is minimum
    potential delay, α = 1 proportional fairness, α → ∞ tends to max-min fairness.

    Solved by a damped Newton iteration in float64 on a problem scaled to unit gradients, hence with the
    same relative accuracy at any scale: K → cK gives w → c^(−α/(α+1)) w. On the CPU, float64 weights whose
    rounding to the nearest number would leave more than 1e-9 of K w are rounded more carefully.

    Args:
        gramian: Gram matrix K of the objectives' gradients, shape (..., m, m), m ≥ 1, any float dtype.
        alpha: fairness exponent, in (0, ∞).
        check: whether to refuse what is no Gram matrix. By default only on the CPU: reading values makes
            the host wait for an accelerator. Unchecked, a non-finite matrix gives NaN weights.

    Returns:
        Weights of shape (..., m), in the dtype and on the device of ``gramian``. An objective whose
        gradient is zero has weight 0 and the others are solved without it. Where no solution exists
        because a non-negative combination of gradients vanishes (the point is Pareto stationary), all
        weights are 0, so that the direction is: :func:`solve_alpha_fair` tells these cases apart.

    Raises:
        TypeError: if ``gramian`` is not a floating-point tensor.
        ValueError: if ``gramian`` is not square, finite, symmetric and positive semi-definite up to
            rounding, or ``alpha`` is not a positive number.

    Example:
        >>> import torch
        >>> alpha_fair_weights(torch.diag(torch.tensor([1.0, 64.0])))
        tensor([1.0000, 0.0625])
    """
    return solve_alpha_fair(gramian, alpha, check=check).weights


@torch.no_grad()
def closed_form_weights(gramian: Tensor, alpha: float = 2.0, *, check: bool | None = None) -> Tensor:
    """Eq. 10 of the paper as printed, W = (GᵀG)^(−2/3) 1, generalised to (GᵀG)^(−α/(α+1)) 1.

    The power is that of the symmetric matrix. It solves Eq. 8 only when the Gram matrix is diagonal;
    otherwise weights may be negative and an objective may ascend. Kept for comparison.

    Args:
        gramian: Gram matrix of the objectives' gradients, shape (..., m, m).
        alpha: fairness exponent, in (0, ∞).
        check: as for :func:`alpha_fair_weights`.

    Returns:
        Weights of shape (..., m), in the dtype and on the device of ``gramian``; 0 for an objective whose
        gradient is zero. Eigenvalues below m ε times the largest are raised to it, as the printed formula
        divides by them.

    Raises:
        TypeError, ValueError: as :func:`alpha_fair_weights`.

    Example:
        >>> import torch
        >>> closed_form_weights(torch.diag(torch.tensor([1.0, 64.0])))
        tensor([1.0000, 0.0625])
    """
    alpha = check_alpha(alpha)
    check_shape(gramian)
    if check or (check is None and gramian.device.type == "cpu"):
        check_gramian(gramian)
    K = gramian.to(torch.float64)
    diagonal = K.diagonal(dim1=-2, dim2=-1)
    present = diagonal > 0
    scale = diagonal.amax(-1, keepdim=True)
    scale = torch.where(scale > 0, scale, 1.0)
    # An absent objective becomes an eigenvector of its own, which the mask then drops.
    K = K / scale.unsqueeze(-1) + torch.diag_embed((~present).to(torch.float64))
    values, vectors = torch.linalg.eigh(K)
    floor = K.shape[-1] * EPSILON * values.amax(-1, keepdim=True)
    powers = torch.maximum(values, floor).pow(-alpha / (alpha + 1))
    weights = (vectors * powers.unsqueeze(-2)) @ (vectors.mT @ present.to(torch.float64).unsqueeze(-1))
    weights = weights.squeeze(-1) * present * scale.pow(-alpha / (alpha + 1))
    return weights.to(gramian.dtype)


def check_alpha(alpha: float) -> float:
    """``alpha`` as a float, refused unless positive and finite."""
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha < math.inf:
        raise ValueError(f"`alpha` must be a positive, finite number. Found {alpha!r}.")
    return float(alpha)


@torch.no_grad()
def _rounded_well(gramian: Tensor, solution: AlphaFairSolution, alpha: float) -> AlphaFairSolution:
    if gramian.dtype != torch.float64 or not solution.weights.numel():
        return solution
    m = gramian.shape[-1]
    K = gramian.expand(*solution.weights.shape, m).reshape(-1, m, m)
    weights = round_well(K, solution.weights.reshape(-1, m), alpha)
    return solution._replace(weights=weights.view_as(solution.weights))


def _threshold(size: int) -> float:
    # Squared norm of a convex combination of unit gradients that rounding of K alone can produce.
    return 2 * size * EPSILON


def _solve_one(K: list[list[float]], dtype: torch.dtype, alpha: float) -> AlphaFairSolution:
    present = [i for i, row in enumerate(K) if row[i] > 0]
    weights = [0.0] * len(K)
    stationary, iterations = False, 0
    if present:
        norms = [math.sqrt(K[i][i]) for i in present]
        # Gradients are measured in units of their geometric mean, so that no power over- or underflows.
        unit = math.exp(math.fsum(map(math.log, norms)) / len(norms))
        D = [norm / unit for norm in norms]
        C = [
            [
                1.0 if i == j else (K[i][j] + K[j][i]) / 2 / (n * k)
                for j, k in zip(present, norms, strict=True)
            ]
            for i, n in zip(present, norms, strict=True)
        ]
        b = [d ** ((1 - alpha) / alpha) for d in D]
        threshold = _threshold(len(b))
        u, stationary, violation, iterations = newton_single(C, b, alpha, threshold)
        if alpha < 1 and violation > _UNSOLVED:
            # For small α the weights grow too little to show that gradients cancel; at α = 1 they do.
            stationary = newton_single(C, [1.0] * len(b), 1.0, threshold)[1]
        if not stationary:
            restored = unit ** (-2 * alpha / (alpha + 1))
            for i, d, value in zip(present, D, u, strict=True):
                weights[i] = restored * value / d
    return AlphaFairSolution(torch.tensor(weights, dtype=dtype), torch.tensor(stationary), iterations)


@torch.no_grad()
def _solve_batch(gramian: Tensor, alpha: float) -> AlphaFairSolution:
    K = gramian.to(torch.float64)
    m = K.shape[-1]
    diagonal = K.diagonal(dim1=-2, dim2=-1)
    present = diagonal > 0
    absent = ~present
    norms = torch.where(present, diagonal, 1.0).sqrt()
    count = present.sum(-1, keepdim=True).clamp_min(1)
    unit = (norms.log().mul(present).sum(-1, keepdim=True) / count).exp()
    # An absent objective is replaced by a gradient of average norm orthogonal to all others: it changes
    # nothing for them, and its weight is dropped at the end.
    norms = torch.where(present, norms, unit)
    D = norms / unit
    rows = (present / norms).movedim(-1, 0)
    entries = (K + K.mT).div(2).movedim((-2, -1), (0, 1))
    one = torch.ones_like(rows[0])
    C: list[list[Tensor]] = [[one] * m for _ in range(m)]
    for i in range(m):
        for j in range(i):
            C[i][j] = C[j][i] = entries[i, j] * rows[i] * rows[j]
    b = list(D.pow((1 - alpha) / alpha).movedim(-1, 0).contiguous())
    everywhere = K.device.type == "cpu" and bool(present.all())  # as nearly always: saves a fifth
    here = None if everywhere else list(present.movedim(-1, 0))
    u, stationary, violation, iterations = newton_batch(C, b, alpha, _threshold(m), here)
    if alpha < 1 and (K.device.type != "cpu" or bool((violation > _UNSOLVED).any())):
        shown = newton_batch(C, [one] * m, 1.0, _threshold(m), here)[1]
        stationary = stationary | (shown & (violation > _UNSOLVED))
    stationary = stationary & present.any(-1)
    weights = torch.stack(u, -1) / D * unit.pow(-2 * alpha / (alpha + 1))
    weights = torch.where(absent | stationary.unsqueeze(-1), 0.0, weights)
    weights = weights + 0 * K.sum((-2, -1)).unsqueeze(-1)  # NaN where the input is not finite
    return AlphaFairSolution(weights.to(gramian.dtype), stationary, iterations)
