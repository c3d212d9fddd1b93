"""A strategy wrapped for use in a run."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import Tensor

from fairhuman.fairness import Strategy
from fairhuman.training._deviations import Deviations
from fairhuman.training._precision import LossScale

__all__ = ["RunStrategy"]


class RunStrategy(Strategy):
    """Delegates to the wrapped strategy, with the run's deviations. For the log, the Gram matrix can also be
    computed at steps where the strategy does not need it.

    Args:
        strategy: Computes the weights.
        deviations: Active deviations of the released code.
        loss_scale: The loss scale contained in half-precision gradients.
        watched: Whether to compute the Gram matrix at the next step in any case.
    """

    def __init__(
        self,
        strategy: Strategy,
        deviations: Deviations,
        loss_scale: LossScale,
        watched: Callable[[], bool],
    ) -> None:
        self.strategy = deviations.strategy(strategy)
        self.name = self.strategy.name
        self.deviations, self.loss_scale, self.watched = deviations, loss_scale, watched

    @property
    def needs_gramian(self) -> bool:
        return self.strategy.needs_gramian or self.watched()

    @property
    def foresees(self) -> bool:
        return self.strategy.foresees

    def foresee(
        self, losses: Tensor, present: Tensor, sketch: Tensor | None = None, *, begins: bool = True
    ) -> None:
        self.strategy.foresee(losses, present, sketch, begins=begins)

    def weights(self, losses: Tensor, gramian: Tensor | None, present: Tensor) -> Tensor:
        if not self.strategy.needs_gramian:
            gramian = None  # being watched gives the strategy nothing more to decide by
        if gramian is not None:
            gramian = self.deviations.gramian(gramian, self.loss_scale)
        return self.deviations.weights(self.strategy.weights(losses, gramian, present))

    @property
    def reviews(self) -> bool:
        return self.strategy.reviews

    def review(self, before: Tensor, after: Tensor, present: Tensor) -> None:
        self.strategy.review(before, after, present)

    def advance(self) -> None:
        self.strategy.advance()

    def state_dict(self) -> dict[str, Any]:
        return self.strategy.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        self.strategy.load_state_dict(state)
