"""Small dense algebra unrolled over *lanes*: tensors of any one shape, or traced Python floats.

For a handful of objectives, unrolled operations on whole batches beat batched LAPACK calls, and floats
beat tensors of one matrix by the cost of dispatching each operation. So that the formulas are written
once, they are run on :class:`Traced` numbers to obtain the straight-line function for floats.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor

Lane = Any  # a float64 tensor, a Traced number, or a float constant

_TINY = torch.finfo(torch.float64).eps


class Lanes(NamedTuple):
    """The functions of numbers that are not operators."""

    power: Callable[[Lane, Lane], Lane]
    maximum: Callable[[Lane, Lane], Lane]
    where: Callable[[Lane, Lane, Lane], Lane]
    damping: Callable[[Lane, Lane], Lane]
    """(1 − (1 + r/α)^(−α)) / r, accurate for small r."""


def _tensor_power(x: Tensor, exponent: float) -> Tensor:
    special = {0.5: Tensor.sqrt, -0.5: Tensor.rsqrt, 0.0: torch.ones_like, -1.0: Tensor.reciprocal}
    return special[exponent](x) if exponent in special else x.pow(exponent)


TENSORS = Lanes(
    power=_tensor_power,
    maximum=lambda x, y: torch.maximum(x, y) if isinstance(y, Tensor) else x.clamp_min(y),
    where=torch.where,
    damping=lambda r, alpha: -torch.expm1(-alpha * torch.log1p(r / alpha)) / r,
)


def factorise(matrix: Sequence[Sequence[Lane]], lanes: Lanes) -> tuple[list[list[Lane]], list[Lane]]:
    """LDLᵀ of a positive definite matrix, of which the lower triangle is read.

    Returns:
        The unit lower factor, and the pivots, kept from being lost to rounding: a pivot is at least
        ε times the diagonal entry it began as.
    """
    size = len(matrix)
    L: list[list[Lane]] = [[None] * size for _ in range(size)]
    pivots: list[Lane] = []
    for j in range(size):
        scaled = [L[j][k] * pivots[k] for k in range(j)]
        pivot = matrix[j][j]
        for k in range(j):
            pivot = pivot - L[j][k] * scaled[k]
        pivots.append(lanes.maximum(pivot, _TINY * matrix[j][j]) if j else pivot)
        for i in range(j + 1, size):
            entry = matrix[i][j]
            for k in range(j):
                entry = entry - L[i][k] * scaled[k]
            L[i][j] = entry / pivots[j]
    return L, pivots


def solve(L: Sequence[Sequence[Lane]], pivots: Sequence[Lane], right: Sequence[Lane]) -> list[Lane]:
    """x with LDLᵀ x = right."""
    size = len(pivots)
    x = list(right)
    for i in range(size):
        for k in range(i):
            x[i] = x[i] - L[i][k] * x[k]
    x = [value / pivot for value, pivot in zip(x, pivots, strict=True)]
    for i in reversed(range(size)):
        for k in range(i + 1, size):
            x[i] = x[i] - L[k][i] * x[k]
    return x


def dot(left: Sequence[Lane], right: Sequence[Lane]) -> Lane:
    """Inner product; constants 1.0 are not multiplied by."""
    products = [y if isinstance(x, float) and x == 1.0 else x * y for x, y in zip(left, right, strict=True)]
    return sum(products[1:], products[0])


def largest(values: Sequence[Lane], lanes: Lanes) -> Lane:
    """Maximum over a sequence of lanes."""
    found = values[0]
    for value in values[1:]:
        found = lanes.maximum(found, value)
    return found


class Traced:
    """A number that writes down what is done with it, one assignment an operation."""

    def __init__(self, lines: list[str], expression: str, *, named: bool = False) -> None:
        self._lines = lines
        self._name = expression
        if not named:
            self._name = f"v{len(lines)}"
            lines.append(f"{self._name} = {expression}")

    def _new(self, form: str, *others: Lane) -> Traced:
        return Traced(self._lines, form.format(self._name, *map(_written, others)))

    def __add__(self, other: Lane) -> Traced:
        return self._new("{} + {}", other)

    def __radd__(self, other: Lane) -> Traced:
        return self._new("{1} + {0}", other)

    def __sub__(self, other: Lane) -> Traced:
        return self._new("{} - {}", other)

    def __rsub__(self, other: Lane) -> Traced:
        return self._new("{1} - {0}", other)

    def __mul__(self, other: Lane) -> Traced:
        return self._new("{} * {}", other)

    def __rmul__(self, other: Lane) -> Traced:
        return self._new("{1} * {0}", other)

    def __truediv__(self, other: Lane) -> Traced:
        return self._new("{} / {}", other)

    def __rtruediv__(self, other: Lane) -> Traced:
        return self._new("{1} / {0}", other)

    def __neg__(self) -> Traced:
        return self._new("-{}")

    def __abs__(self) -> Traced:
        return self._new("abs({})")

    def __and__(self, other: Lane) -> Traced:
        return self._new("{} and {}", other)

    def __le__(self, other: Lane) -> Traced:
        return self._new("{} <= {}", other)

    def __lt__(self, other: Lane) -> Traced:
        return self._new("{} < {}", other)

    def __gt__(self, other: Lane) -> Traced:
        return self._new("{} > {}", other)


def _written(value: Lane) -> str:
    return value._name if isinstance(value, Traced) else repr(value)


_TRACED = Lanes(
    power=lambda x, exponent: x._new("{} ** {}", exponent),
    maximum=lambda x, y: x._new("{0} if {0} > {1} else {1}", y),
    where=lambda condition, yes, no: condition._new("{1} if {0} else {2}", yes, no),
    damping=lambda r, alpha: r._new("-expm1(-{1} * log1p({0} / {1})) / {0}", alpha),
)


def trace(function: Callable[..., Sequence[Lane]], names: Sequence[str]) -> Callable[..., Any]:
    """The straight-line function of floats that does what ``function(lanes, *arguments)`` does.

    Args:
        function: uses lanes without looking at their values, and returns a sequence of lanes.
        names: of the arguments.

    Returns:
        A function of as many floats, returning a tuple.
    """
    lines: list[str] = []
    results = function(_TRACED, *(Traced(lines, name, named=True) for name in names))
    body = [*lines, f"return ({', '.join(map(_written, results))},)"]
    source = f"def straight_line({', '.join(names)}):\n" + "".join(f"    {line}\n" for line in body)
    scope: dict[str, Any] = {"expm1": math.expm1, "log1p": math.log1p}
    exec(compile(source, "<traced>", "exec"), scope)  # the text above, nothing from outside
    return scope["straight_line"]
