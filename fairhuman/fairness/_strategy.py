"""The interface of strategies: they map losses and, on request, inner products to weights."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor


class Strategy(ABC):
    """Decides the weight of each objective in one step.

    Applying the weights is separate: :func:`fair_backward` asks the strategy what it needs, computes it and
    applies the weights. All inputs of a strategy are on the CPU, in float64.
    """

    name: str = ""

    @property
    def needs_gramian(self) -> bool:
        """Whether the next step needs the Gram matrix, which costs one backward pass per objective.

        Without it, the weights are applied in one backward pass of Σ wᵢ lᵢ.
        """
        return False

    @property
    def foresees(self) -> bool:
        """Whether :meth:`foresee` is called with each batch before :attr:`needs_gramian` is read."""
        return False

    def foresee(  # noqa: B027 - most strategies have nothing to do
        self, losses: Tensor, present: Tensor, sketch: Tensor | None = None, *, begins: bool = True
    ) -> None:
        """Receive information about a batch before its backward pass; called if :attr:`foresees` is true.

        Args:
            losses, present: as for :meth:`weights`.
            sketch: estimate of the Gram matrix, shape (m, m), if the network's output is known.
            begins: True only for the first micro-batch of a step.
        """

    @property
    def reviews(self) -> bool:
        """Whether :meth:`review` is called with the losses after each step."""
        return False

    def review(  # noqa: B027 - most strategies have nothing to do
        self, before: Tensor, after: Tensor, present: Tensor
    ) -> None:
        """Receive a batch's losses before and after its step; called if :attr:`reviews` is true.

        Args:
            before, after: losses, shape (m,); 0 for absent objectives.
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
        """Called once after each accepted step, whereas weights are requested once per micro-batch."""

    def state_dict(self) -> dict[str, Any]:
        """The state that later steps depend on, as tensors and plain values; empty if stateless."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state saved by :meth:`state_dict`.

        Raises:
            ValueError: if the state does not belong to this strategy.
        """
        if state:
            raise ValueError(f"state: must be empty for strategy {self.name}, got the keys {sorted(state)}")

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.name!r})"


def take_gramian(strategy: Strategy, gramian: Tensor | None) -> Tensor:
    """Return ``gramian``, which must not be None.

    Raises:
        ValueError: if it is None.
    """
    if gramian is None:
        raise ValueError(f"gramian: must be given to strategy {strategy.name}, got None")
    return gramian


def take_state(strategy: Strategy, state: dict[str, Any], *keys: str) -> dict[str, Any]:
    """Return ``state``, which must have exactly these keys.

    Raises:
        ValueError: if the keys differ.
    """
    if set(state) != set(keys):
        raise ValueError(
            f"state: must have the keys {sorted(keys)} of strategy {strategy.name}, got {sorted(state)}"
        )
    return state


class FromGramian(Strategy):
    """A stateless strategy with weights that depend only on the Gram matrix.

    Args:
        name: name of the strategy.
        function: maps a Gram matrix, shape (m, m), float64, to weights, shape (m,). It receives only the rows
            and columns of objectives with a gradient.
        keep_absent: also pass the zero rows of the other objectives.
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
        constants: one weight > 0 per objective, in order. Default: 1 for all.

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
