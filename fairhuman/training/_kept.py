"""Encoded images kept on disk from one run to the next: one memory-mapped safetensors file an image."""

from __future__ import annotations

import hashlib
import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fairhuman.files import written_whole
from fairhuman.training._checkpoint import digest

__all__ = ["KeptEncodings"]

logger = logging.getLogger(__name__)

_FORMAT: Final = 1
_IN_A_FOLDER: Final = 1000  # files


class KeptEncodings:
    """What images of one data set look like to the networks of one base.

    A file holds its image's key; with another key, after the image, its mask or its line has changed, it
    counts as none and is replaced. Several runs may read and write at once.

    Args:
        folder: Where; a folder below is made for the identity.
        identity: All that decides what is encoded beside an image and its transform: base, precision,
            resolution, regions, … Values are those of JSON.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        known = json.dumps([_FORMAT, dict(identity)], sort_keys=True)
        self.folder = folder / hashlib.sha256(known.encode()).hexdigest()[:32]
        self._writable = True

    def get(self, index: int, form: str, key: bytes) -> dict[str, Tensor] | None:
        """An image's tensors; ``None`` without such a file, or if it is damaged or of another key.

        Args:
            index: Place of the image in the data set.
            form: Which of its transforms, for the file's name.
            key: What the image and the transform must have been.
        """
        try:
            with safe_open(self._path(index, form), "pt") as file:
                about = file.metadata() or {}
                if about.get("key") != _digest(key):
                    return None
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
            content = about.pop("sha256", None)
            return tensors if content == digest(about, tensors) else None
        except (OSError, SafetensorError):
            return None

    def put(self, index: int, form: str, key: bytes, tensors: Mapping[str, Tensor]) -> None:
        """Keep an image's tensors, whole or not at all. Where it cannot be written, a warning is given once
        and the run goes on without."""
        if not self._writable:
            return
        try:
            with written_whole(self._path(index, form), shared=True) as partial:
                whole, about = {name: t.contiguous() for name, t in tensors.items()}, {"key": _digest(key)}
                save_file(whole, partial, about | {"sha256": digest(about, whole)})
        except (OSError, SafetensorError) as error:
            self._writable = False
            logger.warning("cache_folder: %s cannot be written, so nothing is kept: %s", self.folder, error)

    def _path(self, index: int, form: str) -> Path:
        return self.folder / f"{index // _IN_A_FOLDER:04d}" / f"{index}{form}.safetensors"


def _digest(key: bytes) -> str:
    return hashlib.sha256(key).hexdigest()
