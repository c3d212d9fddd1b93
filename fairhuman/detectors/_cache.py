"""What was found in an image before, kept by the image's pixels and by what looked at it."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from fairhuman.files import cache_root, write_text

__all__ = ["Cache", "cache_directory"]

_FORMAT = 1  # of the entries; another one makes all of them stale


def cache_directory() -> Path:
    """Where findings are kept unless another folder is named: in :func:`fairhuman.files.cache_root`."""
    return cache_root() / "detections"


class Cache:
    """A folder of findings.

    The key is a hash of the decoded pixels, so that neither a file's name nor its metadata matter, and of the
    detector's version and options. An entry that cannot be read counts as none.

    Args:
        folder: Where; made when something is kept.
        identity: The detector with its version and options.
    """

    def __init__(self, folder: str | os.PathLike[str], identity: str) -> None:
        self.folder, self.identity = Path(folder), f"{identity}, format {_FORMAT}"

    def path(self, pixels: np.ndarray) -> Path:
        """The file of an image's entry, there or not."""
        digest = hashlib.sha256(f"{self.identity} {pixels.shape} {pixels.dtype}".encode())
        digest.update(np.ascontiguousarray(pixels).data)
        key = digest.hexdigest()
        return self.folder / key[:2] / f"{key}.json"

    def get(self, path: Path) -> Any | None:
        """The entry, None without one."""
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError):
            return None

    def put(self, path: Path, found: Any) -> None:
        """Keep an entry, whole or not at all; several processes may write the same one."""
        write_text(path, json.dumps(found), shared=True)
