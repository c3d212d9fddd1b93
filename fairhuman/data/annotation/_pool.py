"""Many tasks over several processes, a few at a time; a task that brings its process down is told apart."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from itertools import islice
from typing import Any, Final, TypeVar

from fairhuman.processes import start_worker

Item = TypeVar("Item")
_AHEAD: Final = 4  # tasks a process has waiting, so that memory does not grow with the number of items


def work_through(
    task: Callable[..., Any], items: Iterable[Item], workers: int, *arguments: Any
) -> Iterator[tuple[Item, Any]]:
    """Calls ``task(item, *arguments)`` for each item; yields (item, result) as they get done.

    An item whose process dies is tried once more, alone; if that one dies too its result is ``None``. With
    one worker all happens in this process, in order.
    """
    if workers == 1:
        yield from ((item, task(item, *arguments)) for item in items)
        return
    remaining = iter(items)
    while True:
        lost: list[Item] = []
        with _pool(workers) as pool:
            pending: dict[Future, Item] = {}
            try:
                while True:
                    for item in islice(remaining, _AHEAD * workers - len(pending)):
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
            except BrokenProcessPool:
                lost += pending.values()
            finally:
                pool.shutdown(cancel_futures=True)
        for item in lost:
            yield item, _alone(task, item, arguments)


def _alone(task: Callable[..., Any], item: Any, arguments: tuple[Any, ...]) -> Any:
    with _pool(1) as pool:
        try:
            return pool.submit(task, item, *arguments).result()
        except BrokenProcessPool:
            return None


def _pool(workers: int) -> ProcessPoolExecutor:
    # Spawned, not forked: a fork of a process whose libraries run threads may hang.
    context = multiprocessing.get_context("spawn")
    return ProcessPoolExecutor(workers, mp_context=context, initializer=start_worker)
