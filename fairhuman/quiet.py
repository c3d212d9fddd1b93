"""Silence for libraries that write to stderr below Python."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Send the process's file descriptor 2 nowhere for the length of the block.

    MediaPipe's C++ side logs notices there which no Python setting reaches. Exceptions pass
    through and are reported as usual, since the descriptor is restored first; what other threads
    write to stderr meanwhile is lost.
    """
    try:
        saved = os.dup(2)
    except OSError:  # stderr is closed: nothing to silence
        yield
        return
    try:
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        os.close(nowhere)
        yield
    finally:
        os.dup2(saved, 2)
        os.close(saved)
