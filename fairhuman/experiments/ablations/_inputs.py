"""The inputs of a stored ablation, identified by content, so that another machine recognises them."""

from __future__ import annotations

import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

from fairhuman.experiments.ablations._budget import Budget
from fairhuman.experiments.ablations._named import Setting

__all__ = ["VISIBLE_SEED", "inputs_of", "people_of", "seen_by", "trained_by"]

_TRAINING = """
from fairhuman.data import HumanFolder, JointTransform
from fairhuman.models import load_base
from fairhuman.models.adapters import ADAPTERS
from fairhuman.training import Examples, heldout_errors, train
"""
_SEEING = """
from fairhuman.detectors import detect
from fairhuman.evaluation import detect_crops, expected_regions, kernel_distance, tabulate_detections
from fairhuman.evaluation.crop_rates import crop_scores
from fairhuman.evaluation.reader import AttributeReader
from fairhuman.sampling import sample_with
"""

VISIBLE_SEED = 0
"""The seed with whose weights images are sampled."""

# Where things lie, and what changes nothing of what is trained.
_PLACES = ("data", "output", "base", "checkpoint_every")
_DRAWN_FROM = ("text", "preset", "seed", "index", "width", "height")


def trained_by() -> str:
    """Digest of the code that trains a setting and measures its losses."""
    from fairhuman.workflow import made_by

    return made_by(_TRAINING)


def seen_by() -> str:
    """Digest of the code that trains a setting, samples with it and looks at the images."""
    from fairhuman.workflow import made_by

    return made_by(_TRAINING + _SEEING)


def inputs_of(budget: Budget, setting: Setting, seed: int, code: str | None = None) -> str:
    """Digest of everything that decides a setting's result.

    Settings at their defaults do not count.

    Args:
        budget, setting, seed: The run.
        code: The code's part, by default :func:`trained_by`.
    """
    trained: dict[str, Any] = {}
    if setting.trained:
        settings = budget.settings(setting, seed, Path("run"))
        trained = settings.model_dump(exclude=set(_PLACES), exclude_defaults=True)
    measured = ["resolution", "heldout_images", "draws", "measured"]
    content = {
        "code": trained_by() if code is None else code,
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
