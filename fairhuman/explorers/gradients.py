"""Three draggable gradients (notebook 02)."""

from __future__ import annotations

import math
from typing import Any

import matplotlib.pyplot as plt
import torch
import traitlets
from torch import Tensor

from fairhuman.experiments.derivation.reference import potential_delay, rates_of_descent
from fairhuman.experiments.derivation.studies import official_weights, plain_sum_weights
from fairhuman.experiments.figures import PAGE, colour
from fairhuman.explorers._explorer import Explorer
from fairhuman.fairness import alpha_fair_weights, closed_form_weights

__all__ = ["GradientExplorer"]

_OBJECTIVES = ("global", "face", "hand")


class GradientExplorer(Explorer):
    """Norms and angles of three gradients, and the result of each rule.

    A fraction ``shared`` of each gradient's squared length lies in the drawn plane. The rest is orthogonal to
    all other gradients, as most of a gradient is in many dimensions. Therefore gᵢᵀgⱼ = ``shared`` ‖gᵢ‖ ‖gⱼ‖
    cos(θᵢ − θⱼ) for i ≠ j.

    Args:
        norms: Lengths of the gradients of global, face and hand loss, each in [1e-3, 1].
        angles: Directions in degrees.
        alpha: Fairness exponent, in [0.25, 32]; 2 is minimum potential delay.
        shared: Fraction in [0, 1].
        size: Power of ten that multiplies all gradients, in [−4, 0].

    Raises:
        traitlets.TraitError: A value is out of range.

    Example:
        >>> GradientExplorer(norms=[1.0, 0.5, 0.25], angles=[0.0, 90.0, 90.0], shared=1.0).gramian
        tensor([[1.0000, 0.0000, 0.0000],
                [0.0000, 0.2500, 0.1250],
                [0.0000, 0.1250, 0.0625]], dtype=torch.float64)
    """

    name = "gradients"
    state = ("norms", "angles", "alpha", "shared", "size")
    data = ("least_squares",)

    norms = traitlets.List(traitlets.Float(min=1e-3, max=1.0), [0.1, 0.01, 0.01], 3, 3).tag(sync=True)
    angles = traitlets.List(traitlets.Float(), [0.0, 45.0, -45.0], 3, 3).tag(sync=True)
    alpha = traitlets.Float(2.0, min=0.25, max=32.0).tag(sync=True)
    shared = traitlets.Float(0.3 * 2**0.5, min=0.0, max=1.0).tag(sync=True)
    size = traitlets.Float(0.0, min=-4.0, max=0.0).tag(sync=True)

    least_squares = traitlets.Dict().tag(sync=True)
    """Values computed only in Python: ``weights`` from ``scipy.optimize.least_squares`` for the state
    ``at``."""

    def __init__(self, **start: Any) -> None:
        super().__init__(**start)
        self._solve()
        self.observe(self._solve, [*self.state])

    def _solve(self, change: object = None) -> None:
        at = [*self.norms, *self.angles, self.alpha, self.shared, self.size]
        self.least_squares = {"at": at, "weights": official_weights(self.gramian, self.alpha).tolist()}

    @property
    def gramian(self) -> Tensor:
        """Inner products of the three gradients, shape (3, 3), float64."""
        norms = torch.tensor(self.norms, dtype=torch.float64) * 10**self.size
        angles = torch.tensor(self.angles, dtype=torch.float64).deg2rad()
        cosines = self.shared * (angles[:, None] - angles).cos()
        cosines.fill_diagonal_(1.0)
        return cosines * norms[:, None] * norms

    def _drawn(self) -> plt.Figure:
        figure = plt.figure(figsize=(PAGE, 2.6))
        plane: Any = figure.add_subplot(1, 2, 1, projection="polar")  # not declared by Matplotlib
        bars = figure.add_subplot(1, 2, 2)
        radii = [math.log10(norm) + 3.4 for norm in self.norms]
        for name, angle, radius in zip(_OBJECTIVES, self.angles, radii, strict=True):
            turn, shade = math.radians(angle), colour(name)
            plane.annotate(
                "", (turn, radius), (0, 0), arrowprops={"arrowstyle": "-|>", "color": shade, "lw": 2}
            )
            plane.text(turn, radius + 0.55, name, color=shade, ha="center", va="center", weight="bold")
        plane.set(ylim=(0, 4), yticks=[1.4, 2.4, 3.4], yticklabels=["0.01", "0.1", "1"], xticklabels=[])
        plane.set_rlabel_position(200)
        plane.set_title("gradients (log scale)")
        K = self.gramian
        rules = {
            "mpd": ("exact", alpha_fair_weights(K, self.alpha)),
            "closed_form": ("Eq. 10", closed_form_weights(K, self.alpha)),
            "ls": ("plain sum", plain_sum_weights(K)),
        }
        for row, (rule, (_, w)) in enumerate(rules.items()):
            rates = rates_of_descent(K, w)
            cost = f"{potential_delay(rates, self.alpha):.4g}"
            for i, cosine in enumerate((rates / K.diagonal().sqrt()).tolist()):
                bars.barh(row + 0.25 * (i - 1), cosine, 0.22, color=colour(_OBJECTIVES[i]))
            bars.text(1.04, row, cost, va="center", color=colour(rule), transform=bars.get_yaxis_transform())
        bars.set_yticks(range(3), [label for label, _ in rules.values()])
        bars.invert_yaxis()
        bars.axvline(0, color="black", linewidth=0.6)
        bars.set(xlabel="cosine of direction and gradient; below 0 the loss ascends", xlim=(-0.5, 1))
        bars.set_title(
            "descent, and Eq. 5 on the right" if self.alpha == 2 else "descent, and cost on the right"
        )
        return figure
