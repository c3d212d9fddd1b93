"""MPD on rescaled losses.

MPD depends on the losses' units: replacing l by c·l multiplies an objective's share of the direction, wᵢ‖gᵢ‖,
by c^(−1/3) if gradients are orthogonal. The unit of each loss is therefore a choice. This module offers two.
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
        """c, shape (m,); 0 leaves an objective out."""


class LogLossMPD(RescaledMPD):
    """``mpd_log``: MPD on the logarithms of the losses, so that relative improvement counts.

    log lᵢ has the gradient gᵢ / lᵢ. The minimised delay, Σ lᵢ / (gᵢᵀd), is the time in which every loss would
    vanish at its current rate. A constant factor on a loss (its unit, ``local_scale``, the area over which an
    error is averaged) does not change the direction. With random noise levels, batch losses, and so the
    units, vary tenfold. Losses that are not positive have no logarithm and are left out.
    """

    name = "mpd_log"

    def _factors(self, losses: Tensor) -> Tensor:
        usable = losses > 0
        return torch.where(usable, 1 / torch.where(usable, losses, 1.0), 0.0)


class AreaMPD(RescaledMPD):
    """``mpd_area:<a₁>,<a₂>,…``: MPD on losses divided by constants, such as the mean fraction of the image
    that each region covers.

    With ``reduction: image``, a regional loss is averaged over the whole image, so a small face has a small
    loss *because* it is small, and MPD favours it: its share grows as a^(−1/3). Dividing by the area removes
    this effect. ``reduction: mask`` divides by the area of each region in each image, whereas the constants
    here are data set averages, so that a large face still counts more than a small one.

    Args:
        constants: one number > 0 per objective, in order; 1 for the whole image.

    Raises:
        ValueError: if a constant is not positive and finite.
    """

    def __init__(self, constants: Sequence[float]) -> None:
        self.constants = tuple(constants)
        if not self.constants or not all(math.isfinite(one) and one > 0 for one in self.constants):
            raise ValueError(f"constants: must be positive and finite, got {self.constants}")
        self.name = f"mpd_area:{','.join(f'{one:g}' for one in self.constants)}"

    def _factors(self, losses: Tensor) -> Tensor:
        if len(self.constants) != len(losses):
            raise ValueError(
                f"losses: must be {len(self.constants)} for strategy {self.name}, got {len(losses)}"
            )
        return 1 / losses.new_tensor(self.constants)
