"""The Nash-MTL bargaining solution."""

from __future__ import annotations

import math

from torch import Tensor

from fairhuman.fairness._alpha_fair import alpha_fair_weights
from fairhuman.fairness._strategy import FromGramian


class Nash(FromGramian):
    """``nash_mtl``: the Nash bargaining solution of the objectives, K w = 1/w, solved exactly.

    Its direction is that of ``alpha_fair:1``, clipped to length ``max_norm`` as in the published method. The
    published solver, which solves a few convex programs starting from the previous step's weights, stops far
    from the solution when gradients are as small as in fine-tuning. This class computes the exact solution
    that it approximates.

    Args:
        max_norm: maximum length of the direction; 0 disables clipping.

    Raises:
        ValueError: if ``max_norm`` is negative or not finite.
    """

    def __init__(self, max_norm: float = 1.0) -> None:
        if not 0 <= max_norm < math.inf:
            raise ValueError(f"max_norm: must be a finite number of at least 0, got {max_norm!r}")
        self.max_norm = max_norm
        super().__init__("nash_mtl", self._bargain)

    def _bargain(self, gramian: Tensor) -> Tensor:
        weights = alpha_fair_weights(gramian, 1.0)
        length = float(weights @ gramian @ weights) ** 0.5  # √m, or 0 at a stationary point
        return weights * (self.max_norm / length) if 0 < self.max_norm < length else weights
