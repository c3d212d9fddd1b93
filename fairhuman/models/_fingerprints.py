"""Fingerprints that identify a base even if its files have moved."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import Path

from fairhuman.models._base import EMBEDDED
from fairhuman.models._single_file import single_file_parts

__all__ = ["fingerprint_base", "fingerprint_files"]


def fingerprint_base(path: str | os.PathLike[str] | None) -> str:
    """Digest of a base's weights and settings, in a folder or one file; the name itself for a repository.

    Args:
        path: As for :func:`fairhuman.models.load_base`. For a single file, its configurations and tokenizers
            are included.

    Raises:
        FileNotFoundError: These are missing for a single file.
    """
    folder = EMBEDDED if path is None else Path(path)
    if folder.is_file():
        parts = single_file_parts()
        return fingerprint_files([folder, *sorted([*parts.rglob("*.json"), *parts.rglob("*.txt")])])
    if not folder.is_dir():
        return str(path)
    files = sorted([*folder.rglob("*.safetensors"), *folder.rglob("*.json")])
    return fingerprint_files(files, folder)


def fingerprint_files(files: Iterable[Path], folder: Path | None = None) -> str:
    """Digest of files' contents, and of their names relative to ``folder`` if given."""
    digest = hashlib.sha256()
    for file in files:
        if folder is not None:
            digest.update(str(file.relative_to(folder)).encode())
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()[:16]
