"""Fast, atomic writing of image and mask PNG files."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fairhuman.files import written_whole

__all__ = ["write_png"]

# Run lengths only: for renders a third of the time of zlib's usual level 6 and within a tenth of its size
# (measured at 256 pixels: 2.6 against 7.3 ms an image, 0.5 against 1.0 ms a mask).
_OPTIONS: Final = {"compress_level": 1, "compress_type": zlib.Z_RLE}


def write_png(path: Path, pixels: NDArray[Any] | Image.Image, staging: Path | None = None) -> None:
    """Write an image atomically.

    Args:
        path: The file; its folder is created.
        pixels: Shape (H, W) or (H, W, 3), uint8, or (H, W), uint16; or a PIL image.
        staging: Folder on the same file system for temporary files. Default: the image's folder.
    """
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.ascontiguousarray(pixels))
    with written_whole(path, shared=True, staging=staging) as partial:
        picture.save(partial, format="PNG", **_OPTIONS)
