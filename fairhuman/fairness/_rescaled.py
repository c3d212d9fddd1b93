"""MPD on losses in another unit.

MPD is not indifferent to units: c·l in place of l multiplies an objective's share of the direction, wᵢ‖gᵢ‖,
by c^(−1/3) where gradients are orthogonal. So the unit of each loss is a choice. Two are here, and a third
that states how much each objective counts.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence

import torch
from torch import Tensor

from fairhuman.fairness._alpha_fair import alpha_fair_weights
from fairhuman.fairness._strategy import Strategy, take_gramian


class RescaledMPD(Strategy):
    """MPD of the losses cᵢ lᵢ: weights cᵢ vᵢ, where v solves Eq. 8 for the Gram matrix cᵢ cⱼ Kᵢⱼ."""

    @property
    def needs_gramian(self) -> bool:
        return True

    def weights(self, losses: Tensor, gramian: Tensor | None, present: Tensor) -> Tensor:
        gramian = take_gramian(self, gramian)
        c = torch.where(present, self._factors(losses), 0.0)
        return c * alpha_fair_weights(gramian * c.unsqueeze(0) * c.unsqueeze(1))

    @abstractmethod
    def _factors(self, losses: Tensor) -> Tensor:
        """c, shape (m,); 0 for one to leave out."""


class LogLossMPD(RescaledMPD):
    """``mpd_log``: MPD on the logarithms of the losses, so that what counts is the relative improvement.

    log lᵢ has the gradient gᵢ / lᵢ. The delay that is minimised, Σ lᵢ / (gᵢᵀd), is the time in which every
    loss would vanish at its present rate. No constant factor on a loss (the unit, ``local_scale``, the area
    over which an error is averaged) changes the direction. With noise levels drawn at random the losses of
    a batch vary tenfold, and with them the units. A loss that is not positive has no logarithm and is left
    out.
    """

    name = "mpd_log"

    def _factors(self, losses: Tensor) -> Tensor:
        usable = losses > 0
        return torch.where(usable, 1 / torch.where(usable, losses, 1.0), 0.0)


class AreaMPD(RescaledMPD):
    """``mpd_area:<a₁>,<a₂>,…``: MPD on losses divided by constants, such as the mean share of the image that
    each region covers.

    With ``reduction: image`` a regional loss is averaged over the whole image, so a small face has a small
    loss *because* it is small, and MPD favours it for that: its share grows as a^(−1/3). Division by the
    area takes this away. ``reduction: mask`` divides by the area of each region in each image, where the
    areas here are those of the data set: the choice between them is whether a large face counts for more
    than a small one.

    Args:
        constants: one > 0 for each objective, in their order; 1 for the whole image.

    Raises:
        ValueError: if one is not positive and finite.
    """

    kind = "mpd_area"

    def __init__(self, constants: Sequence[float]) -> None:
        self.constants = tuple(constants)
        if not self.constants or not all(math.isfinite(one) and one > 0 for one in self.constants):
            raise ValueError(f"constants: must be positive and finite, got {self.constants}")
        self.name = f"{self.kind}:{','.join(f'{one:g}' for one in self.constants)}"

    def _factors(self, losses: Tensor) -> Tensor:
        if len(self.constants) != len(losses):
            raise ValueError(
                f"losses: must be {len(self.constants)} for strategy {self.name}, got {len(losses)}"
            )
        return 1 / losses.new_tensor(self.constants)


class PriorityMPD(AreaMPD):
    """``mpd:<p₁>,<p₂>,…``: MPD with a priority for each objective. Eq. 5 becomes Σ pᵢ / (gᵢᵀd), so that the
    delay of an objective with priority 8 counts eight times: (p, α)-proportional fairness (Mo and Walrand,
    2000) at α = 2.

    As pᵢ / (gᵢᵀd) = 1 / ((gᵢ/pᵢ)ᵀd), it is MPD of the losses lᵢ / pᵢ. The weights solve (K w)ᵢ = √(pᵢ / wᵢ).
    On orthogonal gradients an objective's share of the direction, wᵢ‖gᵢ‖, goes as (pᵢ / ‖gᵢ‖)^(1/3): eight
    times the priority, twice the share. All still descend. A common factor on the priorities changes no
    direction.

    Args:
        constants: the priorities, one > 0 for each objective, in their order.

    Raises:
        ValueError: as :class:`AreaMPD`.
    """

    kind = "mpd"
