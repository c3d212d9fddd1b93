"""Damped Newton for the α-fair weights.

With D = diag(K)^(1/2) and C = D⁻¹KD⁻¹, substituting u = Dw turns K w = w^(−1/α) into
C u = b ∘ u^(−1/α) with b = D^((1−α)/α): the optimality condition of the strictly convex

    minimise over u > 0   ½ uᵀCu − Σ bᵢ uᵢ^(1−1/α) / (1−1/α)      (α = 1: −Σ bᵢ log uᵢ).

The iteration works on relative steps p = Δu / u. Along a Newton step the curvature grows at most like
(1 − t r)^(−1−1/α), r being the largest relative decrease max(−p, 0), so the objective falls for every
t up to (1 − (1 + r/α)^(−α)) / r. That step length is taken: it needs no line search, keeps u positive
and tends to 1, which makes the end of the iteration quadratic. At α = 1 it is the classical 1 / (1 + r)
of self-concordant barriers. Before each step u is rescaled by the exact minimiser along its own ray.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from typing import Any, NamedTuple

import torch
from torch import Tensor

from fairhuman.fairness._lanes import TENSORS, Lane, Lanes, dot, factorise, largest, solve, trace

EPSILON = torch.finfo(torch.float64).eps
TOLERANCE = 4 * EPSILON
"""Relative residual at which the iteration stops."""
NEAR = 1e-8
"""Relative residual below which it also stops when a step no longer halves it: rounding's doing."""
MAX_ITERATIONS = 80
STEEP = 20.0
"""α above which weights may span so many orders of magnitude that the smallest are about to underflow."""
SMALLEST = 1e-250
"""Size of a weight, relative to the others, below which it then counts as 0."""


class Step(NamedTuple):
    """One iterate and the next.

    Attributes:
        u: the iterate after rescaling, m lanes.
        residual: largest |uᵢ (Cu)ᵢ − qᵢ| with q = b u^(1−1/α), relative to qᵢ + uᵢ Σu / 8. Rounding alone
            leaves a few ε uᵢ Σu in a row, as no |Cᵢⱼ| exceeds 1.
        violation: largest |uᵢ (Cu)ᵢ − qᵢ| relative to qᵢ alone, that is |w^(1/α) (K w) − 1|.
        stationary: whether u shows that a positive combination of the unit gradients vanishes.
        next_u: the iterate after a damped Newton step, m lanes.
    """

    u: list[Lane]
    residual: Lane
    violation: Lane
    stationary: Lane
    next_u: list[Lane]


def newton_step(
    C: Sequence[Sequence[Lane]],
    b: Sequence[Lane],
    u: Sequence[Lane],
    alpha: Lane,
    threshold: Lane,
    lanes: Lanes,
    *,
    steep: bool,
    present: Sequence[Lane] | None = None,
) -> Step:
    """Rescale u along its ray and take one damped Newton step.

    Args:
        C: m×m lanes of correlation matrices.
        b: m positive lanes.
        u: m positive lanes.
        alpha: fairness exponent, > 0.
        threshold: a combination of the unit gradients whose squared norm is at most this times the
            squared sum of its coefficients counts as vanishing.
        lanes: the kind of number.
        steep: whether α is above :data:`STEEP`.
        present: m boolean lanes; where False, that objective is a stand-in orthogonal to all others, with
            b = 1, which must take no part in sums over objectives. By default all are present.
    """
    size = len(b)
    ratio, ray = 1.0 - 1.0 / alpha, alpha / (alpha + 1.0)
    counted = _keep if present is None else _only(present, lanes)

    y = [dot(row, u) for row in C]
    q = [bi * lanes.power(ui, ratio) for bi, ui in zip(b, u, strict=True)]
    total = sum(counted(u)[1:], counted(u)[0])
    square = dot(counted(u), y)
    stationary = square <= threshold * (total * total)
    square = lanes.maximum(square, EPSILON * EPSILON * (total * total))
    scale = lanes.power(sum(counted(q)[1:], counted(q)[0]) / square, ray)
    grown = lanes.power(scale, ratio)
    if present is None:
        u, y, q = [scale * x for x in u], [scale * x for x in y], [grown * x for x in q]
    else:
        scales = [lanes.where(here, scale, 1.0) for here in present]
        u = [s * x for s, x in zip(scales, u, strict=True)]
        y = [s * x for s, x in zip(scales, y, strict=True)]
        q = [lanes.where(here, grown * x, x) for here, x in zip(present, q, strict=True)]
    total = scale * total

    slope = [ui * yi - qi for ui, yi, qi in zip(u, y, q, strict=True)]
    excess = [abs(s) / (qi + ui * total / 8) for s, qi, ui in zip(slope, q, u, strict=True)]
    H = [[u[i] * u[j] * C[i][j] for j in range(i + 1)] for i in range(size)]
    for i in range(size):
        H[i][i] = H[i][i] + q[i] / alpha
    p = solve(*factorise(H, lanes), [-s for s in slope])
    if steep:
        gone = [ui <= SMALLEST for ui in u]
        p = [lanes.where(g & (pi < 0), 0.0, pi) for g, pi in zip(gone, p, strict=True)]
        excess = [lanes.where(g, 0.0, e) for g, e in zip(gone, excess, strict=True)]
    residual = largest(excess, lanes)

    r = lanes.maximum(largest([-pi for pi in p], lanes), EPSILON)
    step = lanes.damping(r, alpha)
    least = lanes.power(1.0 + r / alpha, -alpha)
    # 1 + step·p, written so that a factor far below ε does not cancel to nothing: for large α the weight
    # of an objective that fares well anyway is many orders of magnitude below the others.
    factors = [lanes.where(pi > 0, 1.0 + step * pi, (r + pi) / r - least * (pi / r)) for pi in p]
    next_u = [ui * f for ui, f in zip(u, factors, strict=True)]
    if steep:
        next_u = [lanes.maximum(ui, SMALLEST) for ui in next_u]
    violation = largest([abs(s) / qi for s, qi in zip(slope, q, strict=True)], lanes)
    return Step(u, residual, violation, stationary, next_u)


def newton_batch(
    C: Sequence[Sequence[Tensor]],
    b: Sequence[Tensor],
    alpha: float,
    threshold: float,
    present: Sequence[Tensor] | None = None,
) -> tuple[list[Tensor], Tensor, Tensor, int]:
    """Solve C u = b ∘ u^(−1/α) for a batch; arguments as for :func:`newton_step`.

    Returns:
        u; whether each problem was found to have no solution; the violation that is left; the number of
        iterations, which on an accelerator is always :data:`MAX_ITERATIONS`, as asking whether to stop
        would stall it.
    """
    advance = partial(newton_step, lanes=TENSORS, steep=alpha > STEEP, present=present)
    u = [TENSORS.power(bi, alpha / (alpha + 1)) for bi in b]
    best, residual, violation, stationary, u = advance(C, b, u, alpha, threshold)
    done = (residual <= TOLERANCE) | stationary
    iterations = 1
    while iterations < MAX_ITERATIONS and not (done.device.type == "cpu" and bool(done.all())):
        iterations += 1
        new = advance(C, b, u, alpha, threshold)
        u = new.next_u
        stalled = (residual <= NEAR) & (new.residual > residual / 2)
        better = ((new.residual < residual) | new.stationary) & ~done
        best = [torch.where(better, x, kept) for x, kept in zip(new.u, best, strict=True)]
        residual = torch.where(better, new.residual, residual)
        violation = torch.where(better, new.violation, violation)
        stationary = stationary | (new.stationary & ~done)
        done = done | stalled | stationary | (residual <= TOLERANCE)
    return best, stationary, violation, iterations


def newton_single(
    C: Sequence[Sequence[float]], b: Sequence[float], alpha: float, threshold: float
) -> tuple[list[float], bool, float, int]:
    """:func:`newton_batch` for one problem, in Python floats, which for few objectives is much faster.

    Raises:
        ArithmeticError: on overflow, where tensors would go on with infinities.
    """
    size = len(b)
    advance = _straight_line(size, alpha > STEEP)
    entries = [C[i][j] for i in range(size) for j in range(i)]
    u: Sequence[float] = [bi ** (alpha / (alpha + 1)) for bi in b]
    best, best_residual, best_violation = u, float("inf"), float("inf")
    for iteration in range(1, MAX_ITERATIONS + 1):
        result = advance(alpha, threshold, *entries, *b, *u)
        current, u = result[:size], result[size + 3 :]
        residual, violation, stationary = result[size : size + 3]
        if stationary:
            return list(current), True, violation, iteration
        stalled = best_residual <= NEAR and residual > best_residual / 2
        if residual < best_residual:
            best, best_residual, best_violation = current, residual, violation
        if stalled or best_residual <= TOLERANCE:
            break
    return list(best), False, best_violation, iteration


@lru_cache
def _straight_line(size: int, steep: bool) -> Callable[..., Any]:
    """:func:`newton_step` for ``size`` objectives as one Python function without loops."""
    pairs = [(i, j) for i in range(size) for j in range(i)]
    names = [f"c{i}_{j}" for i, j in pairs] + [f"b{i}" for i in range(size)] + [f"u{i}" for i in range(size)]

    def flat(lanes: Lanes, alpha: Lane, threshold: Lane, *values: Lane) -> list[Lane]:
        C: list[list[Lane]] = [[1.0] * size for _ in range(size)]
        for (i, j), entry in zip(pairs, values, strict=False):
            C[i][j] = C[j][i] = entry
        b, u = values[-2 * size : -size], values[-size:]
        new = newton_step(C, b, u, alpha, threshold, lanes, steep=steep)
        return [*new.u, new.residual, new.violation, new.stationary, *new.next_u]

    return trace(flat, ["alpha", "threshold", *names])


def _keep(values: Sequence[Lane]) -> Sequence[Lane]:
    return values


def _only(present: Sequence[Lane], lanes: Lanes) -> Callable[[Sequence[Lane]], list[Lane]]:
    return lambda values: [lanes.where(p, v, 0.0) for p, v in zip(present, values, strict=True)]
