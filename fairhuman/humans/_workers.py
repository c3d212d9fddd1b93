"""The same work in one process or in many."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any, Final, TypeVar

from fairhuman.processes import start_worker

_THREADS: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")
Result = TypeVar("Result")


def spread(
    task: Callable[..., Result], indices: Sequence[int], workers: int, *arguments: Any
) -> Iterator[tuple[int, Result]]:
    """Calls ``task(index, *arguments)`` for each index and yields (index, result) as they get done.

    With one worker all happens here, in order. With more, each is a fresh process with one thread, `task` and
    `arguments` must be picklable, and the order is any.
    """
    if workers == 1 or len(indices) <= 1:
        with _single_thread():
            yield from ((index, task(index, *arguments)) for index in indices)
        return
    context = multiprocessing.get_context("spawn")
    with (
        _environment(dict.fromkeys(_THREADS, "1")),
        ProcessPoolExecutor(
            min(workers, len(indices)), mp_context=context, initializer=_start_worker
        ) as pool,
    ):
        try:
            # One alone at first: it fills the caches of bodies and compiled kernels that the others read.
            yield indices[0], pool.submit(task, indices[0], *arguments).result()
            pending = {pool.submit(task, index, *arguments): index for index in indices[1:]}
            for done in as_completed(pending):
                yield pending[done], done.result()
        finally:
            pool.shutdown(cancel_futures=True)


@contextlib.contextmanager
def _single_thread() -> Iterator[None]:
    """One torch thread: sums split over threads differ in their last digits, and could move a pixel."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for child processes, which must have them before they import anything."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _start_worker() -> None:
    start_worker()
    import torch

    torch.set_num_threads(1)
