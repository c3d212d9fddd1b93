"""What every strategy is: losses and, if it asks for them, inner products in; weights out."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor


class Strategy(ABC):
    """Decides how much each objective counts in one step.

    Deciding is apart from applying: :func:`fair_backward` asks the strategy what it needs, computes it
    and applies the weights. Everything a strategy sees is on the CPU, in float64.
    """

    name: str = ""

    @property
    def needs_gramian(self) -> bool:
        """Whether the coming step needs the Gram matrix, which costs one backward pass per objective.

        A strategy that does not need it is applied with one backward pass of Σ wᵢ lᵢ.
        """
        return False

    @property
    def foresees(self) -> bool:
        """Whether the strategy wants to see a batch before it is asked what it needs."""
        return False

    def foresee(  # noqa: B027 - most strategies have nothing to do
        self, losses: Tensor, present: Tensor, sketch: Tensor | None = None, *, begins: bool = True
    ) -> None:
        """What is known of a batch before its backward pass; called where :attr:`foresees` is true.

        Args:
            losses, present: as for :meth:`weights`.
            sketch: cheap stand-in for the Gram matrix, shape (m, m), where the network's output is known.
            begins: False for further micro-batches of the same step, and for their union.
        """

    @property
    def reviews(self) -> bool:
        """Whether the strategy wants to see what a step did to the losses of its batch."""
        return False

    def review(  # noqa: B027 - most strategies have nothing to do
        self, before: Tensor, after: Tensor, present: Tensor
    ) -> None:
        """The losses of a step's batch before and after the step; called where :attr:`reviews` is true.

        Args:
            before, after: shape (m,), 0 for absent objectives.
            present: as for :meth:`weights`.
        """

    @abstractmethod
    def weights(self, losses: Tensor, gramian: Tensor | None, present: Tensor) -> Tensor:
        """Weights for one step.

        Args:
            losses: shape (m,), 0 for absent objectives.
            gramian: shape (m, m), given if :attr:`needs_gramian`; rows of absent objectives are 0.
            present: shape (m,), bool; False for objectives without a region in this batch.

        Returns:
            shape (m,), float64; 0 for absent objectives.
        """

    def advance(self) -> None:  # noqa: B027 - most strategies have nothing to do
        """Called once after each step that was not refused; weights are asked for once a micro-batch."""

    def state_dict(self) -> dict[str, Any]:
        """All that later steps depend on, as tensors and plain values; empty for a stateless strategy."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take up a state saved by :meth:`state_dict`.

        Raises:
            ValueError: if the state is not one of this strategy.
        """
        if state:
            raise ValueError(f"state: must be empty for strategy {self.name}, got the keys {sorted(state)}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


def take_gramian(strategy: Strategy, gramian: Tensor | None) -> Tensor:
    """``gramian`` if there is one.

    Raises:
        ValueError: if there is none.
    """
    if gramian is None:
        raise ValueError(f"gramian: must be given to strategy {strategy.name}, got None")
    return gramian


def take_state(strategy: Strategy, state: dict[str, Any], *keys: str) -> dict[str, Any]:
    """``state`` if it has exactly these keys.

    Raises:
        ValueError: if it has others.
    """
    if set(state) != set(keys):
        raise ValueError(
            f"state: must have the keys {sorted(keys)} of strategy {strategy.name}, got {sorted(state)}"
        )
    return state


class FromGramian(Strategy):
    """A stateless strategy whose weights are a function of the Gram matrix alone.

    Args:
        name: the name it goes by.
        function: maps a Gram matrix, shape (m, m), float64, to weights, shape (m,). It is given the rows
            and columns of objectives with a gradient only.
        keep_absent: give it the rows of zeros of the other objectives, too.
    """

    def __init__(self, name: str, function: Callable[[Tensor], Tensor], *, keep_absent: bool = False) -> None:
        self.name = name
        self._function = function
        self._keep_absent = keep_absent

    @property
    def needs_gramian(self) -> bool:
        return True

    def weights(self, losses: Tensor, gramian: Tensor | None, present: Tensor) -> Tensor:
        gramian = take_gramian(self, gramian)
        weights = gramian.new_zeros(gramian.shape[0])
        index = ((gramian.diagonal() > 0) | self._keep_absent).nonzero().squeeze(-1)
        if index.numel():
            weights[index] = self._function(gramian[index][:, index]).to(weights)
        return weights


class LinearScalarisation(Strategy):
    """``ls``: the plain sum of the losses, every weight 1 (the paper's "without fairness"), or a sum with
    constant weights.

    Args:
        constants: one weight > 0 for each objective, in their order; by default 1 for all.

    Raises:
        ValueError: if a weight is not positive and finite.
    """

    name = "ls"

    def __init__(self, constants: Sequence[float] | None = None) -> None:
        self.constants = None if constants is None else tuple(constants)
        if self.constants is not None:
            if not all(math.isfinite(one) and one > 0 for one in self.constants):
                raise ValueError(f"constants: must be positive and finite, got {self.constants}")
            self.name = f"ls:{','.join(f'{one:g}' for one in self.constants)}"

    def weights(self, losses: Tensor, gramian: Tensor | None, present: Tensor) -> Tensor:
        if self.constants is None:
            return present.to(losses.dtype)
        if len(self.constants) != len(losses):
            raise ValueError(
                f"losses: must be {len(self.constants)} for strategy {self.name}, got {len(losses)}"
            )
        return present * losses.new_tensor(self.constants)
