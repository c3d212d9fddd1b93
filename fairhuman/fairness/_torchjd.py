"""α-fair weights for torchjd: a Gram matrix weighting and the corresponding aggregator."""

from __future__ import annotations

from torch import Tensor
from torchjd.aggregation import GramianWeightedAggregator, Weighting

from fairhuman.fairness._alpha_fair import alpha_fair_weights, check_alpha


class AlphaFairWeighting(Weighting):
    """:func:`alpha_fair_weights` as a :class:`torchjd.aggregation.Weighting` of Gram matrices.

    Args:
        alpha: fairness exponent, in (0, ∞); 2 is minimum potential delay.

    Example:
        >>> import torch
        >>> AlphaFairWeighting(2.0)(torch.diag(torch.tensor([1.0, 64.0])))
        tensor([1.0000, 0.0625])
    """

    def __init__(self, alpha: float = 2.0) -> None:
        super().__init__()
        self.alpha = alpha

    @property
    def alpha(self) -> float:
        """Fairness exponent."""
        return self._alpha

    @alpha.setter
    def alpha(self, value: float) -> None:
        self._alpha = check_alpha(value)

    def forward(self, gramian: Tensor, /) -> Tensor:
        return alpha_fair_weights(gramian, self.alpha)

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}"


class AlphaFair(GramianWeightedAggregator):
    """The α-fair direction of the rows of a Jacobian, as a torchjd aggregator.

    Exact at any gradient scale, whereas :class:`torchjd.aggregation.FairGrad` stops early for small
    gradients. Zero rows are left out; the direction is zero if the rows are Pareto stationary.

    Args:
        alpha: fairness exponent, in (0, ∞); 2 is minimum potential delay.

    Example:
        >>> import torch
        >>> from torchjd.autojac import backward, jac_to_grad
        >>> x = torch.tensor([1.0, 2.0], requires_grad=True)
        >>> backward([x[0] ** 2 / 2, 4 * x[1] ** 2])
        >>> weights = jac_to_grad([x], AlphaFair(2.0), optimize_gramian_computation=True)
        >>> weights
        tensor([1.0000, 0.0248])
    """

    gramian_weighting: AlphaFairWeighting

    def __init__(self, alpha: float = 2.0) -> None:
        super().__init__(AlphaFairWeighting(alpha))

    @property
    def alpha(self) -> float:
        """Fairness exponent."""
        return self.gramian_weighting.alpha

    @alpha.setter
    def alpha(self, value: float) -> None:
        self.gramian_weighting.alpha = value

    def __repr__(self) -> str:
        return f"{type(self).__name__}(alpha={self.alpha})"
