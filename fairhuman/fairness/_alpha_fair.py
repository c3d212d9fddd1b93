"""Exact α-fair weights, and the closed form printed in the paper."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from fairhuman.fairness._gramian import as_array, check_gramian, check_shape
from fairhuman.fairness._newton import EPSILON, MAX_ITERATIONS, diagonal_of, newton


class AlphaFairSolution(NamedTuple):
    """Weights with convergence information.

    Attributes:
        weights: shape (..., m); see :func:`alpha_fair_weights`.
        stationary: shape (...), bool; True where a non-negative combination of the gradients is zero up to
            rounding. No direction then improves every objective, and all weights are 0.
        iterations: maximum number of Newton iterations over the batch.
    """

    weights: Tensor
    stationary: Tensor
    iterations: int


def solve_alpha_fair(gramian: Tensor, alpha: float = 2.0, *, check: bool = True) -> AlphaFairSolution:
    """Like :func:`alpha_fair_weights`, but also reports where the problem has no solution."""
    alpha = check_alpha(alpha)
    (check_gramian if check else check_shape)(gramian)
    K = np.ascontiguousarray(as_array(gramian).transpose(-2, -1, *range(gramian.ndim - 2)))
    # K → cK gives w → c^(−α/(α+1)) w. If c is a power of two, no entry is rounded.
    exponent = np.frexp(diagonal_of(K).max(0))[1]
    K = np.ldexp(K, -exponent)
    with np.errstate(all="ignore"):  # NaN where the input is not finite
        weights, stationary, iterations = newton(K, alpha)
        if alpha < 1 and iterations == MAX_ITERATIONS:
            # For small α the weights grow too little to show that gradients cancel; at α = 1 they do.
            stationary = stationary | newton(K, 1.0).stationary
        weights = np.where(stationary, 0.0, weights * np.exp2(-alpha / (alpha + 1) * exponent))
    return AlphaFairSolution(
        torch.from_numpy(weights).movedim(0, -1).contiguous().to(gramian.device, gramian.dtype),
        torch.from_numpy(np.asarray(stationary)).to(gramian.device),
        iterations,
    )


def alpha_fair_weights(gramian: Tensor, alpha: float = 2.0, *, check: bool = True) -> Tensor:
    """Solve K w = w^(−1/α) for w > 0: Eq. 8 of the paper (α = 2) and its α-fair generalisation.

    The direction d = Σ wᵢ gᵢ then minimises Σ (gᵢᵀd)^(1−α) / (α−1) among all directions of the same length (α
    = 1: maximises Σ log gᵢᵀd), and gᵢᵀd = wᵢ^(−1/α) > 0: every objective descends. α = 2 is minimum potential
    delay, α = 1 proportional fairness, and α → ∞ max-min fairness.

    The solver is a damped Newton iteration in float64 on the host. Its relative accuracy does not depend on
    scale: K → cK gives w → c^(−α/(α+1)) w. Where gradients nearly cancel, K w is a small difference of large
    terms, and no float64 weights solve the equation to better than ε (|K| w) / (K w).

    Args:
        gramian: Gram matrix K of the objectives' gradients, shape (..., m, m), m ≥ 1, any float dtype.
        alpha: fairness exponent, in (0, ∞).
        check: whether to validate the Gram matrix. Without validation, a non-finite matrix gives NaN weights.

    Returns:
        Weights of shape (..., m), in the dtype and on the device of ``gramian``. An objective with a zero
        gradient has weight 0 and is left out of the solution. If no solution exists because a non-negative
        combination of the gradients is zero (the point is Pareto stationary), all weights, and so the
        direction, are 0. :func:`solve_alpha_fair` distinguishes these cases.

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
def closed_form_weights(gramian: Tensor, alpha: float = 2.0, *, check: bool = True) -> Tensor:
    """Eq. 10 of the paper as printed, W = (GᵀG)^(−2/3) 1, generalised to (GᵀG)^(−α/(α+1)) 1.

    The power is a matrix power. The formula solves Eq. 8 only for a diagonal Gram matrix; otherwise, weights
    can be negative and an objective can increase. Kept for comparison.

    Args:
        gramian: Gram matrix of the objectives' gradients, shape (..., m, m).
        alpha: fairness exponent, in (0, ∞).
        check: as for :func:`alpha_fair_weights`.

    Returns:
        Weights of shape (..., m), in the dtype and on the device of ``gramian``; 0 for objectives with a zero
        gradient. Eigenvalues are clamped to at least m ε times the largest one, because the formula divides
        by them.

    Raises:
        TypeError, ValueError: as :func:`alpha_fair_weights`.

    Example:
        >>> import torch
        >>> closed_form_weights(torch.diag(torch.tensor([1.0, 64.0])))
        tensor([1.0000, 0.0625])
    """
    alpha = check_alpha(alpha)
    (check_gramian if check else check_shape)(gramian)
    K = gramian.to(torch.float64)
    diagonal = K.diagonal(dim1=-2, dim2=-1)
    present = diagonal > 0
    scale = diagonal.amax(-1, keepdim=True)
    scale = torch.where(scale > 0, scale, 1.0)
    # An absent objective becomes a separate eigenvector, which the mask then removes.
    K = K / scale.unsqueeze(-1) + torch.diag_embed((~present).to(torch.float64))
    values, vectors = torch.linalg.eigh(K)
    floor = K.shape[-1] * EPSILON * values.amax(-1, keepdim=True)
    powers = torch.maximum(values, floor).pow(-alpha / (alpha + 1))
    weights = (vectors * powers.unsqueeze(-2)) @ (vectors.mT @ present.to(torch.float64).unsqueeze(-1))
    weights = weights.squeeze(-1) * present * scale.pow(-alpha / (alpha + 1))
    return weights.to(gramian.dtype)


def check_alpha(alpha: float) -> float:
    """Return ``alpha`` as a float; it must be positive and finite."""
    if isinstance(alpha, bool) or not isinstance(alpha, int | float) or not 0 < alpha < math.inf:
        raise ValueError(f"alpha: must be a positive, finite number, got {alpha!r}")
    return float(alpha)
