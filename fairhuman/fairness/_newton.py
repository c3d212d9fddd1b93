"""Damped Newton for the α-fair weights, written once for Python floats and for batches of tensors.

With D = diag(K)^(1/2) and C = D⁻¹KD⁻¹, substituting u = Dw turns K w = w^(−1/α) into
C u = b ∘ u^(−1/α) with b = D^((1−α)/α): the optimality condition of the strictly convex

    minimise over u > 0   ½ uᵀCu − Σ bᵢ uᵢ^(1−1/α) / (1−1/α)      (α = 1: −Σ bᵢ log uᵢ).

The iteration works on relative steps p = Δu / u. Along a Newton step the curvature grows at most like
(1 − t r)^(−1−1/α), r being the largest relative decrease max(−p, 0), so the objective falls for every
t up to (1 − (1 + r/α)^(−α)) / r. That step length is taken: it needs no line search, keeps u positive
and tends to 1, which makes the end of the iteration quadratic. At α = 1 it is the classical 1 / (1 + r)
of self-concordant barriers. After each step u is rescaled by the exact minimiser along its own ray.

Entries of matrices and vectors are *lanes*: floats for one matrix (no tensor overhead), tensors of any
one shape for a batch. The factorisation is unrolled over them, which for a handful of objectives is
faster than a batched LAPACK call.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

Lane = Any  # float, or a float64 tensor

EPSILON = torch.finfo(torch.float64).eps
TOLERANCE = 16 * EPSILON
"""Relative residual at which the iteration stops, unless rounding keeps it from getting there."""
MAX_ITERATIONS = 80


class Lanes(NamedTuple):
    """The few functions that floats and tensors do not share as operators."""

    power: Any
    step: Any
    maximum: Any
    where: Any
    every: Any


FLOATS = Lanes(
    power=lambda x, exponent: x**exponent,
    step=lambda r, alpha: -math.expm1(-alpha * math.log1p(r / alpha)) / r,
    maximum=max,
    where=lambda condition, yes, no: yes if condition else no,
    every=bool,
)


def _tensor_power(x: Tensor, exponent: float) -> Tensor:
    return x.sqrt() if exponent == 0.5 else x.rsqrt() if exponent == -0.5 else x.pow(exponent)


def _on_cpu_all(condition: Tensor) -> bool:
    # Asking a GPU would stall it: there the full number of iterations is run instead.
    return condition.device.type == "cpu" and bool(condition.all())


TENSORS = Lanes(
    power=_tensor_power,
    step=lambda r, alpha: -torch.expm1(-alpha * torch.log1p(r / alpha)) / r,
    maximum=lambda x, y: torch.maximum(x, y) if isinstance(y, Tensor) else x.clamp_min(y),
    where=torch.where,
    every=_on_cpu_all,
)


def cholesky_factor(matrix: Sequence[Sequence[Lane]], lanes: Lanes) -> tuple[list[list[Lane]], list[Lane]]:
    """LDLᵀ of a symmetric matrix (lower triangle read): unit lower factor and pivots, unclamped."""
    size = len(matrix)
    factor: list[list[Lane]] = [[None] * size for _ in range(size)]
    pivots: list[Lane] = []
    for j in range(size):
        scaled = [factor[j][k] * pivots[k] for k in range(j)]
        pivot = matrix[j][j]
        for k in range(j):
            pivot = pivot - factor[j][k] * scaled[k]
        # A pivot lost to rounding must not turn the step around.
        pivots.append(lanes.maximum(pivot, 0.0) + EPSILON * matrix[j][j])
        for i in range(j + 1, size):
            entry = matrix[i][j]
            for k in range(j):
                entry = entry - factor[i][k] * scaled[k]
            factor[i][j] = entry / pivots[j]
    return factor, pivots


def _solve(factor: list[list[Lane]], pivots: list[Lane], right: list[Lane]) -> list[Lane]:
    size = len(pivots)
    x = list(right)
    for i in range(size):
        for k in range(i):
            x[i] = x[i] - factor[i][k] * x[k]
    x = [value / pivot for value, pivot in zip(x, pivots, strict=True)]
    for i in reversed(range(size)):
        for k in range(i + 1, size):
            x[i] = x[i] - factor[k][i] * x[k]
    return x


def newton(
    C: Sequence[Sequence[Lane]],
    b: Sequence[Lane],
    alpha: float,
    stationary_below: float,
    lanes: Lanes,
    present: Sequence[Lane] | None = None,
) -> tuple[list[Lane], Lane, int]:
    """Solve C u = b ∘ u^(−1/α) for u > 0.

    Args:
        C: m×m lanes of correlation matrices (unit diagonal; only symmetry is assumed of the rest).
        b: m positive lanes.
        alpha: fairness exponent, > 0.
        stationary_below: a positive combination of the unit gradients whose squared norm is at most this
            times the squared sum of its coefficients counts as vanishing: the problem has no solution.
        lanes: :data:`FLOATS` or :data:`TENSORS`.
        present: m boolean lanes. Where False, that objective is a stand-in orthogonal to the others, with
            b = 1, which must not take part in sums over objectives. By default all are present.

    Returns:
        u, whether the problem was found to have no solution, and the number of iterations made.
    """
    size = len(b)
    indices = range(size)
    ratio = 1.0 - 1.0 / alpha
    ray = alpha / (alpha + 1.0)
    u = [lanes.power(bi, ray) for bi in b]

    def counted(values: list[Lane]) -> list[Lane]:
        if present is None:
            return values
        return [lanes.where(here, value, 0.0) for here, value in zip(present, values, strict=True)]

    best, best_excess, best_stationary = u, None, None
    iterations = 0
    while iterations < MAX_ITERATIONS:
        iterations += 1
        y = [_dot(C[i], u) for i in indices]
        q = [b[i] * lanes.power(u[i], ratio) for i in indices]
        total = _sum(counted(u))
        square = _dot(counted(u), y)
        stationary = square <= stationary_below * total * total
        square = lanes.maximum(square, EPSILON * EPSILON * total * total)
        scale = lanes.power(_sum(counted(q)) / square, ray)
        scales = [scale] * size if present is None else [lanes.where(here, scale, 1.0) for here in present]
        u = [s * ui for s, ui in zip(scales, u, strict=True)]
        y = [s * yi for s, yi in zip(scales, y, strict=True)]
        q = [b[i] * lanes.power(u[i], ratio) for i in indices]
        total = scale * total

        slope = [u[i] * y[i] - q[i] for i in indices]
        # What rounding alone leaves in a row is a few ε Σu uᵢ, as no |Cᵢⱼ| exceeds 1.
        excess = _max([abs(slope[i]) / (q[i] + u[i] * total / 8) for i in indices], lanes)
        if best_excess is None:
            best, best_excess, best_stationary = u, excess, stationary
        else:
            better = (excess < best_excess) | stationary
            best = [lanes.where(better, new, old) for new, old in zip(u, best, strict=True)]
            best_excess = lanes.where(better, excess, best_excess)
            best_stationary = best_stationary | stationary
        if lanes.every((best_excess <= TOLERANCE) | best_stationary):
            break

        H = [[u[i] * u[j] * C[i][j] for j in range(i + 1)] for i in indices]
        for i in indices:
            H[i][i] = H[i][i] + q[i] / alpha
        p = _solve(*cholesky_factor(H, lanes), [-s for s in slope])
        r = lanes.maximum(_max([-pi for pi in p], lanes), EPSILON)
        step = lanes.step(r, alpha)
        u = [ui * (1.0 + step * pi) for ui, pi in zip(u, p, strict=True)]
    return best, best_stationary, iterations


def _sum(values: Sequence[Lane]) -> Lane:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total


def _dot(left: Sequence[Lane], right: Sequence[Lane]) -> Lane:
    total = left[0] * right[0]
    for x, y in zip(left[1:], right[1:], strict=True):
        total = total + x * y
    return total


def _max(values: Sequence[Lane], lanes: Lanes) -> Lane:
    largest = values[0]
    for value in values[1:]:
        largest = lanes.maximum(largest, value)
    return largest
