"""The files of one annotated image: what they are called, and that each appears whole or not at all."""

from __future__ import annotations

import os
import zlib
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

__all__ = ["FOLDERS", "file_names", "files_of", "write_png"]

FOLDERS: Final = {
    "file_name": "images",
    "face_mask_file_name": "masks/face",
    "hand_mask_file_name": "masks/hand",
    "pose_file_name": "pose",
    "depth_file_name": "depth",
}
"""Metadata key to sub-folder of the data set."""

# Run lengths only, which takes a third of the time of zlib's usual level.
_PNG: Final = {"compress_level": 1, "compress_type": zlib.Z_RLE}


def file_names(key: str) -> dict[str, str]:
    """Metadata key to path within the data set; 256 sub-folders, so that none grows too large.

    >>> file_names("00ff")["face_mask_file_name"]
    'masks/face/00/00ff.png'
    """
    return {name: f"{folder}/{key[:2]}/{key}.png" for name, folder in FOLDERS.items()}


def files_of(entry: dict[str, Any]) -> list[str]:
    """The files that a metadata line names, of those that annotation writes."""
    return [entry[name] for name in FOLDERS if entry.get(name)]


def write_png(path: Path, pixels: NDArray[Any] | Image.Image) -> None:
    """Writes an image so that its name never stands for a part of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(np.ascontiguousarray(pixels))
    picture.save(partial, format="PNG", **_PNG)
    partial.replace(path)
