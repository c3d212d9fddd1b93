"""What a training run is: one validated dataclass, from Python, a mapping or a YAML file."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args, get_type_hints

import yaml

from fairhuman.data import CONDITIONS, JointTransform
from fairhuman.objectives import Reduction
from fairhuman.profiles import unknown
from fairhuman.regions import MaskMode, check_regions

__all__ = ["TrainSettings"]

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
CONDITIONAL = ("controlnet",)


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """One run of :func:`fairhuman.training.train`. Every value is checked on construction.

    Attributes:
        data: Folder of the training set (see :class:`fairhuman.data.HumanFolder`).
        output: Folder of the run. It must be empty, absent, or hold this very run, which is then resumed.
        base: Folder of a Stable Diffusion XL pipeline or a repository's name; ``None`` is the embedded one.
        regions: Regions with an objective of their own beside the global one; may be empty.
        strategy: How the objectives share the update (see :func:`fairhuman.fairness.get_strategy`).
        mask_mode: How masks reach the latent grid (see :func:`fairhuman.regions.latent_mask`).
        reduction: Scale of the losses (see :func:`fairhuman.objectives.regional_losses`).
        local_scale: Factor on the regional losses, > 0.
        adapter: What is trained: ``lora`` or ``controlnet``.
        rank: Rank of the LoRA, ≥ 1.
        alpha: The LoRA's output is scaled by alpha / rank; ``None`` means alpha = rank.
        targets: Endings of the names of the UNet's layers that get a LoRA.
        text_encoders: Train a LoRA on both text encoders too.
        conditions: Condition images that the adapter reads, ``pose`` and ``depth``; ``None`` is both for
            adapters that read any.
        condition_dropout: Probability, for each image by itself, that its conditions are replaced by
            black, in [0, 1); ``None`` is the paper's 0.3 for adapters that read conditions.
        start: A trained adapter of the same kind to go on from (a run's folder), or ``None``.
        resolution: Side of the training images in pixels; a multiple of 8.
        crop: ``center`` or ``random``.
        flip: Probability of mirroring, in [0, 1]. Captions that name left or right do not follow.
        steps: Optimiser steps, ≥ 1.
        batch_size: Images a step, ≥ 1.
        learning_rate: Constant, > 0.
        optimizer: ``adamw``, or ``adam`` as the paper says.
        weight_decay: AdamW's decoupled decay; ``adam`` ignores it.
        clip_norm: Largest norm of the combined direction, or ``None``.
        seed: Decides the LoRA's start, the order of images, flips, crops, timesteps and noise.
        precision: ``no`` is float32; ``bf16`` keeps the base in bfloat16 and the LoRA in float32.
        cache: Keep latents and text embeddings in memory instead of encoding at every step.
        gradient_checkpointing: Trade time for memory in the UNet.
        gramian_every: Steps between which the Gram matrix is logged also for strategies that do without
            it, at the cost of a backward pass for each objective; 0 logs it only where it is needed.
        checkpoint_every: Steps between checkpoints; 0 writes none.
        keep_checkpoints: How many of the latest are kept, ≥ 1.
        heldout: Folder of a held-out set whose regional losses are measured, or ``None``.
        heldout_every: Steps between such measurements (also made before the first step and after the last).
        heldout_images: How many of its images, the first ones, are used.
        heldout_draws: Noise draws an image, at evenly spread timesteps.
        skip_limit: Non-finite steps in a row after which training stops.

    Raises:
        ValueError, TypeError: The message names the field, the rule and the value found.

    Example:
        >>> TrainSettings(data="people", output="runs/quick/mpd", steps=100).scaling
        1.0
        >>> TrainSettings.from_mapping({"data": "people", "output": "runs/quick/mpd", "step": 100})
        Traceback (most recent call last):
        ...
        ValueError: settings: unknown name 'step'; did you mean 'steps'? ...
    """

    data: str
    output: str
    base: str | None = None
    regions: tuple[str, ...] = ("face", "hand")
    strategy: str = "mpd"
    mask_mode: MaskMode = "soft"
    reduction: Reduction = "image"
    local_scale: float = 1.0
    adapter: Literal["lora", "controlnet"] = "lora"
    rank: int = 16
    alpha: float | None = None
    targets: tuple[str, ...] = ATTENTION
    text_encoders: bool = False
    conditions: tuple[str, ...] | None = None
    condition_dropout: float | None = None
    start: str | None = None
    resolution: int = 256
    crop: Literal["center", "random"] = "center"
    flip: float = 0.0
    steps: int = 1000
    batch_size: int = 4
    learning_rate: float = 1e-4
    optimizer: Literal["adamw", "adam"] = "adamw"
    weight_decay: float = 1e-2
    clip_norm: float | None = None
    seed: int = 0
    precision: Literal["no", "bf16"] = "no"
    cache: bool = True
    gradient_checkpointing: bool = False
    gramian_every: int = 0
    checkpoint_every: int = 0
    keep_checkpoints: int = 1
    heldout: str | None = None
    heldout_every: int = 100
    heldout_images: int = 64
    heldout_draws: int = 4
    skip_limit: int = 10

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for field in dataclasses.fields(self):
            value = _coerced(field.name, getattr(self, field.name), hints[field.name])
            object.__setattr__(self, field.name, value)
        check_regions(self.regions)
        self._check_adapter()
        for name in ("data", "output"):
            _require(name, bool(getattr(self, name)), "must name a folder", getattr(self, name))
        for name in ("rank", "steps", "batch_size", "keep_checkpoints", "heldout_every", "heldout_images",
                     "heldout_draws", "skip_limit"):  # fmt: skip
            _require(name, getattr(self, name) >= 1, "must be ≥ 1", getattr(self, name))
        for name in ("local_scale", "learning_rate", "alpha", "clip_norm"):
            value = getattr(self, name)
            _require(name, value is None or value > 0, "must be > 0", value)
        for name in ("weight_decay", "gramian_every", "checkpoint_every", "seed"):
            _require(name, getattr(self, name) >= 0, "must be ≥ 0", getattr(self, name))
        _require("targets", bool(self.targets), "must name at least one layer", self.targets)
        fits = self.resolution >= 8 and self.resolution % 8 == 0
        _require("resolution", fits, "must be a positive multiple of 8", self.resolution)
        JointTransform(self.resolution, self.crop, self.flip)
        if self.cache and self.crop == "random":
            raise ValueError("cache: latents can't be kept with crop 'random'; set cache to false")

    def _check_adapter(self) -> None:
        """Options of another kind of adapter would be silently without effect: they are refused."""
        reads = self.adapter in CONDITIONAL
        if self.conditions is None:
            object.__setattr__(self, "conditions", CONDITIONS if reads else ())
        if self.condition_dropout is None:
            object.__setattr__(self, "condition_dropout", 0.3 if reads else 0.0)
        of = {"rank": ("lora",), "alpha": ("lora",), "targets": ("lora",), "text_encoders": ("lora",),
              "conditions": CONDITIONAL, "condition_dropout": CONDITIONAL}  # fmt: skip
        unset = {"conditions": (), "condition_dropout": 0.0}
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if self.adapter not in of.get(field.name, (self.adapter,)):
                rule = f"is for the adapter {' or '.join(of[field.name])}, not for {self.adapter}"
                _require(field.name, value == unset.get(field.name, field.default), rule, value)
        known = set(self.conditions) <= set(CONDITIONS) and len(set(self.conditions)) == len(self.conditions)
        _require("conditions", known, f"must be among {', '.join(CONDITIONS)}, each once", self.conditions)
        _require("conditions", bool(self.conditions) or not reads, "must name at least one", self.conditions)
        dropout = self.condition_dropout
        _require("condition_dropout", 0 <= dropout < 1, "must be in [0, 1)", dropout)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], source: str = "settings") -> TrainSettings:
        """Settings from a mapping, such as a YAML file's content; an unknown key is refused.

        Args:
            values: Field names to values.
            source: What to call the mapping in a message.
        """
        fields = dataclasses.fields(cls)
        for key in values:
            if key not in {field.name for field in fields}:
                raise ValueError(f"{source}: {unknown(key, [field.name for field in fields])}")
        for field in fields:
            if field.default is dataclasses.MISSING and field.name not in values:
                raise ValueError(f"{source}: {field.name!r} is missing")
        return cls(**values)

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str], **changes: Any) -> TrainSettings:
        """Settings from a YAML file; ``changes`` take precedence over what it says."""
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"settings: no such file: {path}")
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8"))
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(f"settings: cannot read {path}: {error}") from error
        if not isinstance(content, dict):
            raise ValueError(f"settings: {path} must be a mapping, got {type(content).__name__}")
        return cls.from_mapping({**content, **changes}, str(path))

    def to_yaml(self) -> str:
        """All settings, defaults included, as YAML that :meth:`from_yaml` reads back."""
        values = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in dataclasses.asdict(self).items()
        }
        return yaml.safe_dump(values, sort_keys=False)

    @property
    def scaling(self) -> float:
        """The factor alpha / rank on the LoRA's output."""
        return 1.0 if self.alpha is None else self.alpha / self.rank

    @property
    def transform(self) -> JointTransform:
        """Resize, flip and crop of the training images."""
        return JointTransform(self.resolution, self.crop, self.flip)


def _require(name: str, holds: bool, rule: str, value: Any) -> None:
    if not holds:
        raise ValueError(f"{name}: {rule}, got {value!r}")


def _coerced(name: str, value: Any, hint: Any) -> Any:
    """The value in the type its field declares, refused where it does not fit."""
    choices = get_args(hint)
    if type(None) in choices:
        if value is None:
            return None
        hint = next(choice for choice in choices if choice is not type(None))
        choices = get_args(hint)
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if choices and all(isinstance(choice, str) for choice in choices):
        if value not in choices:
            raise ValueError(f"{name}: {unknown(value, choices)}")
        return value
    if choices:  # tuple[str, ...]
        if isinstance(value, str) or not all(isinstance(entry, str) for entry in value):
            raise TypeError(f"{name}: must be a list of names, got {value!r}")
        return tuple(value)
    if hint is float:
        return _number(name, value)
    if not isinstance(value, hint) or (hint is int and isinstance(value, bool)):
        raise TypeError(f"{name}: must be {hint.__name__}, got {value!r} ({type(value).__name__})")
    return value


def _number(name: str, value: Any) -> float:
    # YAML 1.1 reads 1e-4, without a point, as a string: what is meant is clear.
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise TypeError(f"{name}: must be a finite number, got {value!r}")
    return number
