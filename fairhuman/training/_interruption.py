"""A queue's or a person's wish that a run end: heard between steps, so that nothing is lost."""

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
    """Notes the first SIGINT, SIGTERM or SIGUSR1 within a block; a second one does what it did before.

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
    """What ends a program on a signal: for SIGINT as Python does, else with the status 128 + number that
    shells and queues take for an end by that signal."""
    return KeyboardInterrupt() if number == signal.SIGINT else SystemExit(128 + number)
