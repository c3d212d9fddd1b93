"""What settings must satisfy, each by itself and together."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from fairhuman.data import CONDITIONS, JointTransform
from fairhuman.fairness import STRATEGIES, get_strategy
from fairhuman.regions import check_regions
from fairhuman.training._released import check_released
from fairhuman.training._values import at_least, positive, require

if TYPE_CHECKING:
    from fairhuman.training._settings import TrainSettings

__all__ = ["check", "resolve"]

_LORA, _MOLE = ("lora",), ("mole",)
_LOW_RANK, _CONDITIONAL = ("lora", "mole"), ("controlnet", "controlnet-union", "t2i-adapter")
_OF = {
    "rank": _LOW_RANK, "alpha": _LOW_RANK, "targets": _LOW_RANK, "text_encoders": _LORA,
    "experts": _MOLE, "gates_only": _MOLE, "conditions": _CONDITIONAL, "condition_dropout": _CONDITIONAL,
}  # fmt: skip
"""Which adapters a setting is for, if not for all."""
_ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
_TARGETS = {"lora": _ATTENTION, "mole": (*_ATTENTION, "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out")}
_AT_LEAST_ONE = (
    "rank", "steps", "batch_size", "accumulation", "keep_checkpoints", "heldout_every", "heldout_images",
    "heldout_draws", "sample_count", "skip_limit",
)  # fmt: skip
_POSITIVE = ("local_scale", "learning_rate", "alpha", "clip_norm", "min_snr", "seconds")
_NOT_NEGATIVE = (
    "weight_decay", "gramian_every", "checkpoint_every", "seed", "warmup", "noise_offset", "sample_every",
)  # fmt: skip


def resolve(settings: TrainSettings) -> dict[str, Any]:
    """Values in place of the ``None`` that depends on the adapter."""
    reads = settings.adapter in _CONDITIONAL
    usual = {
        "targets": _TARGETS.get(settings.adapter, ()),
        "conditions": CONDITIONS if reads else (),
        "condition_dropout": 0.3 if reads else 0.0,
    }
    return {name: value for name, value in usual.items() if getattr(settings, name) is None}


def check(settings: TrainSettings) -> None:
    """Refuse values out of range and settings that contradict each other.

    Raises:
        ValueError: Names the field, the rule and the value found.
    """
    check_regions(settings.regions)
    if settings.strategy not in STRATEGIES:
        constants = getattr(get_strategy(settings.strategy), "constants", None)  # or refused
        rule = f"needs {1 + len(settings.regions)} weights: for the global loss and for each of regions"
        fits = constants is None or len(constants) == 1 + len(settings.regions)
        require("strategy", fits, rule, settings.strategy)
    _check_adapter(settings)
    for name in ("data", "output"):
        require(name, bool(getattr(settings, name)), "must name a folder", getattr(settings, name))
    at_least(settings, 1, *_AT_LEAST_ONE)
    positive(settings, *_POSITIVE)
    at_least(settings, 0, *_NOT_NEGATIVE)
    fits = settings.resolution >= 8 and settings.resolution % 8 == 0
    require("resolution", fits, "must be a positive multiple of 8", settings.resolution)
    JointTransform(settings.resolution, settings.crop, settings.flip)
    _check_together(settings)
    check_released(settings)


def _check_together(settings: TrainSettings) -> None:
    if settings.cache and settings.crop == "random":
        raise ValueError("cache: latents can't be kept with crop 'random'; set cache to false")
    if settings.batch_size % settings.accumulation:
        raise ValueError(
            f"accumulation: must divide batch_size = {settings.batch_size}, got {settings.accumulation}"
        )
    if settings.warmup >= settings.steps:
        raise ValueError(f"warmup: must be below steps = {settings.steps}, got {settings.warmup}")
    if settings.seconds is not None and settings.schedule != "constant":
        raise ValueError(
            f"schedule: {settings.schedule!r} ends at the last step, which is unknown where seconds is "
            "given; use 'constant'"
        )
    if settings.sample_every and settings.heldout is None:
        raise ValueError("sample_every: validation samples need captions; set heldout")


def _check_adapter(settings: TrainSettings) -> None:
    """Options of another kind of adapter would be silently without effect: they are refused."""
    kind, reads = settings.adapter, settings.adapter in _CONDITIONAL
    unset = {"conditions": (), "condition_dropout": 0.0, "targets": ()}
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        if kind not in _OF.get(field.name, (kind,)):
            rule = f"is for the adapter {' or '.join(_OF[field.name])}, not for {kind}"
            require(field.name, value == unset.get(field.name, field.default), rule, value)
    require("targets", bool(settings.targets) or kind not in _LOW_RANK, "must name at least one layer",
            settings.targets)  # fmt: skip
    conditions, dropout = settings.conditions, settings.condition_dropout
    known = set(conditions) <= set(CONDITIONS) and len(set(conditions)) == len(conditions)
    require("conditions", known, f"must be among {', '.join(CONDITIONS)}, each once", conditions)
    require("conditions", bool(conditions) or not reads, "must name at least one", conditions)
    require("condition_dropout", 0 <= dropout < 1, "must be in [0, 1)", dropout)
    if settings.experts is not None:
        require("experts", len(settings.experts) == 2, "must be two LoRAs", settings.experts)
        for name in ("start", "alpha"):
            value = getattr(settings, name)
            require(name, value is None, "must not be given where experts are", value)
    if kind == "mole" and settings.start is not None:
        require("alpha", settings.alpha is None, "must not be given where start is", settings.alpha)
