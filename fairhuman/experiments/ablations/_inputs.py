"""What a stored ablation rests on, told by contents, so that it is known again on another machine."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from fairhuman.experiments.ablations._budget import Budget
from fairhuman.experiments.ablations._named import Setting

__all__ = ["VISIBLE_SEED", "inputs_of", "people_of"]

RECIPE = 1
"""To be raised when training or measuring changes what the same settings give."""

VISIBLE_SEED = 0
"""The seed with whose weights images are sampled."""

# Where things lie, and what changes nothing of what is trained.
_PLACES = ("data", "output", "base", "checkpoint_every")
_DRAWN_FROM = ("text", "preset", "seed", "index", "width", "height")


def inputs_of(budget: Budget, setting: Setting, seed: int) -> str:
    """Digest of everything that decides a setting's result.

    Settings at their defaults do not count, so that a new one, of no effect by default, makes no stored
    result stale.
    """
    trained: dict[str, Any] = {}
    if setting.trained:
        settings = budget.settings(setting, seed, Path("run"))
        trained = settings.model_dump(exclude=set(_PLACES), exclude_defaults=True)
    measured = ["resolution", "heldout_images", "draws", "measured"]
    content = {
        "recipe": RECIPE,
        "trained": trained,
        "data": people_of(budget.data) if setting.trained else None,
        "heldout": people_of(budget.heldout),
        "base": _base_of(budget.base),
        "measured": {name: getattr(budget, name) for name in measured},
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def people_of(folder: Path) -> str:
    """Digest of whom a data set shows: for renders what they were drawn from, whose last bits of coordinates
    may differ between processors; for photographs the whole listing.

    Raises:
        FileNotFoundError: There is no data set.
    """
    listing = folder / "metadata.jsonl"
    if not listing.is_file():
        raise FileNotFoundError(f"data: no data set at {folder}; notebook 00_humans of this profile makes it")
    return _digest(listing, listing.stat().st_mtime_ns)


@cache
def _digest(listing: Path, _changed: int) -> str:
    lines = [json.loads(line) for line in listing.read_text(encoding="utf-8").split("\n") if line.strip()]
    rendered = all(name in line for line in lines for name in _DRAWN_FROM)
    people = [[line[name] for name in _DRAWN_FROM] for line in lines] if rendered else lines
    return hashlib.sha256(json.dumps(people, sort_keys=True).encode()).hexdigest()[:16]


@cache
def _base_of(base: str | None) -> str:
    from fairhuman.models import fingerprint_base

    return fingerprint_base(base)
