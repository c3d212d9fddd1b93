"""Worker processes that neither outlive their parent nor answer an interruption in its place."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading

__all__ = ["start_worker"]


def start_worker() -> None:
    """Initialiser of a pool: leaves interruption to the parent, and ends when the parent does, even if that
    was killed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def end_with_parent() -> None:
        multiprocessing.parent_process().join()
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()
