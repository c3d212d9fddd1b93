"""Cache of encoded images on disk, shared by runs: one memory-mapped safetensors file per image."""

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
    """Encoded images of one data set for one base.

    Each file stores its image's key. If the image, its mask or its metadata line changes, the key differs and
    the file is replaced. Several runs may read and write concurrently.

    Args:
        folder: Cache folder; a subfolder is created for the identity.
        identity: Everything that determines the encoding besides an image and its transform: base, precision,
            resolution, regions, … Values must be JSON values.
    """

    def __init__(self, folder: Path, identity: Mapping[str, Any]) -> None:
        known = json.dumps([_FORMAT, dict(identity)], sort_keys=True)
        self.folder = folder / hashlib.sha256(known.encode()).hexdigest()[:32]
        self._writable = True

    def get(self, index: int, form: str, key: bytes) -> dict[str, Tensor] | None:
        """An image's tensors; ``None`` if the file is missing, damaged or has a different key.

        Args:
            index: Index of the image in the data set.
            form: Identifies the transform in the file name.
            key: Expected key of image and transform.
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
        """Store an image's tensors atomically. If writing fails, the run warns once and continues without the
        cache."""
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
