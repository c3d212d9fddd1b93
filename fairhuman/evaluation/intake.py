"""Classification of image files as readable or not, before anything is measured."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from fairhuman.images import Refused, read_picture

__all__ = ["Intake", "inspect_images", "list_images"]

MOST_PIXELS = 64_000_000
"""Maximum image size in pixels; a larger image would stall or exhaust the machine."""

ENDINGS = (".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff", ".gif")


@dataclass(frozen=True)
class Intake:
    """Image files classified by whether they can be evaluated.

    Attributes:
        images: Readable files, in order.
        refused: File → reason for refusal: empty, unreadable, truncated, animated, too large.
        converted: File → original format, for files converted to 8-bit RGB: grey, CMYK, palette, 16-bit,
            another colour profile, or transparency.
    """

    images: list[Path]
    refused: dict[Path, str]
    converted: dict[Path, str]

    def summary(self) -> str:
        """One-line summary of the counts.

        >>> Intake([Path("a.png")], {Path("b.png"): "empty file"}, {}).summary()
        '1 image judged (0 converted to RGB), 1 refused'
        """
        plural = "" if len(self.images) == 1 else "s"
        counts = f"({len(self.converted)} converted to RGB), {len(self.refused)} refused"
        return f"{len(self.images)} image{plural} judged {counts}"

    def require_all(self) -> list[Path]:
        """The images, if none was refused.

        Raises:
            ValueError: Files were refused; the message gives their number and the first five with reasons.
        """
        if self.refused:
            named = [f"{path}: {reason}" for path, reason in list(self.refused.items())[:5]]
            rest = len(self.refused) - len(named)
            more = f"; and {rest} more" if rest else ""
            raise ValueError(f"images: {len(self.refused)} cannot be judged: {'; '.join(named)}{more}")
        return self.images


def inspect_images(
    images: str | os.PathLike[str] | Sequence[str | os.PathLike[str]], *, most_pixels: int = MOST_PIXELS
) -> Intake:
    """Decode every file once and exclude unreadable ones.

    Args:
        images: A folder (image files in alphabetical order), or files.
        most_pixels: Maximum size in pixels.

    Raises:
        FileNotFoundError: A folder or file does not exist.
        ValueError: There are no images.
    """
    paths = _files(images)
    if not paths:
        raise ValueError(f"images: {images} holds no image file ({', '.join(ENDINGS)})")
    taken, refused, converted = [], {}, {}
    for path in paths:
        try:
            note = read_picture(path, most_pixels).note
        except Refused as refusal:
            refused[path] = refusal.reason
            continue
        taken.append(path)
        if note:
            converted[path] = note
    return Intake(taken, refused, converted)


def list_images(folder: str | os.PathLike[str]) -> list[Path]:
    """The image files of a folder in alphabetical order, by extension, readable or not.

    Raises:
        FileNotFoundError: The folder does not exist.
    """
    folder = Path(folder)
    if not folder.is_dir():
        raise FileNotFoundError(f"images: no such folder: {folder}")
    return sorted(path for path in folder.iterdir() if path.suffix.lower() in ENDINGS)


def _files(images: str | os.PathLike[str] | Sequence[str | os.PathLike[str]]) -> list[Path]:
    if not isinstance(images, (str, os.PathLike)):
        paths = [Path(image) for image in images]
        for path in paths:
            if not path.is_file():
                raise FileNotFoundError(f"images: no such file: {path}")
        return paths
    return list_images(images)
