"""Text files in any common encoding, and captions of mirrored images."""

from __future__ import annotations

import codecs
import re
from pathlib import Path
from typing import Final

__all__ = ["decode_text", "mirrored", "read_text"]

_MARKS: Final = {  # the longer ones first: UTF-32's begins like UTF-16's
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}
_OTHER_SIDE: Final = {
    "left": "right",
    "Left": "Right",
    "LEFT": "RIGHT",
    "right": "left",
    "Right": "Left",
    "RIGHT": "LEFT",
}
_SIDE: Final = re.compile(rf"\b({'|'.join(_OTHER_SIDE)})\b")
_MOST_FOREIGN: Final = 0.25  # of the bytes of Western text beyond ASCII; other code pages have more


def read_text(path: Path) -> tuple[str, str]:
    """Read a text file; also returns a note if the encoding was guessed.

    Raises:
        OSError: The file cannot be read.
        ValueError: As :func:`decode_text`, with the file name.
    """
    try:
        return decode_text(path.read_bytes())
    except ValueError as error:
        raise ValueError(f"{path} {error}") from error


def decode_text(data: bytes) -> tuple[str, str]:
    """Decode UTF-8, or UTF-16 or UTF-32 with a byte order mark; otherwise Windows-1252, with a note.

    Raises:
        ValueError: The bytes are in none of these encodings.

    >>> decode_text("a café".encode("utf-8-sig"))
    ('a café', '')
    >>> decode_text("a café".encode("cp1252"))
    ('a café', 'not UTF-8, read as Windows-1252')
    """
    marked = next((name for mark, name in _MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        text, note = data.decode(marked), ""
    except UnicodeDecodeError as error:
        foreign = sum(byte > 127 for byte in data)
        if marked != "utf-8" or foreign > _MOST_FOREIGN * len(data):
            raise ValueError(f"is not UTF-8 text: {error}; save it as UTF-8") from error
        try:
            text, note = data.decode("cp1252"), "not UTF-8, read as Windows-1252"
        except UnicodeDecodeError:
            raise ValueError(f"is not UTF-8 text: {error}; save it as UTF-8") from error
    if "\0" in text:
        raise ValueError("is not UTF-8 text: it contains zero bytes; save it as UTF-8")
    return text, note


def mirrored(caption: str) -> str:
    """The caption of the mirrored image: the words left and right exchanged, capitals kept.

    >>> mirrored("Left hand raised, lit from the right")
    'Right hand raised, lit from the left'
    """
    return _SIDE.sub(lambda found: _OTHER_SIDE[found.group()], caption)
