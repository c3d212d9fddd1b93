"""One file to pixels, or to the reason why not."""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

__all__ = ["Refused", "read_photograph"]

# Formats of photographs. Others are not even tried: some decoders start other programs.
FORMATS: Final = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")


class Refused(Exception):
    """A photograph that is left out. ``kind`` is ``unreadable`` or ``filtered``."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"{kind}: {reason}")
        self.kind, self.reason = kind, reason


def read_photograph(path: Path, max_pixels: int, min_side: int = 1) -> NDArray[np.uint8]:
    """The photograph as it is displayed, shape (H, W, 3), RGB.

    Turned as EXIF says; colours of an embedded profile become sRGB, grey, palette and CMYK become RGB, 16
    bits become 8, transparency becomes white. Size and number of frames are checked before anything is
    decoded.

    Raises:
        Refused: Not readable, too many pixels, too small, or animated.
    """
    try:
        with _large_allowed(), Image.open(path, formats=FORMATS) as image:
            _check(image, max_pixels, min_side)
            return np.array(_rgb(_srgb(ImageOps.exif_transpose(image))))
    except Refused:
        raise
    except Image.UnidentifiedImageError:
        empty = path.stat().st_size == 0
        raise Refused("unreadable", "empty file" if empty else "not an image") from None
    except OSError as error:
        raise Refused("unreadable", error.strerror or str(error)) from error
    # Pillow reports damage by many types: SyntaxError, struct.error, ValueError, ...
    except Exception as error:
        raise Refused("unreadable", str(error) or type(error).__name__) from error


def _check(image: Image.Image, max_pixels: int, min_side: int) -> None:
    width, height = image.size
    if width * height > max_pixels:
        raise Refused("unreadable", f"{width} × {height} pixels are more than max_pixels = {max_pixels}")
    # A camera's MPO holds a photograph and previews of it; any other sequence is no photograph.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise Refused("filtered", f"animated: {frames} frames")
    if min(width, height) < min_side:
        raise Refused("filtered", f"too small: {width} × {height} pixels, min_side = {min_side}")


def _srgb(image: Image.Image) -> Image.Image:
    """In sRGB, if a colour profile is embedded that can be read and is of the image's kind."""
    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "CMYK", "L"):
        return image
    try:
        source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        return ImageCms.profileToProfile(image, source, target, outputMode="RGB")
    except (ImageCms.PyCMSError, OSError):
        return image


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        values = np.asarray(image).astype(np.float64)
        scale = 1 / 257 if image.mode.startswith("I") else 255.0
        return Image.fromarray(np.rint((values * scale).clip(0, 255)).astype(np.uint8)).convert("RGB")
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        layer = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", layer.size, "white"), layer).convert("RGB")
    return image.convert("RGB")


@contextmanager
def _large_allowed() -> Iterator[None]:
    """Pillow's own limit is off and so are its warnings: `max_pixels` decides."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
