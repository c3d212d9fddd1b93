"""Depth maps for comparison: those of a data set, and estimates from images."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from safetensors import SafetensorError
from tqdm import tqdm

from fairhuman.data.annotation import DepthModel, check_model
from fairhuman.images import ImageLike, Refused, as_rgb
from fairhuman.images import read_depth as read_stored

FARTHEST: Final = 65_535
"""Depth in millimetres at which stored values saturate at 16 bits."""


def check_depth(path: str | os.PathLike[str]) -> NDArray[np.uint16]:
    """Read a data set's depth map as stored.

    Raises:
        ValueError: The file is missing, damaged, or not a single 16-bit channel.
    """
    try:
        depth = read_stored(path)
    except Refused as refusal:
        raise ValueError(f"depth: cannot read {path}: {refusal.reason}") from refusal
    if depth.dtype == np.uint8:
        raise ValueError(f"depth: must be 16-bit grey in millimetres, found mode 'L' in {path}")
    return depth.astype(np.uint16, copy=False)


def read_depth(path: str | os.PathLike[str], size: tuple[int, int]) -> NDArray[np.uint16]:
    """A data set's depth map resampled to another image's grid by nearest neighbour.

    Args:
        path: A single-channel 16-bit image: millimetres, 0 where there is no surface.
        size: Height and width of the result.

    Raises:
        ValueError: As :func:`check_depth`.
    """
    millimetres = Image.fromarray(check_depth(path))
    return np.asarray(millimetres.resize((size[1], size[0]), Image.Resampling.NEAREST))


def load_depth_model(folder: str, device: str = "cpu") -> DepthModel:
    """Load a ``transformers`` depth estimator from a local folder.

    Args:
        folder: Contains ``config.json``, ``preprocessor_config.json`` and weights in ``*.safetensors``.
        device: Device of the model.

    Raises:
        FileNotFoundError: The folder is missing or has no model.
        ValueError: The model is of another kind, or files are damaged.
    """
    check_model("depth_model", folder)
    try:
        return DepthModel(folder, device)
    except (KeyError, OSError, RuntimeError, SafetensorError, ValueError) as error:
        raise ValueError(f"depth_model: {folder} must hold a depth estimator: {error}") from error


def estimate_depths(
    images: Sequence[ImageLike], model: DepthModel, *, progress: bool | None = None
) -> Iterator[NDArray[np.float32]]:
    """Estimate the inverse depth of each image, one at a time to save memory.

    Args:
        images: Paths, PIL images or uint8 arrays of shape (height, width, 3) in RGB.
        model: From :func:`load_depth_model`.
        progress: Show a progress bar. Default: on a terminal.

    Yields:
        Unitless inverse depth, shape (height, width) of the image; larger values are nearer.

    Raises:
        FileNotFoundError, ValueError: An image is missing or unreadable.
    """
    hidden = None if progress is None else not progress
    for image in tqdm(images, desc="depth", unit="image", disable=hidden):
        yield model.inverse(Image.fromarray(as_rgb(image)))
