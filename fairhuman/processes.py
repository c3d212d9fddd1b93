"""Parallel work in one or several processes, which neither outlive their parent nor lose items."""

from __future__ import annotations

import logging
import multiprocessing
import os
import reprlib
import signal
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager, nullcontext
from itertools import islice
from typing import Any, Final, TypeVar

__all__ = ["check_workers", "work_through"]

logger = logging.getLogger(__name__)
Item = TypeVar("Item")
Result = TypeVar("Result")
_AHEAD: Final = 4  # items a process has waiting, so that memory does not grow with their number
_THREADS: Final = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def work_through(
    task: Callable[..., Result],
    items: Iterable[Item],
    workers: int,
    *arguments: Any,
    died: Callable[[Item], Result] | None = None,
    apart: bool = False,
    first_alone: bool = False,
    single_thread: bool = False,
) -> Generator[tuple[Item, Result], None, None]:
    """Call ``task(item, *arguments)`` for each item and yield (item, result) on completion.

    With one worker, everything runs in this process, in order. With more, each worker is a fresh process;
    task, items and arguments must be picklable, and the order is arbitrary.

    Args:
        task: Function to call.
        items: Consumed a few at a time.
        workers: Number of processes, at least 1.
        arguments: Further arguments of the task.
        died: Returns the result for an item that crashes its process and also a second process in which it is
            retried alone. Without it, such an item raises an error.
        apart: Use a fresh process even for a single worker, so that it may crash. If no process can be
            started, for example from a script without ``if __name__ == "__main__":``, everything runs in this
            process, with a warning.
        first_alone: Process one item before all others, to fill caches that the other processes read.
        single_thread: Let PyTorch, OpenMP and BLAS use one thread per process.

    Raises:
        RuntimeError: An item crashed its process twice, or no process can be started.
        Exception: Any exception raised by a task; items that have not started are then skipped.
    """
    with _single_thread(workers) if single_thread else nullcontext():
        if workers == 1 and not (apart and _can_start()):
            yield from ((item, task(item, *arguments)) for item in items)
        else:
            yield from _spread(task, iter(items), workers, arguments, died, first_alone)


def check_workers(workers: int) -> None:
    """Check that a number of processes is an integer of at least 1."""
    if not isinstance(workers, int) or isinstance(workers, bool) or workers < 1:
        raise ValueError(f"workers: must be an integer of at least 1, got {workers!r}")


def _can_start() -> bool:
    with _pool(1) as pool:
        try:
            return pool.submit(os.getpid).result() != os.getpid()
        except BrokenProcessPool:
            logger.warning("no process can be started: an item that ends its process will end this one")
            return False


def _spread(
    task: Callable[..., Result],
    items: Iterator[Item],
    workers: int,
    arguments: tuple[Any, ...],
    died: Callable[[Item], Result] | None,
    first_alone: bool,
) -> Iterator[tuple[Item, Result]]:
    most = 1 if first_alone else _AHEAD * workers
    while True:
        lost: list[Item] = []
        with _pool(workers) as pool:
            pending: dict[Future, Item] = {}
            try:
                while True:
                    for item in islice(items, most - len(pending)):
                        lost = [item]  # if a process died meanwhile the pool takes it no more
                        pending[pool.submit(task, item, *arguments)] = item
                        lost = []
                    if not pending:
                        return
                    for done in wait(pending, return_when=FIRST_COMPLETED).done:
                        item = pending[done]
                        result = done.result()
                        del pending[done]
                        yield item, result
                    most = _AHEAD * workers
            except BrokenProcessPool:
                lost += pending.values()
            finally:
                pool.shutdown(cancel_futures=True)
        for item in lost:
            yield item, _alone(task, item, arguments, died)


def _alone(
    task: Callable[..., Result],
    item: Item,
    arguments: tuple[Any, ...],
    died: Callable[[Item], Result] | None,
) -> Result:
    with _pool(1) as pool:
        try:
            return pool.submit(task, item, *arguments).result()
        except BrokenProcessPool:
            if died is None:
                what = reprlib.repr(item)
                raise RuntimeError(f"{what} crashed the process that worked on it") from None
            if not _can_start():
                rule = 'needs processes that can be started: if __name__ == "__main__": in a script'
                raise RuntimeError(f"workers: {rule}") from None
            return died(item)


def _pool(workers: int) -> ProcessPoolExecutor:
    # Spawned, not forked, because forking a process with running threads can hang.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_start)


def _start() -> None:
    """Leave interrupts to the parent, and exit when the parent exits, even if it was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def end_with_parent() -> None:
        parent = multiprocessing.parent_process()
        if parent is not None:
            parent.join()
            os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()


@contextmanager
def _single_thread(workers: int) -> Iterator[None]:
    """In this process, or in processes started meanwhile, which read the environment on import."""
    if workers > 1:
        before = {name: os.environ.get(name) for name in _THREADS}
        os.environ.update(dict.fromkeys(_THREADS, "1"))
        try:
            yield
        finally:
            os.environ.update({name: value for name, value in before.items() if value is not None})
            for name in (name for name, value in before.items() if value is None):
                del os.environ[name]
        return
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
