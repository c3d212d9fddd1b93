"""Fingerprints of a run's inputs, to detect changes independently of location."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from fairhuman.data import HumanFolder
from fairhuman.models import fingerprint_base
from fairhuman.models.adapters import fingerprint_adapters
from fairhuman.training._settings import TrainSettings
from fairhuman.training._setup import checkpoint_at

__all__ = ["fingerprint_data", "fingerprint_inputs"]


def fingerprint_inputs(
    settings: TrainSettings,
    data: HumanFolder,
    heldout: HumanFolder | None,
    regularisation: HumanFolder | None = None,
) -> dict[str, str]:
    """Name of each input of a run → content digest."""
    found = {"data": fingerprint_data(data), "base": fingerprint_base(settings.base)}
    if heldout:
        found["heldout"] = fingerprint_data(heldout)
    if regularisation:
        found["regularisation"] = fingerprint_data(regularisation)
    if data.conditions:
        sets = [one for one in (data, heldout, regularisation) if one is not None]
        found["conditions"] = _fingerprint_conditions(sets)
    if settings.start is not None:
        start = checkpoint_at(settings.start) or settings.start
        found["start"] = fingerprint_adapters([start], settings.adapter)
    if settings.experts is not None:
        found["experts"] = fingerprint_adapters(settings.experts, "lora")
    return found


def fingerprint_data(data: HumanFolder) -> str:
    """Digest of a data set's metadata and of its image and mask file sizes. A changed compressed image almost
    always has a different size, and reading a large data set would take long."""
    with (data.path / "metadata.jsonl").open("rb") as listing:
        digest = hashlib.file_digest(listing, "sha256")
    for sizes in data.file_sizes[:, : 1 + len(data.regions)]:
        digest.update("".join(f"{size} " for size in sizes.tolist()).encode())
    return digest.hexdigest()[:16]


def _fingerprint_conditions(sets: Iterable[HumanFolder]) -> str:
    sizes = [size for data in sets for size in data.file_sizes[:, 1 + len(data.regions) :].ravel().tolist()]
    return hashlib.sha256(" ".join(map(str, sizes)).encode()).hexdigest()[:16]
