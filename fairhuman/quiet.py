"""Silence libraries that write to stderr from native code."""

import os
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet_stderr() -> Iterator[None]:
    """Discard output to file descriptor 2 during the block.

    MediaPipe's C++ code logs messages there that no Python setting controls. Exceptions are reported as
    usual, because the descriptor is restored first; anything that other threads write to stderr in the
    meantime is lost.
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
