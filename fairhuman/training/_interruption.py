"""Interruption of a run by a user or a queue, handled between steps so that nothing is lost."""

from __future__ import annotations

import logging
import signal
import threading
from types import FrameType
from typing import Any

__all__ = ["Interruption"]

logger = logging.getLogger(__name__)

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)


class Interruption:
    """Record the first SIGINT, SIGTERM or SIGUSR1 within a block; a second one has its usual effect.

    Attributes:
        number: The signal's number, 0 for none.
    """

    def __init__(self) -> None:
        self.number = 0
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interruption:
        if threading.current_thread() is threading.main_thread():  # Python tells no other thread
            self._before = {one: signal.signal(one, self._note) for one in _SIGNALS}
        return self

    def __exit__(self, *error: object) -> None:
        for one, handler in self._before.items():
            signal.signal(one, signal.SIG_DFL if handler is None else handler)  # None: not Python's
        self._before = {}

    def _note(self, number: int, _: FrameType | None) -> None:
        self.number = number
        self.__exit__()
        name = signal.Signals(number).name
        logger.warning("%s: ends after this step, with a checkpoint; once more ends it at once", name)


def end(number: int) -> BaseException:
    """The exception that ends a program after a signal: Python's own for SIGINT, otherwise exit status 128 +
    number, which shells and queues read as termination by that signal."""
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)
