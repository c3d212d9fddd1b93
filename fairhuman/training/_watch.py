"""Watching a strategy that does without inner products."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from fairhuman.fairness import Strategy

__all__ = ["Watched"]


class Watched(Strategy):
    """A strategy whose Gram matrix is computed, for the log, also at steps where it needs none.

    Args:
        strategy: Decides the weights as ever.
        every: At every ``every``-th step the Gram matrix is computed in any case; 0 means never.

    Attributes:
        step: The coming step; the loop sets it.
    """

    def __init__(self, strategy: Strategy, every: int) -> None:
        self.strategy, self.every, self.step = strategy, every, 0
        self.name = strategy.name

    @property
    def needs_gramian(self) -> bool:
        return self.strategy.needs_gramian or (self.every > 0 and self.step % self.every == 0)

    @property
    def foresees(self) -> bool:
        return self.strategy.foresees

    def foresee(
        self, losses: Tensor, present: Tensor, sketch: Tensor | None = None, *, begins: bool = True
    ) -> None:
        self.strategy.foresee(losses, present, sketch, begins=begins)

    def weights(self, losses: Tensor, gramian: Tensor | None, present: Tensor) -> Tensor:
        # Weights must not depend on being watched.
        return self.strategy.weights(losses, gramian if self.strategy.needs_gramian else None, present)

    def advance(self) -> None:
        self.strategy.advance()

    def state_dict(self) -> dict[str, Any]:
        return self.strategy.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.strategy.load_state_dict(state)
