"""What settings must satisfy, each by itself and together."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from fairhuman.data import JointTransform
from fairhuman.fairness import STRATEGIES, get_strategy
from fairhuman.models.adapters import ADAPTERS, kinds_with
from fairhuman.profiles import unknown
from fairhuman.regions import check_regions
from fairhuman.training._deviations import check_released
from fairhuman.training._values import at_least, positive, require

if TYPE_CHECKING:
    from fairhuman.training._settings import TrainSettings

__all__ = ["check", "resolve"]

_GOES_WITH = {"condition_dropout": "conditions"}
"""A setting of the training → the option of an adapter without which it has no effect."""
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
    options = ADAPTERS[settings.adapter].options() if settings.adapter in ADAPTERS else {}
    usual = {
        "targets": options.get("targets", ()),
        "conditions": options.get("conditions", ()),
        "condition_dropout": 0.3 if "conditions" in options else 0.0,
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
    check_released(
        settings.released,
        regions=settings.regions,
        accumulation=settings.accumulation,
        local_scale=settings.local_scale,
        draws=settings.flip > 0 or settings.crop == "random",
    )


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
    kind = settings.adapter
    require("adapter", kind in ADAPTERS, unknown(kind, ADAPTERS), kind)
    for field in dataclasses.fields(settings):
        value = getattr(settings, field.name)
        kinds = kinds_with(_GOES_WITH.get(field.name, field.name))
        if kinds and kind not in kinds:
            rule = f"is for the adapter {' or '.join(kinds)}, not for {kind}"
            require(field.name, not value or value == field.default, rule, value)
    dropout = settings.condition_dropout
    require("condition_dropout", 0 <= dropout < 1, "must be in [0, 1)", dropout)
    ADAPTERS[kind].check_options(settings.adapter_options)
