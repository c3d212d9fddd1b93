"""The adapter that a run's settings ask for."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any

from fairhuman.seeds import start_seed
from fairhuman.training._settings import TrainSettings

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

    from fairhuman.models.adapters import Adapter

__all__ = ["build_adapter", "training_facts"]

_OPTIONS = {
    "lora": ("rank", "alpha", "targets", "text_encoders", "start"),
    "controlnet": ("conditions", "start"),
    "controlnet-union": ("conditions", "start"),
    "t2i-adapter": ("conditions", "start"),
    "mole": ("rank", "alpha", "targets", "experts", "gates_only", "start"),
}
_PLACES = ("data", "output", "heldout", "start", "experts")


def build_adapter(pipeline: StableDiffusionXLPipeline, settings: TrainSettings) -> Adapter:
    """Freeze the base and put a new adapter on it; its start depends on ``settings.seed`` alone.

    Raises:
        ValueError: The settings don't fit the base, or what they start from does not.
    """
    from fairhuman.models.adapters import ADAPTERS

    options = {name: getattr(settings, name) for name in _OPTIONS[settings.adapter]}
    adapter = ADAPTERS[settings.adapter](pipeline, seed=start_seed(settings.seed), **options)
    if settings.adapter == "mole" and settings.start is not None and settings.rank not in adapter.ranks:
        ranks = " and ".join(map(str, adapter.ranks))
        raise ValueError(f"rank: must be that of start, whose experts have {ranks}, got {settings.rank}")
    return adapter


def training_facts(settings: TrainSettings) -> dict[str, Any]:
    """What a model card says of a run; paths of this machine are no part of it."""
    facts = {name: value for name, value in dataclasses.asdict(settings).items() if name not in _PLACES}
    local = settings.base is not None and Path(settings.base).exists()
    return facts | ({"base": Path(settings.base).name} if local else {})
