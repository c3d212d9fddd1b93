"""Silence the libraries' progress bars and messages, which would clutter every notebook."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """Disable progress bars of diffusers and transformers, and their messages below error level.

    This covers the first import of a pipeline, which recommends torchvision: SDXL's pipeline refers to CLIP's
    image processor, but nothing here uses it.
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
