"""Sidecar files of photographs: captions in text files."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path
from typing import Final

from fairhuman.images import Refused
from fairhuman.text import decode_text

__all__ = ["sidecar"]

# A photograph's name may be so long that a text file's beside it could not exist.
_ABSENT: Final = (errno.ENOENT, errno.ENAMETOOLONG)
_MOST_BYTES: Final = 65_536


def sidecar(path: Path) -> tuple[str, str] | None:
    """The caption of ``photo.jpg`` in ``photo.txt``, ``photo.caption`` or ``photo.jpg.txt``; a note if its
    encoding was guessed.

    Raises:
        Refused: The file is not text, is a link, or is larger than 64 KiB.
    """
    beside = [path.with_suffix(ending) for ending in (".txt", ".caption", f"{path.suffix}.txt")]
    for place in beside:
        try:
            text, note = _small_text(place)
        except (OSError, ValueError) as error:
            if getattr(error, "errno", None) in _ABSENT:
                continue
            reason = getattr(error, "strerror", None) or error  # without the name, which may be no UTF-8
            raise Refused("unreadable", f"its caption: {reason}") from error
        if text.strip():
            return " ".join(text.split()), note and f"caption {note}"
    return None


def _small_text(path: Path) -> tuple[str, str]:
    if path.is_symlink():
        raise ValueError("a link, which may lead out of the folder")
    # Opened without waiting: a pipe may never bring anything.
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ValueError("not a regular file")
        data = file.read(_MOST_BYTES + 1)
    if len(data) > _MOST_BYTES:
        raise ValueError(f"more than {_MOST_BYTES} bytes")
    return decode_text(data)
