"""Averaging over processes, before weights are computed from the gradients."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor

_BUCKET = 1 << 22
"""Number of entries sent at a time."""


class Reduction:
    """Average losses and gradients over a process group; does nothing with a single process.

    Args:
        group: a process group, "auto" for the default group if ``torch.distributed`` is initialised, or None
            for no communication.
    """

    def __init__(self, group: Any = "auto") -> None:
        initialised = dist.is_available() and dist.is_initialized()
        self._group = (dist.group.WORLD if initialised else None) if isinstance(group, str) else group
        if isinstance(group, str) and group != "auto":
            raise ValueError(f'group: must be a process group, "auto" or None, got {group!r}')
        self._size = dist.get_world_size(self._group) if self._group is not None else 1

    def losses(self, values: Tensor, present: Tensor) -> tuple[Tensor, Tensor]:
        """Mean losses over the processes, and which objectives are present in at least one process."""
        if self._size == 1:
            return values, present
        both = torch.stack([values, present.to(values.dtype)]).to(self._device)
        dist.all_reduce(both, group=self._group)
        both = both.cpu()
        return both[0] / self._size, both[1] > 0

    def sketch(self, sketch: Tensor | None) -> Tensor | None:
        """Sketch of the mean losses' gradients: processes hold different examples, so their sketches add
        up."""
        if self._size == 1 or sketch is None:
            return sketch
        total = sketch.to(self._device)
        dist.all_reduce(total, group=self._group)
        return total.cpu() / self._size**2

    def gradients(self, rows: Sequence[list[Tensor | None]], parameters: Sequence[Tensor]) -> None:
        """Replace each gradient by its mean over the processes, in place.

        Every process sends every entry, with zeros for objectives or parameters it did not use, because all
        processes must take part in each exchange.
        """
        if self._size == 1:
            return
        for row in rows:
            dense = [  # of a sparse gradient, other processes may hold other entries
                torch.zeros_like(parameter) if gradient is None else gradient.to_dense()
                for gradient, parameter in zip(row, parameters, strict=True)
            ]
            row[:] = dense
            start = 0
            while start < len(dense):
                end, entries = start + 1, dense[start].numel()
                while end < len(dense) and dense[end].dtype == dense[start].dtype:
                    if entries + dense[end].numel() > _BUCKET:
                        break
                    entries, end = entries + dense[end].numel(), end + 1
                bucket = torch.cat([gradient.reshape(-1) for gradient in dense[start:end]])
                dist.all_reduce(bucket, group=self._group)
                bucket /= self._size
                pieces = bucket.split([gradient.numel() for gradient in dense[start:end]])
                for gradient, piece in zip(dense[start:end], pieces, strict=True):
                    gradient.copy_(piece.view_as(gradient))
                start = end

    @property
    def _device(self) -> torch.device:
        backend = dist.get_backend(self._group)
        return torch.device("cuda") if backend == "nccl" else torch.device("cpu")
