"""Images small enough to store in a notebook."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO

from PIL import Image

__all__ = ["url", "urls", "webp"]

_SIDES = (256, 224, 192, 160, 128, 96, 64)


def url(kind: str, content: bytes) -> str:
    """A file's content as a data URL.

    Args:
        kind: ``jpeg``, ``png`` or ``webp``.
        content: Content of the file.
    """
    return f"data:image/{kind};base64,{b64encode(content).decode()}"


def webp(image: Image.Image, side: int, quality: int = 80) -> str:
    """An image's data URL; the image may be downscaled, never enlarged.

    Args:
        image: In RGB.
        side: Maximum side length in pixels.
        quality: From 0 to 100.
    """
    small, file = image.copy(), BytesIO()
    small.thumbnail((side, side), Image.Resampling.LANCZOS)
    small.save(file, format="webp", quality=quality)
    return url("webp", file.getvalue())


def urls(images: Sequence[Image.Image], limit: int) -> list[str]:
    """Data URLs of images, as large as the limit allows, up to 256 pixels.

    Args:
        images: In RGB.
        limit: Maximum total number of characters.

    Raises:
        ValueError: The limit is exceeded even at 64 pixels.
    """
    found: list[str] = []
    for side in _SIDES:
        found = [webp(image, side) for image in images]
        if sum(map(len, found)) <= limit:
            return found
    size = sum(map(len, found))
    raise ValueError(
        f"limit: {len(images)} pictures of {_SIDES[-1]} pixels need {size} characters, got {limit}"
    )
