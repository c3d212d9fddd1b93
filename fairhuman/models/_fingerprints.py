"""What a base is, recognisable when its files have changed or moved."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from fairhuman.models._base import EMBEDDED

__all__ = ["fingerprint_base", "fingerprint_files"]


def fingerprint_base(path: str | os.PathLike[str] | None) -> str:
    """Digest of the weights and settings in a base's folder; the name itself for a repository.

    Args:
        path: As for :func:`fairhuman.models.load_base`.
    """
    folder = EMBEDDED if path is None else Path(path)
    if not folder.is_dir():
        return str(path)
    files = sorted([*folder.rglob("*.safetensors"), *folder.rglob("*.json")])
    return fingerprint_files(files, folder)


def fingerprint_files(files: Iterable[Path], folder: Path | None = None) -> str:
    """Digest of files' contents, and of their names in ``folder`` if one is given."""
    digest = hashlib.sha256()
    for file in files:
        if folder is not None:
            digest.update(str(file.relative_to(folder)).encode())
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()[:16]
