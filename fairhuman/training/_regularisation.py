"""Regularisation images: a class that training on a few people should not change."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from fairhuman.data import HumanFolder
from fairhuman.training._settings import TrainSettings

__all__ = ["read_regularisation"]


def read_regularisation(settings: TrainSettings) -> HumanFolder | None:
    """A run's regularisation images, if any, with the run's regions that their metadata has.

    Such images mostly have no masks. The first metadata line determines their regions; the folder is then
    read strictly.

    Raises:
        FileNotFoundError, ValueError: As for :class:`fairhuman.data.HumanFolder`.
    """
    if settings.regularisation is None:
        return None
    folder = Path(settings.regularisation)
    entry = _first_line(folder / "metadata.jsonl")
    regions = [name for name in settings.regions if f"{name}_mask_file_name" in entry]
    return HumanFolder(folder, regions, settings.conditions or ())


def _first_line(listing: Path) -> dict[str, Any]:
    """The first entry of a listing; empty if there is none, which its reader reports."""
    try:
        with listing.open(encoding="utf-8-sig") as lines:
            entry = json.loads(next(line for line in lines if line.strip()))
    except (OSError, ValueError, StopIteration, RecursionError):
        return {}
    return entry if isinstance(entry, dict) else {}
