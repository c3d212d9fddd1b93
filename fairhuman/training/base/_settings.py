"""What a training of the base is: validated dataclasses, read from ``params/base.yaml``'s form."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, get_type_hints

from fairhuman.models import Architecture
from fairhuman.profiles import unknown
from fairhuman.settings import read_settings
from fairhuman.training._values import (
    at_least,
    check_keys,
    coerce_fields,
    coerced,
    positive,
    require,
)

PRECISIONS = ("float32", "bfloat16")
DEVICES = ("cpu", "cuda")
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
        half_share: Share of the steps whose views are shown at half the size, as the small images of a
            corpus of two sizes are.
        scaled_share: Share of the steps that decode scaled and mirrored latents against the images that
            were scaled and mirrored likewise, so that the decoder is equivariant (Kouzelis et al., 2025).
        mirror_weight: Weight of the relative squared error of a mirrored view's latents against its
            mirrored latents, so that the encoder is.
        latent_noise: Largest noise on the latents before they are decoded, in deviations of their channels.
        smooth_weight: Weight of the share of the latents' energy that a 2 × 2 mean takes away.
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
    half_share: float = 0.0
    scaled_share: float = 0.0
    mirror_weight: float = 0.0
    latent_noise: float = 0.0
    smooth_weight: float = 0.0
    optimizer: str = "muon"
    learning_rate: float = 2e-3
    muon_learning_rate: float = 3e-3
    weight_decay: float = 0.0
    warmup: int = 50
    decay: int = 800
    ema: float = 0.995
    decoder_only: bool = False

    def __post_init__(self) -> None:
        coerce_fields(self)
        at_least(self, 1, "crop", "crops", "whole_images")
        at_least(self, 0, "steps", "images", "whole_steps")
        at_least(self, 0, "gradient_weight", "kl_weight", "region_weight")
        at_least(self, 0, "mirror_weight", "latent_noise", "smooth_weight")
        _check_common(self)
        whole = self.whole_steps
        for name in ("region_share", "half_share", "scaled_share"):
            require(name, 0 <= getattr(self, name) <= 1, "must be in [0, 1]", getattr(self, name))
        require("whole_steps", whole <= self.steps, f"must be at most steps = {self.steps}", whole)
        require("crop", self.crop % 8 == 0, "must be a multiple of 8", self.crop)


@dataclass(frozen=True, kw_only=True)
class DenoiserSettings:
    """Training of the UNet and the text encoders, by the plain objective of Eq. 1, on cached latents.

    Attributes:
        steps: Optimiser steps.
        batch_size: Images per step of the full size.
        small_batch_size: Images per step of the half size, which cost a quarter.
        small_share, small_share_later: Share of the steps that see images of the half size, before and from
            ``small_until`` on; used where there is a second training set.
        small_until: Step at which the share changes.
        optimizer: ``adamw``, or ``muon``: Muon (orthogonalised momentum) for the UNet's inner matrices
            and kernels, AdamW for the rest.
        learning_rate: Peak of AdamW; linear warm-up, constant, then linear decay to 0.
        muon_learning_rate: Peak of Muon, in root-mean-square units that match AdamW's.
        weight_decay: Decoupled decay.
        warmup, decay: Steps of the rise and of the fall.
        clip_norm: Largest gradient norm; 0 switches clipping off.
        ema: Decay of the moving average of the weights that is kept.
        caption_dropout: Share of captions replaced by the zeros that guidance starts from.
        mirror: Train on mirrored latents half the time, with left and right exchanged in the caption.
    """

    steps: int = 4000
    batch_size: int = 16
    small_batch_size: int = 64
    small_share: float = 0.85
    small_share_later: float = 0.35
    small_until: int = 20000
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
        coerce_fields(self)
        at_least(self, 1, "steps", "batch_size", "small_batch_size")
        at_least(self, 0, "clip_norm", "small_until")
        _check_common(self)
        for name in ("caption_dropout", "small_share", "small_share_later"):
            require(name, 0 <= getattr(self, name) <= 1, "must be in [0, 1]", getattr(self, name))


@dataclass(frozen=True, kw_only=True)
class BaseSettings:
    """A training of the base, from nothing or from a base.

    Attributes:
        data: Folder of the training set (see :class:`fairhuman.data.HumanFolder`).
        output: Folder of the run. It must be absent, empty, or hold this very run, which is then resumed.
        small: Folder of a second training set, whose images have half the size; empty means none.
        start: Base to go on from, a folder, or ``embedded`` for the shipped one; empty means random weights.
            Its autoencoder stays, but that ``refinement`` may train the decoder.
        autoencoder_start: Where the autoencoder's training starts: ``embedded``, the folder of a base, or
            that of an autoencoder alone; empty means random weights. Where the architecture has fewer
            latent channels, they start as the principal components of that autoencoder's.
        architecture: Sizes of the networks.
        autoencoder: Training of the autoencoder; left out where there is a ``start``.
        refinement: A second training of it, from the weights of the first; steps 0 leaves it out.
        denoiser: Training of the UNet and the text encoders.
        seed: Decides the weights at the start and every draw.
        precision: ``bfloat16`` is twice as fast as ``float32`` on processors with such instructions
            (AVX512-BF16, AMX) and many times slower on others; weights are kept in float32 either way.
        checkpoint_every: Steps between checkpoints.
        device: Where to train: ``cpu`` or ``cuda``. Draws are made on the CPU, so that both see the same.

    Raises:
        ValueError, TypeError: The message names the field, the rule and the value found.
    """

    data: str
    output: str
    small: str = ""
    start: str = ""
    autoencoder_start: str = ""
    architecture: Architecture = field(default_factory=Architecture)
    autoencoder: AutoencoderSettings = field(default_factory=AutoencoderSettings)
    refinement: AutoencoderSettings = field(
        default_factory=lambda: AutoencoderSettings(steps=0, whole_steps=0, warmup=0, decay=0)
    )
    denoiser: DenoiserSettings = field(default_factory=DenoiserSettings)
    seed: int = 0
    precision: str = "float32"
    checkpoint_every: int = 300
    device: str = "cpu"

    def __post_init__(self) -> None:
        coerce_fields(self)
        for name in ("data", "output"):
            require(name, bool(getattr(self, name)), "must name a folder", getattr(self, name))
        at_least(self, 0, "seed")
        at_least(self, 1, "checkpoint_every")
        if self.start and self.refinement.steps and not self.refinement.decoder_only:
            raise ValueError(
                "refinement: must have decoder_only with a start, whose UNet knows the encoder's latents,"
                " got decoder_only false"
            )
        for name, known in (("precision", PRECISIONS), ("device", DEVICES)):
            if getattr(self, name) not in known:
                raise ValueError(f"{name}: {unknown(getattr(self, name), known)}")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], source: str = "settings") -> BaseSettings:
        """Settings from nested mappings; an unknown key is refused."""
        return _build(cls, values, source)

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str], **changes: Any) -> BaseSettings:
        """Settings from a YAML file; ``changes`` take precedence over what it says."""
        return cls.from_mapping({**read_settings(path), **changes}, str(path))

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
    check_keys(cls, values, source)
    hints, built = get_type_hints(cls), {}
    for key, value in values.items():
        if cls is not BaseSettings or key not in _PARTS:
            built[key] = coerced(f"{source}.{key}", value, hints[key])
        elif isinstance(value, _PARTS[key]):
            built[key] = value
        else:
            built[key] = _build(_PARTS[key], value, f"{source}.{key}")
    return cls(**built)


def _check_common(settings: AutoencoderSettings | DenoiserSettings) -> None:
    if settings.optimizer not in OPTIMIZERS:
        raise ValueError(f"optimizer: {unknown(settings.optimizer, OPTIMIZERS)}")
    at_least(settings, 0, "warmup", "decay", "weight_decay")
    positive(settings, "learning_rate", "muon_learning_rate")
    total = settings.warmup + settings.decay
    require("warmup + decay", total <= settings.steps, f"must be at most steps = {settings.steps}", total)
    require("ema", 0 <= settings.ema <= 1, "must be in [0, 1]", settings.ema)
