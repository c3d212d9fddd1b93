"""Depth maps to compare: a data set's, and those that an estimator gives of images."""

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
"""Millimetres from which on a stored depth only says "at least": 16 bits hold no more."""


def check_depth(path: str | os.PathLike[str]) -> NDArray[np.uint16]:
    """A data set's depth map as it is stored; refuses what is none.

    Raises:
        ValueError: A file that is missing or damaged, or not 16 bits in one channel.
    """
    try:
        depth = read_stored(path)
    except Refused as refusal:
        raise ValueError(f"depth: cannot read {path}: {refusal.reason}") from refusal
    if depth.dtype == np.uint8:
        raise ValueError(f"depth: must be 16-bit grey in millimetres, found mode 'L' in {path}")
    return depth.astype(np.uint16, copy=False)


def read_depth(path: str | os.PathLike[str], size: tuple[int, int]) -> NDArray[np.uint16]:
    """A data set's depth map on the grid of another image, by its nearest values.

    Args:
        path: A picture of 16 bits in one channel: millimetres, 0 where there is no surface.
        size: Height and width of the result.

    Raises:
        ValueError: As :func:`check_depth`.
    """
    millimetres = Image.fromarray(check_depth(path))
    return np.asarray(millimetres.resize((size[1], size[0]), Image.Resampling.NEAREST))


def load_depth_model(folder: str, device: str = "cpu") -> DepthModel:
    """A depth estimator of ``transformers``, from a folder on this machine.

    Args:
        folder: Holds ``config.json``, ``preprocessor_config.json`` and weights in ``*.safetensors``.
        device: Where it computes.

    Raises:
        FileNotFoundError: No such folder, or nothing of a model in it.
        ValueError: A model of another kind, or damaged files.
    """
    check_model("depth_model", folder)
    try:
        return DepthModel(folder, device)
    except (KeyError, OSError, RuntimeError, SafetensorError, ValueError) as error:
        raise ValueError(f"depth_model: {folder} must hold a depth estimator: {error}") from error


def estimate_depths(
    images: Sequence[ImageLike], model: DepthModel, *, progress: bool | None = None
) -> Iterator[NDArray[np.float32]]:
    """Inverse depth of each image, one after the other: maps of many images would fill the memory.

    Args:
        images: Paths, PIL images or uint8 arrays of shape (height, width, 3) in RGB.
        model: Of :func:`load_depth_model`.
        progress: Show a bar; by default on a terminal.

    Yields:
        Shape (height, width) of the image, greater where nearer, in no unit.

    Raises:
        FileNotFoundError, ValueError: An image that is missing or cannot be read.
    """
    hidden = None if progress is None else not progress
    for image in tqdm(images, desc="depth", unit="image", disable=hidden):
        yield model.inverse(Image.fromarray(as_rgb(image)))
