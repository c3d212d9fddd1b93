"""What is installed on request only."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs_torchjd(what: str) -> Iterator[None]:
    """Say how to install torchjd where an import of it fails.

    Raises:
        ImportError: names ``what`` and the command.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "torchjd":
            raise
        raise ImportError(f"{what} needs torchjd: pip install 'fairhuman[strategies]'") from error
