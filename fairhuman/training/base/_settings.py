"""What a training of the base is: validated dataclasses, read from ``params/base.yaml``'s form."""

from __future__ import annotations

import dataclasses
import math
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import yaml

from fairhuman.models import Architecture
from fairhuman.profiles import unknown

PRECISIONS = ("float32", "bfloat16")
OPTIMIZERS = ("adamw", "muon")


@dataclass(frozen=True, kw_only=True)
class AutoencoderSettings:
    """Training of the autoencoder, on crops and at the end on whole images.

    Attributes:
        steps: Optimiser steps.
        images: How many of the training images, the first ones, are used; 0 means all.
        whole_steps: How many of them, the last ones, see whole images: group norms gather their
            statistics over all they see, so a network that has only seen crops errs on images.
        crop: Side of a crop in pixels, a multiple of 8.
        crops: Crops a step.
        whole_images: Whole images a step.
        region_share: Share of the crops that are laid on a face or a hand.
        region_weight: Weight of pixels inside the boxes of faces and hands; 1 is everybody else's.
        gradient_weight: Weight of the absolute error of finite differences, which keeps edges sharp.
        kl_weight: Weight of the Kullback-Leibler term, a mean over latent elements.
        optimizer, learning_rate, muon_learning_rate, weight_decay: As for the denoiser.
        warmup, decay: Steps of the rise and of the fall.
        ema: Decay of the moving average of the weights that is kept.
        decoder_only: Leave the encoder as it is, so that latents stay what they were and a UNet trained on
            them stays right.
    """

    steps: int = 2000
    images: int = 0
    whole_steps: int = 450
    crop: int = 96
    crops: int = 16
    whole_images: int = 2
    region_share: float = 0.5
    region_weight: float = 2.0
    gradient_weight: float = 1.0
    kl_weight: float = 1e-4
    optimizer: str = "muon"
    learning_rate: float = 2e-3
    muon_learning_rate: float = 3e-3
    weight_decay: float = 0.0
    warmup: int = 50
    decay: int = 800
    ema: float = 0.995
    decoder_only: bool = False

    def __post_init__(self) -> None:
        _at_least(self, 1, "crop", "crops", "whole_images")
        _at_least(self, 0, "steps", "images", "whole_steps", "warmup", "decay")
        _at_least(self, 0, "gradient_weight", "kl_weight", "region_weight")
        _schedule(self)
        _between(self, 0, 1, "region_share", "ema")
        _require(
            "whole_steps", self.whole_steps <= self.steps, f"at most steps = {self.steps}", self.whole_steps
        )
        _require("crop", self.crop % 8 == 0, "a multiple of 8", self.crop)


@dataclass(frozen=True, kw_only=True)
class DenoiserSettings:
    """Training of the UNet and the text encoders, by the plain objective of Eq. 1, on cached latents.

    Attributes:
        steps: Optimiser steps.
        batch_size: Images a step.
        optimizer: ``adamw``, or ``muon``: Muon (orthogonalised momentum) for the UNet's inner matrices
            and kernels, AdamW for the rest.
        learning_rate: Peak of AdamW; linear warm-up, constant, then linear decay to 0.
        muon_learning_rate: Peak of Muon, in root-mean-square units that match AdamW's.
        weight_decay: Decoupled decay.
        warmup, decay: Steps of the rise and of the fall.
        clip_norm: Largest gradient norm; 0 switches clipping off.
        ema: Decay of the moving average of the weights that is kept.
        caption_dropout: Share of captions replaced by the zeros that guidance starts from.
        mirror: Train on the mirrored images too, except where the caption names left or right.
    """

    steps: int = 4000
    batch_size: int = 16
    optimizer: str = "muon"
    learning_rate: float = 1e-3
    muon_learning_rate: float = 2e-3
    weight_decay: float = 1e-2
    warmup: int = 100
    decay: int = 1200
    clip_norm: float = 1.0
    ema: float = 0.999
    caption_dropout: float = 0.1
    mirror: bool = True

    def __post_init__(self) -> None:
        _at_least(self, 1, "steps", "batch_size")
        _at_least(self, 0, "warmup", "decay", "weight_decay", "clip_norm")
        _schedule(self)
        _between(self, 0, 1, "ema", "caption_dropout")


@dataclass(frozen=True, kw_only=True)
class BaseSettings:
    """A training of the base, from nothing or from a base.

    Attributes:
        data: Folder of the training set (see :class:`fairhuman.data.HumanFolder`).
        output: Folder of the run. It must be absent, empty, or hold this very run, which is then resumed.
        start: Base to go on from, a folder, or ``embedded`` for the shipped one; empty means random weights.
            Its autoencoder stays, but that ``refinement`` may train the decoder.
        architecture: Sizes of the networks.
        autoencoder: Training of the autoencoder; left out where there is a ``start``.
        refinement: A second training of it, from the weights of the first; steps 0 leaves it out.
        denoiser: Training of the UNet and the text encoders.
        seed: Decides the weights at the start and every draw.
        precision: ``bfloat16`` is twice as fast as ``float32`` on processors with such instructions
            (AVX512-BF16, AMX) and many times slower on others; weights are kept in float32 either way.
        checkpoint_every: Steps between checkpoints.

    Raises:
        ValueError, TypeError: The message names the field, the rule and the value found.
    """

    data: str
    output: str
    start: str = ""
    architecture: Architecture = field(default_factory=Architecture)
    autoencoder: AutoencoderSettings = field(default_factory=AutoencoderSettings)
    refinement: AutoencoderSettings = field(
        default_factory=lambda: AutoencoderSettings(steps=0, whole_steps=0, warmup=0, decay=0)
    )
    denoiser: DenoiserSettings = field(default_factory=DenoiserSettings)
    seed: int = 0
    precision: str = "float32"
    checkpoint_every: int = 300

    def __post_init__(self) -> None:
        _at_least(self, 0, "seed")
        _at_least(self, 1, "checkpoint_every")
        if self.start and self.refinement.steps and not self.refinement.decoder_only:
            raise ValueError(
                "refinement: must have decoder_only with a start, whose UNet knows the encoder's latents,"
                " got decoder_only false"
            )
        if self.precision not in PRECISIONS:
            raise ValueError(f"precision: {unknown(self.precision, PRECISIONS)}")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], source: str = "settings") -> BaseSettings:
        """Settings from nested mappings; an unknown key is refused."""
        return _build(cls, values, source)

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str], **changes: Any) -> BaseSettings:
        """Settings from a YAML file; ``changes`` take precedence over what it says."""
        path = Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"settings: no such file: {path}")
        try:
            content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
        except (yaml.YAMLError, UnicodeDecodeError) as error:
            raise ValueError(f"settings: cannot read {path}: {error}") from error
        if not isinstance(content, dict):
            raise ValueError(f"settings: {path} must be a mapping, got {type(content).__name__}")
        return cls.from_mapping({**content, **changes}, str(path))

    def to_dict(self) -> dict[str, Any]:
        """All settings, defaults included, as nested mappings of plain values."""
        values = asdict(self)
        values["architecture"] = {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in values["architecture"].items()
        }
        return values


_PARTS = {
    "architecture": Architecture,
    "autoencoder": AutoencoderSettings,
    "refinement": AutoencoderSettings,
    "denoiser": DenoiserSettings,
}


def _build(cls: type, values: Mapping[str, Any], source: str) -> Any:
    """A dataclass from a mapping; unknown keys and wrong types are refused."""
    if not isinstance(values, Mapping):
        raise TypeError(f"{source}: must be a mapping, got {values!r}")
    fields = {entry.name: entry for entry in dataclasses.fields(cls)}
    built = {}
    for key, value in values.items():
        if key not in fields:
            raise ValueError(f"{source}: {unknown(key, fields)}")
        if key in _PARTS and cls is BaseSettings:
            part = isinstance(value, _PARTS[key])
            built[key] = value if part else _build(_PARTS[key], value, f"{source}.{key}")
        else:
            built[key] = _coerced(f"{source}.{key}", value, fields[key].type)
    for name, entry in fields.items():
        required = entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING
        if required and name not in built:
            raise ValueError(f"{source}: {name!r} is missing")
    return cls(**built)


def _coerced(name: str, value: Any, kind: str) -> Any:
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    if kind.startswith("tuple"):
        if not isinstance(value, list | tuple) or not all(type(entry) is int for entry in value):
            raise TypeError(f"{name}: must be a list of whole numbers, got {value!r}")
        return tuple(value)
    if kind == "float":
        try:  # YAML 1.1 reads 1e-4, without a point, as a string
            number = math.nan if isinstance(value, bool) else float(value)
        except (TypeError, ValueError):
            number = math.nan
        if not math.isfinite(number):
            raise TypeError(f"{name}: must be a finite number, got {value!r}")
        return number
    if type(value).__name__ != kind:
        raise TypeError(f"{name}: must be {kind}, got {value!r}")
    return value


def _require(name: str, holds: bool, rule: str, value: Any) -> None:
    if not holds:
        raise ValueError(f"{name}: must be {rule}, got {value!r}")


def _at_least(settings: Any, least: float, *names: str) -> None:
    for name in names:
        _require(name, getattr(settings, name) >= least, f"≥ {least}", getattr(settings, name))


def _between(settings: Any, low: float, high: float, *names: str) -> None:
    for name in names:
        _require(name, low <= getattr(settings, name) <= high, f"in [{low}, {high}]", getattr(settings, name))


def _schedule(settings: Any) -> None:
    if settings.optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer: {unknown(settings.optimizer, OPTIMIZERS)}")
    _at_least(settings, 0, "weight_decay")
    for name in ("learning_rate", "muon_learning_rate"):
        _require(name, getattr(settings, name) > 0, "> 0", getattr(settings, name))
    total = settings.warmup + settings.decay
    _require("warmup + decay", total <= settings.steps, f"at most steps = {settings.steps}", total)
