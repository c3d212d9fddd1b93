"""Whatever people hold an image in, as one RGB array."""

from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

ImageLike = str | PathLike[str] | Image.Image | np.ndarray


def as_rgb(image: ImageLike) -> np.ndarray:
    """The image as an array of shape (height, width, 3), ``uint8``, contiguous.

    A file is turned as its EXIF orientation says; grey, palette and CMYK images become RGB and
    16-bit grey keeps its upper 8 bits.

    Raises:
        FileNotFoundError: if the file does not exist.
        ValueError: if the file cannot be read as an image, naming it, or if an array has another
            shape or type.
    """
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ValueError(
                "an image array must be uint8 of shape (height, width, 3), "
                f"got {image.dtype} of shape {image.shape}"
            )
        return np.ascontiguousarray(image)
    if isinstance(image, Image.Image):
        return np.array(_eight_bit(image).convert("RGB"))
    if not isinstance(image, (str, PathLike)):
        raise ValueError(f"an image must be a path, a PIL image or an array, got {type(image).__name__}")
    path = Path(image)
    if not path.is_file():
        raise FileNotFoundError(f"no image at {path}")
    try:
        with Image.open(path) as opened:
            return np.array(_eight_bit(ImageOps.exif_transpose(opened)).convert("RGB"))
    # PIL reports damage by many types: OSError, SyntaxError, struct.error, DecompressionBombError.
    except Exception as error:
        raise ValueError(f"{path} cannot be read as an image: {error}") from error


def _eight_bit(image: Image.Image) -> Image.Image:
    """16-bit grey scaled to 8 bits, which ``convert`` would clip instead."""
    if not image.mode.startswith("I"):
        return image
    return Image.fromarray((np.asarray(image).clip(0, 65535) // 256).astype(np.uint8))
