"""A strategy around another one."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from fairhuman.fairness import Strategy

__all__ = ["Wrapped"]


class Wrapped(Strategy):
    """Does as the strategy inside; a subclass says where it differs.

    Args:
        strategy: The one inside.
    """

    def __init__(self, strategy: Strategy) -> None:
        self.strategy, self.name = strategy, strategy.name

    @property
    def needs_gramian(self) -> bool:
        return self.strategy.needs_gramian

    @property
    def foresees(self) -> bool:
        return self.strategy.foresees

    def foresee(
        self, losses: Tensor, present: Tensor, sketch: Tensor | None = None, *, begins: bool = True
    ) -> None:
        self.strategy.foresee(losses, present, sketch, begins=begins)

    def weights(self, losses: Tensor, gramian: Tensor | None, present: Tensor) -> Tensor:
        return self.strategy.weights(losses, gramian, present)

    def advance(self) -> None:
        self.strategy.advance()

    def state_dict(self) -> dict[str, Any]:
        return self.strategy.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.strategy.load_state_dict(state)
