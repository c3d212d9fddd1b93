"""Experiments on the paper's derivation (Eq. 4 to 11 and §6), each returning plain numbers to show.

Rows of G are the gradients gᵢ, K = G Gᵀ is their Gram matrix, weights w stand for the direction d = Gᵀw.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from fairhuman.experiments.derivation.ensembles import conditioned, gaussian, regional
from fairhuman.experiments.derivation.reference import (
    certified_rates,
    potential_delay,
    rates_of_descent,
    residual,
    rounding_floor,
)
from fairhuman.fairness import alpha_fair_weights, closed_form_weights, get_strategy, solve_alpha_fair
from fairhuman.fairness._direction import cosine

Row = dict[str, Any]


def plain_sum_weights(gramian: Tensor) -> Tensor:
    """Weights of linear scalarisation: all 1."""
    return torch.ones_like(gramian[..., 0])


def official_weights(gramian: Tensor, alpha: float = 2.0) -> Tensor:
    """Weights as the released code finds them: ``scipy.optimize.least_squares``, one matrix at a time."""
    from torchjd.aggregation import FairGradWeighting

    solver = FairGradWeighting(alpha)
    flat = gramian.reshape(-1, *gramian.shape[-2:])
    return torch.stack([solver(K) for K in flat]).reshape(gramian.shape[:-1])


METHODS: dict[str, Callable[[Tensor], Tensor]] = {
    "exact": alpha_fair_weights,
    "closed_form": closed_form_weights,
    "plain_sum": plain_sum_weights,
}
"""Directions that are compared: Eq. 8 solved, Eq. 10 as printed, and no fairness at all."""

RIVALS = ("upgrad", "pcd", "sdmgrad")
"""Published strategies that decide by one Gram matrix, beside max-min, which is MGDA."""

PROPORTIONS = (1.0, 0.12, 0.05)
"""Sizes of the gradients of global, face and hand objective found when fine-tuning a small model."""


def projection_length(gradient: Tensor, direction: Tensor) -> Tensor:
    """Length of the orthogonal projection of ``direction`` onto the line of ``gradient``.

    From the definition, by the projector g gᵀ / gᵀg; no formula of the paper is used.
    """
    projector = torch.outer(gradient, gradient) / (gradient @ gradient)
    return (projector @ direction).norm()


def delay_of_projections(gradients: Tensor, direction: Tensor) -> Tensor:
    """F(d) of Eq. 4: the sum of inverse lengths of projections."""
    return sum((1 / projection_length(g, direction) for g in gradients), torch.zeros(()))


def equation_9(gramian: Tensor, weights: Tensor) -> Tensor:
    """The objective of Eq. 9: ‖K w − w^(−1/2)‖²."""
    return ((gramian @ weights) - weights.pow(-0.5)).square().sum()


def hessian_eigenvalues(objective: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    """Eigenvalues of the Hessian, ascending."""
    return torch.linalg.eigvalsh(torch.autograd.functional.hessian(objective, at))


def compare(gramians: Tensor, methods: dict[str, Callable[[Tensor], Tensor]] | None = None) -> list[Row]:
    """How far the directions of other methods are from the optimum of Eq. 5.

    Args:
        gramians: shape (n, m, m).
        methods: by name; :data:`METHODS` by default.

    Returns:
        One row a method: quantiles of the cosine with the exact direction and of the excess of Eq. 5 over
        its optimum (infinite where an objective does not descend), the shares of matrices with a negative
        weight and with an objective that ascends.
    """
    exact = alpha_fair_weights(gramians)
    optimum = potential_delay(rates_of_descent(gramians, exact))
    rows = []
    for name, weights in (methods or METHODS).items():
        w = weights(gramians)
        rates = rates_of_descent(gramians, w)
        excess = potential_delay(rates) / optimum - 1
        rows.append(
            {
                "method": name,
                "matrices": len(gramians),
                **_quantiles("cosine", cosine(gramians, w, exact)),
                **_quantiles("excess", excess),
                "negative_weight": _share((w < 0).any(-1)),
                "ascends": _share((rates < 0).any(-1)),
            }
        )
    return rows


def recorded_methods(local_scale: float = 25.0, loss_scale: float = 65536.0) -> dict[str, Any]:
    """:data:`METHODS` and what else may be made of Gram matrices that training recorded.

    Args:
        local_scale: factor of the local losses in ``scaled_sum``, as the released LoRA script has it.
        loss_scale: factor on the gradients in ``least_squares_scaled``, as fp16 training has it.
    """

    def scaled_sum(gramian: Tensor) -> Tensor:
        weights = torch.full_like(gramian[..., 0], local_scale)
        weights[..., 0] = 1.0
        return weights

    return METHODS | {
        "scaled_sum": scaled_sum,
        "least_squares": lambda K: official_weights(K.float()).double(),
        "least_squares_scaled": lambda K: official_weights((loss_scale**2 * K).float()).double(),
    }


def by_dimension(dimensions: Sequence[int], count: int, generator: Generator) -> list[Row]:
    """:func:`compare` for three random gradients in spaces of several dimensions.

    The fewer dimensions, the more the gradients align or conflict.
    """
    rows = []
    for dimension in dimensions:
        for row in compare(gaussian(count, 3, dimension, generator)):
            rows.append({"dimension": dimension, **row})
    return rows


def by_condition(decades: Sequence[float], count: int, generator: Generator) -> list[Row]:
    """:func:`compare` over the condition number of the Gram matrix, with the solver's residual."""
    rows = []
    for decade in decades:
        K = conditioned(count, 3, generator, log10_condition=(decade, decade))
        w = alpha_fair_weights(K)
        own = {"residual": float(residual(K, w).median()), "floor": float(rounding_floor(K, w).median())}
        rows += [{"log10_condition": decade, **row, **own} for row in compare(K)]
    return rows


def certified(gramians: Tensor) -> list[Row]:
    """Eq. 5 at the exact direction against the optimum that cvxpy certifies, one row per matrix."""
    rows = []
    for K in gramians:
        _, optimum = certified_rates(K)
        row: Row = {"optimum": optimum}
        for name, weights in METHODS.items():
            row[name] = float(potential_delay(rates_of_descent(K, weights(K)))) / optimum - 1
        rows.append(row)
    return rows


def map_closed_form(resolution: int, correlation: float = 0.0) -> dict[str, Any]:
    """Eq. 10 over the geometry of a global and two local gradients.

    Norms (1, s, s), cosine ρ between the global and each local gradient, ``correlation`` between the two.

    Returns:
        The axes ``rho`` and ``log10_ratio`` (of s), and, over (ratio, rho), ``excess`` of Eq. 5, the
        smallest share ``smallest`` of a weight, min wᵢ‖gᵢ‖ / Σ |wⱼ|‖gⱼ‖, and the smallest cosine ``worst``
        between the direction and a gradient. Negative ``smallest``: a negative weight; negative ``worst``:
        an objective that ascends. None where no such three gradients exist.
    """
    limit = ((1 + correlation) / 2) ** 0.5
    rho = torch.linspace(-0.99, 0.99, resolution).double()
    ratio = torch.linspace(-2, 2, resolution).double()
    C = torch.stack([regional((1.0, 1.0, 1.0), (r, r, correlation)) for r in rho.tolist()])
    norms = torch.stack([torch.ones_like(ratio), 10**ratio, 10**ratio], -1)
    K = C.unsqueeze(0) * norms[:, None, :, None] * norms[:, None, None, :]
    exists = (rho.abs() < limit).expand(resolution, -1)
    K = torch.where(exists[..., None, None], K, torch.eye(3, dtype=torch.float64))
    sizes = K.diagonal(dim1=-2, dim2=-1).sqrt()
    w = closed_form_weights(K)
    rates = rates_of_descent(K, w)
    optimum = potential_delay(rates_of_descent(K, alpha_fair_weights(K)))
    shares = w * sizes / (w * sizes).abs().sum(-1, keepdim=True)
    maps = {
        "excess": potential_delay(rates) / optimum - 1,
        "smallest": shares.amin(-1),
        "worst": (rates / sizes).amin(-1),
    }
    # Six decimals are more than a map shows, and keep the stored file small.
    blank = {name: torch.where(exists, v, torch.nan).round(decimals=6) for name, v in maps.items()}
    return {"rho": rho, "log10_ratio": ratio, "correlation": correlation, **blank}


def shrinking_gradients(decades: Sequence[float], count: int, generator: Generator) -> list[Row]:
    """The direction that ``least_squares`` gives as all gradients shrink, against the exact one.

    Args:
        decades: log10 of the size of the first gradient.
        count: random matrices of three gradients in 20 dimensions, in the proportions :data:`PROPORTIONS`,
            the same for every size.
        generator: of those matrices.
    """
    base = proportioned(count, 20, generator)
    exact = alpha_fair_weights(base)
    rows = []
    for decade in decades:
        K = base * 10.0 ** (2 * decade)
        w = official_weights(K)
        lengths = ((w.unsqueeze(-2) @ K @ w.unsqueeze(-1)).squeeze() / rates_norm(K)).sqrt()
        rows.append(
            {
                "log10_size": decade,
                **_quantiles("cosine", cosine(base, w, exact)),
                **_quantiles("length", lengths),
                "own_residual": float(residual(K, alpha_fair_weights(K)).max()),
            }
        )
    return rows


def proportioned(count: int, dimension: int, generator: Generator) -> Tensor:
    """Gram matrices of random gradients with mean squared norms in the proportions of fine-tuning."""
    norms = torch.tensor(PROPORTIONS, dtype=torch.float64)
    return gaussian(count, 3, dimension, generator) / dimension * norms.unsqueeze(0) * norms.unsqueeze(1)


def rates_norm(gramian: Tensor) -> Tensor:
    """‖d‖² of the exact MPD direction, which by Eq. 6 equals Σ 1 / (gᵢᵀd) = Σ wᵢ^(1/2)."""
    return alpha_fair_weights(gramian).sqrt().sum(-1)


def adam_ascends(count: int, dimension: int, generator: Generator) -> Row:
    """How often the first step of Adam along an MPD direction raises an objective.

    Adam's first step is along the sign of each entry of d, which no longer is the MPD direction.
    """
    G = torch.randn(count, 3, dimension, generator=generator, dtype=torch.float64)
    G = G * torch.tensor(PROPORTIONS, dtype=torch.float64).unsqueeze(-1)
    d = (alpha_fair_weights(G @ G.mT).unsqueeze(-2) @ G).squeeze(-2)
    share = {
        name: _share(((G @ step.unsqueeze(-1)) < 0).squeeze(-1).any(-1))
        for name, step in (("gradient_descent", d), ("adam", d.sign()))
    }
    return {"dimension": dimension, "matrices": count, **share}


def double_well(start: float = 1.4, rate: float = 0.01, steps: int = 400) -> dict[str, Any]:
    """Descent along MPD directions into a Pareto stationary point that is not Pareto optimal.

    Two objectives of one variable, the same double well moved by ±0.1. Their right wells are higher than
    their left ones; between the right minima the gradients oppose each other.

    Returns:
        The curves, the path of θ, its end, whether the end is Pareto stationary, and a point that is better
        for both.
    """

    def objectives(theta: Tensor) -> Tensor:
        shifted = torch.stack([theta - 0.1, theta + 0.1])
        return (shifted**2 - 1) ** 2 + 0.3 * shifted + 0.4

    theta = torch.tensor(start, dtype=torch.float64)
    path, stationary = [start], False
    for _ in range(steps):
        slopes = torch.autograd.functional.jacobian(objectives, theta)
        found = solve_alpha_fair(torch.outer(slopes, slopes))
        stationary = bool(found.stationary)
        if stationary:
            break
        d = found.weights @ slopes
        theta = theta - rate * d / d.abs()
        path.append(theta.item())
    grid = torch.linspace(-1.5, 1.5, 301, dtype=torch.float64)
    values = objectives(grid)
    end = objectives(theta)
    better = (values < end.unsqueeze(-1)).all(0)
    return {
        "theta": grid,
        "losses": values,
        "path": path,
        "end": theta.item(),
        "end_losses": end,
        "stationary": stationary,
        "dominating": float(grid[better][values[:, better].sum(0).argmin()]) if better.any() else None,
        "dominated_by": float(better.double().mean()),
    }


def rates_plane(gramian: Tensor, points: int = 241) -> dict[str, Any]:
    """Two objectives in the plane of their rates of descent (g₁ᵀd, g₂ᵀd), for drawing.

    Returns:
        ``ellipse``: the rates that unit directions reach, shape (2, points); the point of each method of
        :data:`METHODS`, of ``max_min`` and of :data:`RIVALS`; and the MPD optimum's cost.
    """
    angles = torch.linspace(0, 2 * torch.pi, points, dtype=torch.float64)
    root = torch.linalg.cholesky(gramian)
    found = {name: rates_of_descent(gramian, weights(gramian)) for name, weights in METHODS.items()}
    found["max_min"] = rates_of_descent(gramian, alpha_fair_weights(gramian, 50.0))
    alike, here = gramian.new_ones(2), torch.ones(2, dtype=torch.bool)
    for name in RIVALS:
        found[name] = rates_of_descent(gramian, get_strategy(name).weights(alike, gramian, here))
    return {
        "ellipse": root @ torch.stack([angles.cos(), angles.sin()]),
        "points": found,
        "cost": float(potential_delay(found["exact"])),
    }


def _quantiles(name: str, values: Tensor) -> Row:
    probabilities = torch.tensor([0.05, 0.5, 0.95], dtype=torch.float64)
    # With infinities in it, interpolation would give NaN.
    low, median, high = values.double().quantile(probabilities, interpolation="nearest").tolist()
    return {f"{name}_5": low, name: median, f"{name}_95": high}


def _share(condition: Tensor) -> float:
    return float(condition.double().mean())
