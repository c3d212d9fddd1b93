"""Slow, independent solutions to judge the fast ones by: arbitrary precision and certified optima."""

from __future__ import annotations

import warnings

import numpy as np
import torch
from torch import Tensor

from fairhuman.fairness import alpha_fair_weights
from fairhuman.fairness._alpha_fair import check_alpha


def residual(gramian: Tensor, weights: Tensor, alpha: float = 2.0) -> Tensor:
    """Largest relative violation of K w = w^(−1/α): max |w^(1/α) ∘ (K w) − 1|.

    Args:
        gramian: shape (..., m, m).
        weights: shape (..., m); objectives of weight 0 are left out.
        alpha: fairness exponent.

    Returns:
        shape (...), float64; NaN where a weight is negative.
    """
    K, w = gramian.double(), weights.double()
    rates = (K @ w.unsqueeze(-1)).squeeze(-1)
    return torch.where(w == 0, 0.0, (w.pow(1 / alpha) * rates - 1).abs()).amax(-1)


def residual_twice(gramian: Tensor, weights: Tensor, alpha: float = 2.0) -> Tensor:
    """:func:`residual` with K w accurate to its last digit, however much cancels.

    Products and sums carry their rounding errors along (Dekker 1971; Ogita, Rump and Oishi 2005, Dot2).
    """
    K, w = gramian.double(), weights.double()
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
    return torch.where(w == 0, 0.0, (w.pow(1 / alpha) * (high + error) - 1).abs()).amax(-1)


def rounding_floor(gramian: Tensor, weights: Tensor, alpha: float = 2.0) -> Tensor:
    """What rounding the weights to float64 alone does to :func:`residual`: ε max w^(1/α) ∘ (|K| w).

    Where gradients nearly cancel, K w is a small difference of large terms, and no float64 vector has a
    residual far below this, the correctly rounded solution included.

    Args:
        gramian, weights, alpha: as for :func:`residual`.

    Returns:
        shape (...), float64.
    """
    K, w = gramian.double().abs(), weights.double()
    rates = (K @ w.unsqueeze(-1)).squeeze(-1)
    return torch.finfo(torch.float64).eps * (w.pow(1 / alpha) * rates).amax(-1)


def potential_delay(rates: Tensor, alpha: float = 2.0) -> Tensor:
    """The α-fair cost of rates of descent gᵢᵀd: Eq. 5, Σ 1/(gᵢᵀd), at α = 2.

    Σ rᵢ^(1−α) / (α − 1), at α = 1 −Σ log rᵢ, to be minimised.

    Args:
        rates: shape (..., m).
        alpha: fairness exponent.

    Returns:
        shape (...); infinite where an objective does not descend (for α < 1, where it ascends).
    """
    alpha = check_alpha(alpha)
    allowed = (rates > 0).all(-1) if alpha >= 1 else (rates >= 0).all(-1)
    safe = torch.where(rates > 0, rates, 1.0)
    if alpha == 1:
        cost = -safe.log().sum(-1)
    elif alpha > 1:
        cost = safe.pow(1 - alpha).sum(-1) / (alpha - 1)
    else:
        cost = -rates.clamp_min(0).pow(1 - alpha).sum(-1) / (1 - alpha)
    return torch.where(allowed, cost, torch.inf)


def rates_of_descent(gramian: Tensor, weights: Tensor) -> Tensor:
    """gᵢᵀd / ‖d‖ for the direction d = Σ wᵢ gᵢ, shape (..., m)."""
    rates = (gramian @ weights.unsqueeze(-1)).squeeze(-1)
    return rates / (weights * rates).sum(-1, keepdim=True).sqrt()


def certified_rates(gramian: Tensor, alpha: float = 2.0) -> tuple[Tensor, float]:
    """The optimum of Eq. 5 over the unit ball by a convex solver, knowing nothing of weights.

    Minimises the cost of the rates G d over ‖d‖ ≤ 1 with cvxpy (interior points, Clarabel), whose
    primal and dual values certify the optimum. Any G with that Gram matrix gives the same rates.

    Args:
        gramian: shape (m, m), positive definite.
        alpha: fairness exponent.

    Returns:
        Rates gᵢᵀd at the optimum, shape (m,), and their cost (:func:`potential_delay`).

    Raises:
        RuntimeError: if the solver does not certify an optimum.
    """
    import cvxpy

    alpha = check_alpha(alpha)
    K = gramian.double().numpy()
    norms = np.sqrt(np.diag(K))
    values, vectors = np.linalg.eigh(K / np.outer(norms, norms))
    G = vectors * np.sqrt(np.clip(values, 0, None))  # unit rows, K = (norms G)(norms G)ᵀ
    d = cvxpy.Variable(len(K))
    # Solved twice: the second time in units of the first time's rates, which makes all terms alike.
    size = np.ones(len(K))
    for _ in range(2):
        rates = (G / size[:, None]) @ d
        factors = (norms * size) ** (1 - alpha)
        if alpha == 1:
            cost = -cvxpy.sum(cvxpy.log(rates)) / len(K)
        else:
            cost = (factors / factors.sum()) @ cvxpy.power(rates, 1 - alpha) / (alpha - 1)
        problem = cvxpy.Problem(cvxpy.Minimize(cost), [cvxpy.sum_squares(d) <= 1])
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Solution may be inaccurate")
            problem.solve(solver=cvxpy.CLARABEL)
        if d.value is None or (G @ d.value).min() <= 0:
            break
        unit = d.value / np.linalg.norm(d.value)
        size = G @ unit
    if problem.status != cvxpy.OPTIMAL:
        raise RuntimeError(f"cvxpy certified no optimum: status {problem.status}.")
    found = torch.from_numpy(norms * size)
    return found, float(potential_delay(found, alpha))


def precise_weights(gramian: Tensor, alpha: float = 2.0, digits: int = 50) -> list[object]:
    """Weights solving K w = w^(−1/α) to ``digits`` decimal digits, as mpmath numbers.

    Newton's iteration in log w from the float64 solution; the solution being unique, any it converges to
    is the one. The entries of ``gramian`` are taken as exact.

    Args:
        gramian: shape (m, m), positive definite, no zero rows.
        alpha: fairness exponent.
        digits: decimal digits worked with.

    Raises:
        ArithmeticError: if the iteration does not converge.
    """
    import mpmath

    start = alpha_fair_weights(gramian.double(), alpha).tolist()
    m = len(start)
    with mpmath.workdps(digits + 15):
        a = mpmath.mpf(alpha)
        K = mpmath.matrix([[mpmath.mpf(entry) for entry in row] for row in gramian.double().tolist()])
        x = mpmath.matrix([mpmath.log(mpmath.mpf(w)) for w in start])
        for _ in range(30):
            w = [mpmath.exp(value) for value in x]
            rates = K * mpmath.matrix(w)
            F = mpmath.matrix([mpmath.exp(x[i] / a) * rates[i] - 1 for i in range(m)])
            J = mpmath.matrix(m, m)
            for i in range(m):
                for j in range(m):
                    J[i, j] = mpmath.exp(x[i] / a) * K[i, j] * w[j]
                J[i, i] += (F[i] + 1) / a
            x -= mpmath.lu_solve(J, F)
            if mpmath.norm(F, mpmath.inf) < mpmath.mpf(10) ** (-digits):
                return [mpmath.exp(value) for value in x]
    raise ArithmeticError(f"Newton's iteration at {digits} digits did not converge in 30 steps.")


def _halves(x: Tensor) -> tuple[Tensor, Tensor]:
    shifted = (2.0**27 + 1) * x
    high = shifted - (shifted - x)
    return high, x - high
