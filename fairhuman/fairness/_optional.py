"""Optional dependencies."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needs_torchjd(what: str) -> Iterator[None]:
    """Give the install command when importing torchjd fails.

    Raises:
        ImportError: names ``what`` and the command.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "torchjd":
            raise
        raise ImportError(f"{what} needs torchjd: pip install 'fairhuman[strategies]'") from error
