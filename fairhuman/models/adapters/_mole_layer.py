"""A linear layer with two low-rank experts, each weighted by a local and a global gate (MoLE)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["EXPERTS", "Expert", "GatedLinear"]

EXPERTS = ("face", "hand")


class Expert(nn.Module):
    """A low-rank update ``scale · B A x`` and its global gate. A is initialised from a Gaussian with standard
    deviation 1 / rank and B with zeros, so the initial output is zero.

    Args:
        inputs, outputs: Widths of the layer.
        rank: Rank of the update, ≥ 1.
        alpha: ``scale`` is alpha / rank.
    """

    def __init__(self, inputs: int, outputs: int, rank: int, alpha: float) -> None:
        super().__init__()
        self.lora_A = nn.Linear(inputs, rank, bias=False)
        self.lora_B = nn.Linear(rank, outputs, bias=False)
        self.global_gate = nn.Linear(outputs, 1)
        self.scale = alpha / rank
        nn.init.normal_(self.lora_A.weight, std=1 / rank)
        nn.init.zeros_(self.lora_B.weight)

    def forward(self, x: Tensor) -> Tensor:
        """``s · E(x) · σ(global(mean over tokens of E(x)))``, shape (batch, tokens, outputs)."""
        answer = self.lora_B(self.lora_A(x))
        gate = torch.sigmoid(self.global_gate(answer.mean(dim=1, keepdim=True)))
        return self.scale * answer * gate


class GatedLinear(nn.Module):
    """``y = W x + β Σ_e s_e · E_e(x) · σ(local_e(x)) · σ(global_e(mean E_e(x)))`` over the experts e.

    The gates are sigmoids, so experts neither exclude each other nor share a budget. Gates start near ½, so
    expert weights start near ¼.

    Args:
        base: The existing layer, shared and frozen.
        ranks, alphas: Ranks and alphas of the two experts.

    Attributes:
        beta: β of Eq. 12.
    """

    def __init__(self, base: nn.Linear, ranks: Sequence[int], alphas: Sequence[float]) -> None:
        super().__init__()
        self.base, self.beta = base, 1.0
        self.local_gate = nn.Linear(base.in_features, len(EXPERTS))
        self.experts = nn.ModuleDict(
            {
                name: Expert(base.in_features, base.out_features, rank, alpha)
                for name, rank, alpha in zip(EXPERTS, ranks, alphas, strict=True)
            }
        )

    @property
    def weight(self) -> Tensor:
        """The base's weight, because some diffusers code reads a linear layer's dtype from it."""
        return self.base.weight

    def forward(self, x: Tensor, *_: object) -> Tensor:
        answer = self.base(x)
        if self.beta == 0:
            return answer
        given = x.to(self.local_gate.weight.dtype)
        # Transformer layers receive (batch, tokens, width); other layers have no tokens to pool.
        given = given if given.ndim == 3 else given[:, None]
        local = torch.sigmoid(F.linear(given, self.local_gate.weight, self.local_gate.bias))
        added = sum(
            expert(given) * local[..., place : place + 1]
            for place, expert in enumerate(self.experts.values())
        )
        return answer + self.beta * added.view(answer.shape).to(answer.dtype)
