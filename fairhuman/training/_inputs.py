"""What a run was made from, recognisable when it has changed or moved."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fairhuman.data import HumanFolder

__all__ = ["fingerprint_base", "fingerprint_data"]


def fingerprint_data(data: HumanFolder) -> str:
    """Digest of a data set's metadata and the sizes of its files: a compressed image that has changed
    has another size but for a rare accident, and reading all of a large set would take long."""
    digest = hashlib.sha256((data.path / "metadata.jsonl").read_bytes())
    for record in data.records:
        for path in (record.image, *record.masks.values()):
            digest.update(f"{path.stat().st_size if path else 0} ".encode())
    return digest.hexdigest()[:16]


def fingerprint_base(path: str | None) -> str:
    """Digest of the weights and settings in a base's folder; the name itself for a repository."""
    from fairhuman.models import EMBEDDED

    folder = EMBEDDED if path is None else Path(path)
    if not folder.is_dir():
        return str(path)
    digest = hashlib.sha256()
    for file in sorted([*folder.rglob("*.safetensors"), *folder.rglob("*.json")]):
        digest.update(str(file.relative_to(folder)).encode())
        with file.open("rb") as content:
            digest.update(hashlib.file_digest(content, "sha256").digest())
    return digest.hexdigest()[:16]
