"""Watching a strategy that does without inner products."""

from __future__ import annotations

from torch import Tensor

from fairhuman.fairness import Strategy
from fairhuman.training._wrapped import Wrapped

__all__ = ["Watched"]


class Watched(Wrapped):
    """A strategy whose Gram matrix is computed, for the log, also at steps where it needs none.

    Args:
        strategy: Decides the weights as ever.
        every: At every ``every``-th step the Gram matrix is computed in any case; 0 means never.

    Attributes:
        step: The coming step; the loop sets it.
    """

    def __init__(self, strategy: Strategy, every: int) -> None:
        super().__init__(strategy)
        self.every, self.step = every, 0

    @property
    def needs_gramian(self) -> bool:
        return super().needs_gramian or (self.every > 0 and self.step % self.every == 0)

    def weights(self, losses: Tensor, gramian: Tensor | None, present: Tensor) -> Tensor:
        # Being watched gives the strategy nothing more to decide by.
        return super().weights(losses, gramian if super().needs_gramian else None, present)
