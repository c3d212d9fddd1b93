"""Damped Newton for the α-fair weights of a batch of Gram matrices.

K w = w^(−1/α) is the optimality condition of a strictly convex problem,

    minimise over w > 0   ½ wᵀKw − Σ wᵢ^(1−1/α) / (1−1/α)      (α = 1: −Σ log wᵢ).

With W = diag(w), y = W K w and q = w^(1−1/α), its Newton step in units of the weights, p = Δw / w, solves

    (W K W + diag(q) / α) p = q − y.

Along it the curvature grows at most like (1 − t r)^(−1−1/α), where r is the largest relative decrease
``max(−p, 0)``, so the objective falls for every t up to (1 − (1 + r/α)^(−α)) / r. This step length needs no
line search, keeps w positive, and tends to 1, so that convergence is quadratic. At α = 1 it is the classical
1 / (1 + r) of self-concordant barriers.

Before each step, w is scaled to the minimiser along its ray, where Σ y = Σ q. Since s w has s² y and
s^(1−1/α) q, the factor is s = (Σ q / Σ y)^(α/(α+1)). Dividing the step's equation by s² leaves y unchanged
and multiplies q by Σ y / Σ q.

Steps in units of the weights do not depend on the gradients' lengths, so K need not have a unit diagonal;
only overflow must be avoided.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

EPSILON = float(np.finfo(np.float64).eps)
MAX_ITERATIONS = 80
CLOSE = 1e-5
"""Relative weight change below which one more step leaves an error of at most its square."""
FLAT = 1e-8
"""r below which the step length is 1 to this accuracy, and its formula would suffer cancellation."""
STEEP = 20.0
"""α above which the smallest weights can underflow."""
SMALLEST = 1e-200
"""Smallest weight in that case; the largest are near 1."""


class Newton(NamedTuple):
    """Result of :func:`newton`.

    Attributes:
        weights: shape (m, ...); 0 for objectives without a gradient.
        stationary: shape (...), bool; whether a positive combination of the gradients is zero up to rounding.
        iterations: maximum over the batch.
    """

    weights: Array
    stationary: NDArray[np.bool_]
    iterations: int


def newton(K: Array, alpha: float) -> Newton:
    """Solve K w = w^(−1/α) for one matrix or a batch.

    Args:
        K: Gram matrices with entries near 1, shape (m, m, ...). The batch comes last so that operations run
            over contiguous memory. A row of zeros marks an absent objective.
        alpha: fairness exponent, > 0.
    """
    m, ratio, ray = len(K), 1 - 1 / alpha, alpha / (alpha + 1)
    squares = diagonal_of(K)
    norms, absent = np.sqrt(squares), squares <= 0
    some_absent = bool(absent.any())
    w = squares**-ray  # exact where K is diagonal
    system = np.empty((m, m + 1, *K.shape[2:]))  # [W K W + diag(q) / α | q − y]
    matrix, right, diagonal = system[:, :m], system[:, m], diagonal_of(system)
    terms = np.empty((3, *w.shape))
    q, y, u = terms
    iterations, stationary, close, refined = 0, False, False, False
    while not refined and iterations < MAX_ITERATIONS:
        iterations += 1
        np.power(w, ratio, out=q)
        if some_absent:  # weight 0 takes them out of every sum
            w[absent] = q[absent] = 0.0
        np.multiply(w[:, None] * K, w, out=matrix)
        np.add.reduce(matrix, 1, out=y)
        np.multiply(norms, w, out=u)
        sum_q, square, total = terms.sum(1)
        total *= total
        # The squared norm of a combination of unit gradients that rounding of K alone can produce.
        stationary = stationary | (square <= 2 * m * EPSILON * total)
        along = np.maximum(square, EPSILON**2 * total) / sum_q
        q *= along
        np.subtract(q, y, out=right)
        diagonal += q / alpha
        diagonal *= 1 + 4 * m * EPSILON  # or rounding could make a pivot vanish
        if some_absent:
            diagonal += absent
        p = eliminate(system)
        if alpha > STEEP:
            p[(w <= SMALLEST) & (p < 0)] = 0.0
        r = np.maximum(-p.min(0), FLAT)
        least = (1 + r / alpha) ** -alpha
        w *= along**-ray * np.maximum(1 + p * ((1 - least) / r), least)
        if alpha > STEEP:
            np.maximum(w, SMALLEST, out=w)
        refined, close = close, (stationary | (np.abs(p).max(0) <= CLOSE)).all()
    w[absent] = 0.0
    return Newton(w, stationary & ~absent.all(0), iterations)


def eliminate(system: Array) -> Array:
    """Solve symmetric positive definite systems [A | b] by Gauss-Jordan elimination.

    Args:
        system: shape (m, m + 1, ...); overwritten.

    Returns:
        x with A x = b, shape (m, ...), a view of ``system``.
    """
    m = len(system)
    for k in range(m):
        row = system[k] / system[k, k]
        system -= system[:, k, None] * row
        system[k] = row
    return system[:, m]


def diagonal_of(matrices: Array) -> Array:
    """Diagonals of the leading squares, a view of shape (m, ...)."""
    return np.einsum("ii...->i...", matrices[:, : len(matrices)])
