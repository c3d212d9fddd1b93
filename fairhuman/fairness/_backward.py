"""The fair backward pass: from one loss per objective to one direction in ``.grad``."""

from __future__ import annotations

import warnings
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from fairhuman.fairness._batched import NotBatchable, batched_gradients
from fairhuman.fairness._gramian import gramian_of
from fairhuman.fairness._reduction import Reduction
from fairhuman.fairness._sketch import sketch_of
from fairhuman.fairness._strategy import Strategy


@dataclass(frozen=True)
class FairStep:
    """Result of a fair backward pass.

    Attributes:
        names: objectives, in the order of the rows of ``gramian``.
        losses: value of each objective, summed over micro-batches and averaged over processes.
        weights: weight of each objective in the direction; 0 for objectives without a gradient.
        gramian: inner products of the unscaled gradients, shape (m, m), float64, on the CPU; None if the
            strategy does not need them.
        finite: False if a loss or gradient was not finite. The step is then rejected: ``.grad`` is unchanged
            and the strategy has not advanced.
        stationary: True if all weights are 0 although some gradient is not, because no direction improves
            every objective.
        absent: objectives without a region in this batch.
    """

    names: tuple[str, ...]
    losses: dict[str, float]
    weights: dict[str, float]
    gramian: Tensor | None
    finite: bool
    stationary: bool = False
    absent: tuple[str, ...] = ()


def fair_backward(
    losses: Mapping[str, Tensor],
    parameters: Iterable[Tensor],
    strategy: Strategy,
    *,
    absent: Collection[str] = (),
    scale: float | Tensor = 1.0,
    keep_scale: bool = False,
    group: Any = "auto",
    output: Tensor | None = None,
    noise: Tensor | None = None,
    retain_graph: bool = False,
    batched: bool = False,
) -> FairStep:
    """Add the strategy's direction d = Σ wᵢ ∇lᵢ to the ``.grad`` of the parameters (Eq. 7).

    A strategy that needs inner products costs one backward pass per objective and stores the per-objective
    gradients; any other strategy costs a single backward pass of Σ wᵢ lᵢ. For gradient accumulation, use
    :class:`FairAccumulator`; this function is the special case of one micro-batch. Hooks on the accumulation
    of ``.grad`` do not run.

    Args:
        losses: maps each objective's name to its scalar loss; all losses share one graph.
        parameters: trained tensors, as a list or generator. Frozen and unused parameters are ignored, and
            duplicates count once. For complex gradients, the real part of the inner product is used; sparse
            gradients stay sparse.
        strategy: from :func:`get_strategy`.
        absent: names of objectives without a region in this batch; they get weight 0 and no backward pass.
        scale: factor by which the losses are multiplied in the backward passes, against underflow in half
            precision. The Gram matrix and the weights are computed from the unscaled gradients. With a
            ``GradScaler``, pass ``scaler.scale(torch.ones(()))``, which returns its scale and prepares it for
            its step.
        keep_scale: keep the direction multiplied by ``scale``, so that ``GradScaler.step`` can unscale it. If
            the step is rejected, lower the scale instead: ``scaler.update(scaler.get_scale() / 2)``.
        group: process group over which gradients are averaged before the Gram matrix is formed; "auto"
            selects the default group if ``torch.distributed`` is initialised; None disables averaging.
            Gradients bypass the hooks of ``DistributedDataParallel``, so call the wrapped module directly.
        output: the network output from which the losses were computed, shape (batch, channels, ...). An
            amortised strategy uses it to predict the gradients; other strategies ignore it.
        noise: noise level of each example in [0, 1], such as timestep / 1000, shape (batch,); improves that
            prediction.
        retain_graph: keep the losses' graph for a further backward pass.
        batched: if the strategy needs per-objective gradients, compute them in one batched backward pass.
            With gradient checkpointing, activations are then recomputed once instead of once per objective.
            This needs the memory of all passes at once and keeps the graph until ``losses`` are released. If
            an operation cannot be batched, a warning gives the reason and the passes run one after another.

    Returns:
        The result. Check ``finite`` before stepping the optimiser.

    Raises:
        ValueError: if a loss is not a scalar, ``parameters`` has no trainable tensor (for example, an
            exhausted generator), a name in ``absent`` is unknown, ``scale`` is not positive, or no loss
            depends on a parameter (for example, because the losses were computed without gradients or by
            another model).
        TypeError: if ``parameters`` contains anything but tensors.
    """
    accumulator = FairAccumulator(
        parameters, strategy, scale=scale, keep_scale=keep_scale, group=group, batched=batched
    )
    accumulator.add(losses, absent=absent, output=output, noise=noise, retain_graph=retain_graph)
    return accumulator.step()


class FairAccumulator:
    """Fair backward pass over several micro-batches: sums each objective's gradients, then weights the sums.

    The average of the micro-batches' directions is not the direction of their union, because the weights
    depend on the gradients. Strategies that need no Gram matrix compute weights from each micro-batch's
    losses.

    Args:
        parameters, strategy, scale, keep_scale, group, batched: see :func:`fair_backward`.

    Attributes:
        batched: whether gradients are batched; set to False after batching has failed.

    Example:
        >>> import torch
        >>> from fairhuman.fairness import FairAccumulator, get_strategy
        >>> x = torch.ones(2, requires_grad=True)
        >>> accumulator = FairAccumulator([x], get_strategy("mpd"))
        >>> for sample in torch.eye(2), 3 * torch.eye(2):
        ...     a, b = (sample @ x) ** 2
        ...     accumulator.add({"a": a, "b": b}, weight=0.5)
        >>> step = accumulator.step()
        >>> sorted(step.losses.items())
        [('a', 5.0), ('b', 5.0)]
    """

    def __init__(
        self,
        parameters: Iterable[Tensor],
        strategy: Strategy,
        *,
        scale: float | Tensor = 1.0,
        keep_scale: bool = False,
        group: Any = "auto",
        batched: bool = False,
    ) -> None:
        self.batched = batched
        self.parameters = _trainable(parameters)
        if not self.parameters:
            raise ValueError(
                "parameters: must hold at least one tensor that requires a gradient, got none; an "
                "exhausted generator yields none"
            )
        self.scale = float(scale)
        if not 0 < self.scale < float("inf"):
            raise ValueError(f"scale: must be positive and finite, got {self.scale}")
        self.strategy = strategy
        self.keep_scale = keep_scale
        self._reduction = Reduction(group)
        self._reset()

    def _reset(self) -> None:
        self._names: tuple[str, ...] = ()
        self._exact = False
        self._gradients: list[list[Tensor | None]] = []
        self._losses = torch.zeros(0, dtype=torch.float64)
        self._sketch: Tensor | None = None
        self._present = torch.zeros(0, dtype=torch.bool)
        self._weights: Tensor | None = None
        self._declared_absent = True  # every objective of every micro-batch
        self._reached = False  # some parameter

    def add(
        self,
        losses: Mapping[str, Tensor],
        *,
        absent: Collection[str] = (),
        weight: float = 1.0,
        output: Tensor | None = None,
        noise: Tensor | None = None,
        retain_graph: bool = False,
    ) -> None:
        """Run the backward pass of one micro-batch.

        Args:
            losses: as for :func:`fair_backward`; the same names in every micro-batch of a step.
            absent: names of objectives without a region in this micro-batch.
            weight: factor on this micro-batch's losses, its fraction of the union, such as 1/4.
            output, noise, retain_graph: as for :func:`fair_backward`.
        """
        names = _check_losses(losses, absent)
        if self._names and names != self._names:
            raise ValueError(f"losses: must have the names {self._names} again, got {names}")
        active = [name not in absent and losses[name].requires_grad for name in names]
        present = torch.tensor(active)
        # Moved together, to synchronise with an accelerator only once.
        values = torch.stack([losses[name].detach().double().reshape(()) for name in names]).cpu()
        values = torch.where(present, values, 0.0)
        if self.strategy.foresees:
            given = [losses[name] if here else None for name, here in zip(names, active, strict=True)]
            sketch = None if output is None else sketch_of(given, output, noise)
            self._foresee(values, present, sketch, weight)
        if not self._names:
            self._begin(names)
        self._losses = self._losses + weight * values
        self._present = self._present | present
        self._declared_absent &= set(names) <= set(absent)
        factor = self.scale * weight
        if self._exact:
            live = [losses[name] * factor for name, here in zip(names, active, strict=True) if here]
            rows = [row for row, here in zip(self._gradients, active, strict=True) if here]
            if self.batched and len(live) > 1 and self._differentiate_together(live, rows):
                return
            for count, (loss, row) in enumerate(zip(live, rows, strict=True), start=1):
                self._differentiate(loss, row, keep=retain_graph or count < len(live))
        else:
            self._add_weighted(losses, values, present, factor, keep=retain_graph)

    def _foresee(self, values: Tensor, present: Tensor, sketch: Tensor | None, weight: float) -> None:
        if sketch is not None:
            weighed = weight**2 * sketch
            self._sketch = weighed if self._sketch is None else self._sketch + weighed
        values, present = self._reduction.losses(values, present)
        sketch = self._reduction.sketch(sketch)
        self.strategy.foresee(values, present, sketch, begins=not self._names)

    def _begin(self, names: tuple[str, ...]) -> None:
        self._names = names
        self._exact = self.strategy.needs_gramian
        rows = len(names) if self._exact else 1
        self._gradients = [[None] * len(self.parameters) for _ in range(rows)]
        self._losses = torch.zeros(len(names), dtype=torch.float64)
        self._present = torch.zeros(len(names), dtype=torch.bool)

    def _add_weighted(
        self, losses: Mapping[str, Tensor], values: Tensor, present: Tensor, factor: float, *, keep: bool
    ) -> None:
        here = bool(present.any())
        values, present = self._reduction.losses(values, present)
        if not bool(values.isfinite().all()):
            return  # the losses summed so far tell: the step will be refused
        weights = self.strategy.weights(values, None, present)
        # The reported weight of an objective is the one from when it was last present.
        self._weights = weights if self._weights is None else torch.where(present, weights, self._weights)
        terms = [
            losses[name].reshape(()) * (w * factor)
            for name, w in zip(self._names, weights.tolist(), strict=True)
            if w != 0 and losses[name].requires_grad
        ]
        if terms:
            self._differentiate(torch.stack(terms).sum(), self._gradients[0], keep=keep)
        elif here and not bool(weights.any()):
            self._reached = True  # no gradient was asked for, so nothing can be said

    def _differentiate(self, loss: Tensor, row: list[Tensor | None], *, keep: bool) -> None:
        gradients = torch.autograd.grad(loss, self.parameters, retain_graph=keep, allow_unused=True)
        self._sum_up(gradients, row)

    def _differentiate_together(self, losses: list[Tensor], rows: list[list[Tensor | None]]) -> bool:
        """Compute all gradients by one vector-Jacobian product; return False and keep the graph if that
        fails."""
        try:
            batch = batched_gradients(losses, self.parameters)
        except NotBatchable as error:
            self.batched = False
            warnings.warn(f"batched: {error}; objectives are differentiated one by one", stacklevel=4)
            return False
        for row, gradients in zip(rows, batch, strict=True):
            self._sum_up(gradients, row)
        return True

    def _sum_up(self, gradients: Sequence[Tensor | None], row: list[Tensor | None]) -> None:
        for i, gradient in enumerate(gradients):
            if gradient is not None:
                self._reached = True
                # Never in place: autograd may return one tensor for two parameters, or an expanded one.
                total = row[i]
                row[i] = gradient if total is None else _added(total.clone(), gradient)

    def step(self) -> FairStep:
        """Weight the summed gradients, add the direction to ``.grad`` and reset.

        Raises:
            ValueError: if no micro-batch has been added.
        """
        if not self._names:
            raise ValueError("step: must follow at least one micro-batch, got none; call add first")
        try:
            return self._step()
        finally:
            self._reset()

    def _step(self) -> FairStep:
        names, rows = self._names, self._gradients
        self._reduction.gradients(rows, self.parameters)
        told = torch.tensor([self._declared_absent or self._reached])
        losses, present = self._reduction.losses(
            torch.cat([self._losses, self._losses.new_zeros(1)]), torch.cat([self._present, told])
        )
        losses, present, reached = losses[:-1], present[:-1], bool(present[-1])
        # The diagonal of the Gram matrix is finite if and only if every gradient is.
        gramian = (gramian_of(rows) / self.scale**2).cpu()
        finite = bool(gramian.isfinite().all()) and bool(losses.isfinite().all())
        if finite and not reached:
            raise ValueError(
                f"losses: one must depend on the parameters, got {', '.join(names)}, computed without "
                "gradients or by another model"
            )
        weights, stationary = torch.zeros(len(names), dtype=torch.float64), False
        if finite and self._exact:
            if self.strategy.foresees:
                self.strategy.foresee(losses, present, self._reduction.sketch(self._sketch), begins=False)
            weights = self.strategy.weights(losses, gramian, present)
            stationary = not bool(weights.any()) and bool(gramian.any())
            self._accumulate([w / self._divisor for w in weights.tolist()])
        elif finite:
            weights = weights if self._weights is None else self._weights
            self._accumulate([1 / self._divisor])
        if finite:
            self.strategy.advance()
        return FairStep(
            names=names,
            losses=dict(zip(names, losses.tolist(), strict=True)),
            weights=dict(zip(names, weights.tolist(), strict=True)),
            gramian=gramian if self._exact else None,
            finite=finite,
            stationary=stationary,
            absent=tuple(name for name, here in zip(names, present.tolist(), strict=True) if not here),
        )

    @property
    def _divisor(self) -> float:
        return 1.0 if self.keep_scale else self.scale

    @torch.no_grad()
    def _accumulate(self, weights: list[float]) -> None:
        for i, parameter in enumerate(self.parameters):
            total: Tensor | None = None
            for row, w in zip(self._gradients, weights, strict=True):
                gradient, row[i] = row[i], None  # freed as soon as it has been used
                if gradient is None:
                    continue
                total = gradient * w if total is None else _added(total, gradient, w)
            if total is not None:
                parameter.grad = total if parameter.grad is None else _added(parameter.grad, total)


def _added(total: Tensor, gradient: Tensor, factor: float = 1.0) -> Tensor:
    """Return ``total + factor · gradient``, in place unless a dense gradient is added to a sparse total."""
    if total.is_sparse and not gradient.is_sparse:
        return (gradient * factor).add_(total)
    return total.add_(gradient, alpha=factor)


def _trainable(parameters: Iterable[Tensor]) -> list[Tensor]:
    """The distinct parameters that require a gradient."""
    found: dict[int, Tensor] = {}
    for parameter in parameters:
        if not isinstance(parameter, Tensor):
            raise TypeError(f"parameters: must hold tensors, got {type(parameter).__name__}")
        if parameter.requires_grad:
            found[id(parameter)] = parameter
    return list(found.values())


def _check_losses(losses: Mapping[str, Tensor], absent: Collection[str]) -> tuple[str, ...]:
    if not losses:
        raise ValueError("losses: must hold at least one objective, got none")
    if isinstance(absent, str):
        raise ValueError(f"absent: must be a collection of names, got the string {absent!r}")
    unknown = sorted(set(absent) - set(losses))
    if unknown:
        raise ValueError(f"absent: must name objectives of losses {list(losses)}, got {unknown}")
    for name, loss in losses.items():
        if not isinstance(loss, Tensor) or loss.numel() != 1:
            found = f"shape {tuple(loss.shape)}" if isinstance(loss, Tensor) else type(loss).__name__
            raise ValueError(f"losses[{name!r}]: must be a scalar tensor, got {found}")
        if loss.is_complex():
            raise ValueError(f"losses[{name!r}]: must be real, got {loss.dtype}")
    return tuple(losses)
