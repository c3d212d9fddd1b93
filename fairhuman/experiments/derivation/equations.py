"""Every equation of the paper as numbers that decide whether it holds as printed.

Each function draws its own cases from a seed and returns names to numbers. An error that should vanish is a
largest relative deviation; what a counterexample needs is a single number of the wrong sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Generator, Tensor

from fairhuman.experiments.derivation.reference import potential_delay, rates_of_descent, residual
from fairhuman.experiments.derivation.studies import (
    PROPORTIONS,
    equation_9,
    hessian_eigenvalues,
    projection_length,
)
from fairhuman.fairness import alpha_fair_weights, closed_form_weights
from fairhuman.fairness._direction import cosine
from fairhuman.objectives import GLOBAL, regional_losses

__all__ = ["check_equations", "check_recorded", "check_scale"]

_COUNT, _DIMENSION = 200, 20
Numbers = dict[str, float]


def check_equations(seed: int = 0) -> dict[str, Numbers]:
    """Equations 1 to 11 and 13 to 16: ``eq1`` and so on → numbers, see the ledger for what each decides."""
    draw = Generator().manual_seed(seed)
    return {
        "eq1_3": _objectives(draw),
        "eq4_5": _delays(draw),
        "eq6_8": _stationarity(draw),
        "eq9": _convexity(),
        "eq10": _closed_form(draw),
        "eq11": _step(draw),
        "eq13_16": _lagrangian(draw),
    }


def _gradients(draw: Generator, count: int = _COUNT) -> Tensor:
    """Three gradients a case, in the proportions of fine-tuning, float64."""
    sizes = torch.tensor(PROPORTIONS, dtype=torch.float64).unsqueeze(-1)
    return sizes * torch.randn(count, 3, _DIMENSION, generator=draw, dtype=torch.float64)


def _directions(G: Tensor) -> Tensor:
    """The exact MPD direction of each case."""
    return (alpha_fair_weights(G @ G.mT).unsqueeze(-2) @ G).squeeze(-2)


def _objectives(draw: Generator) -> Numbers:
    error, target = (torch.randn(6, 4, 8, 8, generator=draw, dtype=torch.float64) for _ in range(2))
    parts = torch.zeros(6, 3, 8, 8, dtype=torch.float64)
    parts[:, 0, :3, :3] = parts[:, 1, 5:, 5:] = 1
    parts[:, 2] = 1 - parts[:, 0] - parts[:, 1]
    masks = {name: parts[:, k : k + 1] for k, name in enumerate(("face", "hand", "rest"))}
    losses = regional_losses(error, target, masks)
    squares = (error - target).float().square()
    masked = max(
        float((losses[name] - (mask * squares).mean()).abs() / losses[name]) for name, mask in masks.items()
    )
    whole = float((losses[GLOBAL] - squares.mean()).abs() / losses[GLOBAL])
    # Eq. 3: K backward passes give the gradient of each objective by itself, so nothing is summed beforehand.
    theta = torch.randn(4, generator=draw, dtype=torch.float64, requires_grad=True)
    separate = [torch.autograd.grad((theta**k).sum(), theta)[0] for k in (1, 2, 3)]
    jacobian = torch.autograd.functional.jacobian(
        lambda t: torch.stack([(t**k).sum() for k in (1, 2, 3)]), theta.detach()
    )
    # The same error everywhere: what a region contributes to Eq. 1 is its share of the area.
    flat = regional_losses(torch.ones_like(error), torch.zeros_like(error), masks)
    area = max(abs(float(flat[name]) - float(mask.mean())) for name, mask in masks.items())
    return {
        "eq1_error": whole,
        "eq2_error": masked,
        "regions_add_up_error": float(
            (losses[GLOBAL] - sum(losses[n] for n in masks)).abs() / losses[GLOBAL]
        ),
        "contribution_is_area_error": area,
        "eq3_error": float((torch.stack(separate) - jacobian).abs().max()),
    }


def _delays(draw: Generator) -> Numbers:
    G = _gradients(draw)
    d = _directions(G)
    bound, printed, length = [], [], []
    for gradients, direction in zip(G, d, strict=True):
        projections = torch.stack([projection_length(g, direction) for g in gradients])
        rates, norms = gradients @ direction, gradients.norm(dim=1)
        length.append(float((projections - rates / norms).abs().max() / projections.max()))
        printed.append(float((projections / (rates / direction.norm()) - 1).abs().min()))
        bound.append(float((1 / projections).sum() / (norms.max() * (1 / rates).sum())))
    K = G @ G.mT
    sizes = K.diagonal(dim1=1, dim2=2).sqrt()
    # Eq. 4 is Eq. 5 of gradients of length 1; a direction is compared through its weights on g.
    of_eq4 = alpha_fair_weights(K / sizes.unsqueeze(1) / sizes.unsqueeze(2)) / sizes
    rates = torch.rand(_COUNT, 3, generator=draw, dtype=torch.float64) + 0.1
    return {
        "projection_error": max(length),
        "printed_projection_least_error": min(printed),
        "bound_largest_ratio": max(bound),
        "eq4_eq5_median_cosine": float(cosine(K, alpha_fair_weights(K), of_eq4).median()),
        "alpha_2_error": float((potential_delay(rates, 2.0) - (1 / rates).sum(-1)).abs().max()),
    }


def _stationarity(draw: Generator) -> Numbers:
    G = _gradients(draw)
    K = G @ G.mT
    w, d = alpha_fair_weights(K), _directions(G)
    rates = (G @ d.unsqueeze(-1)).squeeze(-1)
    right = (rates.pow(-2).unsqueeze(-2) @ G).squeeze(-2)
    as_printed = (G.mT @ G).shape[-1]
    return {
        "eq6_error": float(((d - right).norm(dim=1) / d.norm(dim=1)).max()),
        "eq7_error": float((w * rates.square() - 1).abs().max()),
        "eq8_error": float(residual(K, w).max()),
        "eq8_printed_size": float(as_printed),  # of a matrix that is to be multiplied by three weights
        "least_weight": float(w.min()),
    }


def _convexity() -> Numbers:
    K = torch.tensor([[1.0, 0.1], [0.1, 1.0]], dtype=torch.float64)
    at, along = (torch.tensor(v, dtype=torch.float64) for v in ([1.0, 50.0], [0.2, 0.0]))
    chord = (equation_9(K, at - along) + equation_9(K, at + along)) / 2
    return {
        "least_curvature": float(hessian_eigenvalues(lambda w: equation_9(K, w), at)[0]),
        "above_the_chord": float(equation_9(K, at) - chord),
    }


def _closed_form(draw: Generator) -> Numbers:
    K = torch.randn(_COUNT, 3, 4, generator=draw, dtype=torch.float64)
    K = K @ K.mT
    orthogonal = torch.diag_embed(torch.rand(_COUNT, 3, generator=draw, dtype=torch.float64) + 0.01)
    w = closed_form_weights(K)
    return {
        "orthogonal_error": float(residual(orthogonal, closed_form_weights(orthogonal)).max()),
        "median_error": float(torch.nan_to_num(residual(K, w), nan=torch.inf).median()),
        "negative_share": float((w < 0).any(-1).double().mean()),
        "ascending_share": float((rates_of_descent(K, w) < 0).any(-1).double().mean()),
    }


def _step(draw: Generator) -> Numbers:
    """Eq. 11 on three random quadratics: a small step lowers all, a large one need not."""
    A = torch.randn(_COUNT, 3, _DIMENSION, _DIMENSION, generator=draw, dtype=torch.float64)
    H = A @ A.mT / _DIMENSION
    theta = torch.randn(_COUNT, _DIMENSION, generator=draw, dtype=torch.float64)
    G = (H @ theta[:, None, :, None]).squeeze(-1)
    d = _directions(G)
    d = d / d.norm(dim=1, keepdim=True)

    def raised(rate: float) -> float:
        moved = theta - rate * d
        before, after = (torch.einsum("ci,ckij,cj->ck", t, H, t) / 2 for t in (theta, moved))
        return float((after > before).any(-1).double().mean())

    return {
        "small_step_raises": raised(1e-4),
        "large_step_raises": raised(10.0),
        "times_k_largest_change": _times_k(draw),
    }


def _times_k(draw: Generator, size: float = 1e-4, steps: int = 20) -> float:
    """Largest relative change of Adam's steps when every direction is multiplied by three."""
    directions = size * torch.randn(steps, 1000, generator=draw, dtype=torch.float64)
    moved = []
    for factor in (1.0, 3.0):
        theta = torch.zeros(1000, dtype=torch.float64, requires_grad=True)
        optimiser = torch.optim.Adam([theta], lr=1.0)
        for d in directions:
            theta.grad = factor * d
            optimiser.step()
        moved.append(theta.detach().clone())
    return float((moved[1] - moved[0]).norm() / moved[0].norm())


def _lagrangian(draw: Generator) -> Numbers:
    G = _gradients(draw, 50)
    errors, fall, multipliers, directions, lengths = [], [], [], [], []
    for gradients, d in zip(G, _directions(G), strict=True):
        radius = d.norm()

        def cost(x: Tensor, g: Tensor = gradients) -> Tensor:
            return (1 / (g @ x)).sum()

        # Eq. 13: farther along the same direction the cost falls.
        fall.append(float((cost(1.1 * d) - cost(d)) / cost(d)))
        slope = torch.autograd.functional.jacobian(cost, d)
        printed = -(gradients / (gradients @ d).square().unsqueeze(-1)).sum(0)
        errors.append(float((slope - printed).norm() / slope.norm()))
        # Eq. 15 and 16: 2 λ d = Σ g / (gᵀd)², so λ > 0, and λ = ½ is one radius among all.
        multipliers.append(float(-(slope @ d) / (2 * radius**2)))
        for factor in (0.1, 10.0):
            other = d * factor
            right = (gradients / (gradients @ other).square().unsqueeze(-1)).sum(0)
            lam = right.norm() / (2 * other.norm())
            solved = right / (2 * lam)
            errors.append(float((solved - other).norm() / other.norm()))
            directions.append(float(torch.nn.functional.cosine_similarity(solved, d, dim=0)))
            lengths.append(float(solved.norm() / radius))
    return {
        "farther_largest_change": max(fall),
        "eq15_16_error": max(errors),
        "least_multiplier": min(multipliers),
        "other_multiplier_least_cosine": min(directions),
        "other_multiplier_largest_length": max(lengths),
    }


def check_recorded(lines: Sequence[Mapping[str, Any]]) -> Numbers:
    """What §3.3 assumes of gradients, on Gram matrices recorded in training.

    Args:
        lines: Steps with ``losses`` by name and ``gramian``.
    """
    K = torch.tensor([line["gramian"] for line in lines], dtype=torch.float64)
    losses = torch.tensor([list(line["losses"].values()) for line in lines], dtype=torch.float64)
    whole = (K.diagonal(dim1=1, dim2=2) > 0).all(1)
    K, losses = K[whole], losses[whole]
    sizes = K.diagonal(dim1=1, dim2=2).sqrt()
    least = torch.linalg.eigvalsh(K / sizes.unsqueeze(1) / sizes.unsqueeze(2))[:, 0]
    w = alpha_fair_weights(K)
    ratio = (w[:, 2] / w[:, 0]).quantile(torch.tensor([0.1, 0.9], dtype=torch.float64))
    si = cosine(K, 1 / losses, alpha_fair_weights(K, 1.0))
    return {
        "steps": len(lines),
        "absent_share": float((~whole).double().mean()),
        "least_eigenvalue": float(least.min()),
        "hand_weight_spread": float(ratio[1] / ratio[0]),
        "si_alpha_1_median_cosine": float(si.median()),
        "mpd_ascends": float((rates_of_descent(K, w) <= 0).any(-1).double().mean()),
    }


def check_scale(seed: int = 0) -> Numbers:
    """Eq. 12 on one adapted layer: β = 0 is the base, and between 0 and 1 the output is linear in β."""
    from peft.tuners.lora import LoraLayer

    from fairhuman.models import tiny_pipeline
    from fairhuman.models.adapters import LoRA

    lora = LoRA(tiny_pipeline(seed=seed), rank=2, seed=seed)
    layer = next(module for module in lora.unet.modules() if isinstance(module, LoraLayer))
    draw = Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in lora.parameters.items():
            if "lora_B" in name:
                parameter.copy_(torch.randn(parameter.shape, generator=draw))
        x = torch.randn(3, layer.get_base_layer().in_features, generator=draw)
        outputs = {}
        for beta in (0.0, 0.5, 1.0):
            lora.scale = beta
            outputs[beta] = layer(x)
        base = layer.get_base_layer()(x)
        size = (outputs[1.0] - base).abs().max()
        middle = (outputs[0.0] + outputs[1.0]) / 2
    return {
        "eq12_zero_error": float((outputs[0.0] - base).abs().max() / size),
        "eq12_linear_error": float((outputs[0.5] - middle).abs().max() / size),
        "eq12_change": float(size),
    }
