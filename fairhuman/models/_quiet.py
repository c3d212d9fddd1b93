"""Silence while the libraries load: their bars and remarks would end up in every notebook."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def quiet() -> Iterator[None]:
    """No progress bars of diffusers and transformers, and none of their remarks below an error."""
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


def ignore_missing_torchvision() -> None:
    """Drop transformers' remark, made while it is imported, that image processors fall back to Pillow."""
    # SDXL's pipeline names CLIP's image processor but never uses it here.
    logging.getLogger("transformers").addFilter(_about_other_things)
    logging.getLogger("transformers.utils.import_utils").addFilter(_about_other_things)


def _about_other_things(record: logging.LogRecord) -> bool:
    return "requires torchvision" not in record.getMessage()
