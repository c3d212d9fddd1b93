"""Silence while the libraries load: their bars and remarks would end up in every notebook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars of diffusers and transformers, and none of their remarks below an error.

    Also for the first import of a pipeline, which advises to install torchvision: SDXL's names CLIP's image
    processor, but nothing here uses it.
    """
    from diffusers.utils import logging as diffusers_logging
    from transformers.utils import logging as transformers_logging

    libraries = (diffusers_logging, transformers_logging)
    shown = [library.is_progress_bar_enabled() for library in libraries]
    levels = [library.get_verbosity() for library in libraries]
    for library in libraries:
        library.disable_progress_bar()
        library.set_verbosity_error()
    try:
        yield
    finally:
        for library, bar, level in zip(libraries, shown, levels, strict=True):
            library.set_verbosity(level)
            if bar:
                library.enable_progress_bar()
