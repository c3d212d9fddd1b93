"""What a training run is: one validated dataclass, from Python, a mapping or a YAML file."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import yaml

from fairhuman.data import JointTransform
from fairhuman.models.adapters import ADAPTERS
from fairhuman.objectives import Reduction
from fairhuman.regions import MaskMode
from fairhuman.training._rules import check, resolve
from fairhuman.training._values import check_keys, coerce_fields, read_settings

__all__ = ["TrainSettings"]

_PLACES = ("data", "output", "heldout", "start", "experts")


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
        adapter: What is trained, a kind of :data:`fairhuman.models.adapters.ADAPTERS`.
        rank: Rank of the LoRA, or of each expert of MoLE, ≥ 1.
        alpha: The LoRA's output is scaled by alpha / rank; ``None`` means alpha = rank.
        targets: Endings of the names of the UNet's layers that get a LoRA; ``None`` is attention for a LoRA,
            every linear layer of the transformers for MoLE.
        experts: Two LoRAs (runs' folders), for faces and for hands, that MoLE's third stage puts together;
            they bring their own rank and alpha. ``None`` starts both experts from nothing.
        gates_only: Leave MoLE's experts as they are and train its gates alone.
        text_encoders: Train a LoRA on both text encoders too.
        conditions: Condition images that the adapter reads, ``pose`` and ``depth``; ``None`` is both for
            adapters that read any.
        condition_dropout: Probability, for each image by itself, that its conditions are replaced by
            black, in [0, 1); ``None`` is the paper's 0.3 for adapters that read conditions.
        start: A trained adapter of the same kind to go on from (a run's folder), or ``None``. A MoLE brings
            its own layers, ranks and alphas.
        resolution: Side of the training images in pixels; a multiple of 8.
        crop: ``center`` or ``random``.
        flip: Probability of mirroring, in [0, 1]. Captions that name left or right do not follow.
        steps: Optimiser steps, ≥ 1.
        seconds: Stop after so much time in steps, if that is before ``steps``; the one setting with which a
            run depends on the machine. For comparisons at equal time.
        batch_size: Images a step, ≥ 1, on all processes together.
        accumulation: In how many parts a step's images pass through the network, to save memory. The step
            is that of the whole: gradients of each objective are summed before they are weighed.
        learning_rate: The highest, > 0.
        schedule: ``constant``, ``cosine`` or ``linear`` to 0 at the last step, after ``warmup``.
        warmup: Steps over which the learning rate rises from 0.
        optimizer: ``adamw``, ``adam`` as the paper says, or ``adamw8bit`` with its moments in 8 bits (needs
            the package bitsandbytes and a GPU).
        weight_decay: AdamW's decoupled decay; ``adam`` ignores it.
        min_snr: γ of min-SNR weighting of the timesteps, > 0, or ``None`` for the plain error of Eq. 1.
        noise_offset: Deviation of a shift of each channel of the noise, ≥ 0.
        clip_norm: Largest norm of the combined direction, or ``None``.
        seed: Decides the LoRA's start, the order of images, flips, crops, timesteps and noise.
        precision: ``no`` is float32; ``bf16`` and ``fp16`` keep the base in half precision, what is trained
            in float32. ``fp16`` scales the losses, and unscales gradients before they are weighed.
        cache: Keep latents and text embeddings in memory instead of encoding at every step.
        gradient_checkpointing: Trade time for memory in the UNet.
        gramian_every: Steps between which the Gram matrix is logged also for strategies that do without
            it, at the cost of a backward pass for each objective; 0 logs it only where it is needed. With
            accumulation, what weighs by the losses' values then takes those of the step, not of each part.
        checkpoint_every: Steps between checkpoints; 0 writes none.
        keep_checkpoints: How many of the latest are kept, ≥ 1.
        heldout: Folder of a held-out set whose regional losses are measured, or ``None``.
        heldout_every: Steps between such measurements (also made before the first step and after the last).
        heldout_images: How many of its images, the first ones, are used.
        heldout_draws: Noise draws an image, at evenly spread timesteps.
        sample_every: Steps between validation samples of the first held-out captions (and conditions),
            written to ``samples/`` in the run's folder; 0 makes none.
        sample_count: How many images each time.
        tracker: ``tensorboard`` or ``wandb`` to send losses and weights there as well, or ``None``.
        skip_limit: Non-finite steps in a row after which training stops.
        released: Names of deviations of the authors' released code from their paper that this run repeats,
            to measure what they do; see :data:`fairhuman.training.RELEASED`. None by default.

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
    adapter: str = "lora"
    rank: int = 16
    alpha: float | None = None
    targets: tuple[str, ...] | None = None
    experts: tuple[str, ...] | None = None
    gates_only: bool = False
    text_encoders: bool = False
    conditions: tuple[str, ...] | None = None
    condition_dropout: float | None = None
    start: str | None = None
    resolution: int = 256
    crop: Literal["center", "random"] = "center"
    flip: float = 0.0
    steps: int = 1000
    seconds: float | None = None
    batch_size: int = 4
    accumulation: int = 1
    learning_rate: float = 1e-4
    schedule: Literal["constant", "cosine", "linear"] = "constant"
    warmup: int = 0
    optimizer: Literal["adamw", "adam", "adamw8bit"] = "adamw"
    weight_decay: float = 1e-2
    min_snr: float | None = None
    noise_offset: float = 0.0
    clip_norm: float | None = None
    seed: int = 0
    precision: Literal["no", "bf16", "fp16"] = "no"
    cache: bool = True
    gradient_checkpointing: bool = False
    gramian_every: int = 0
    checkpoint_every: int = 0
    keep_checkpoints: int = 1
    heldout: str | None = None
    heldout_every: int = 100
    heldout_images: int = 64
    heldout_draws: int = 4
    sample_every: int = 0
    sample_count: int = 4
    tracker: Literal["tensorboard", "wandb"] | None = None
    skip_limit: int = 10
    released: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        coerce_fields(self)
        for name, value in resolve(self).items():
            object.__setattr__(self, name, value)
        check(self)

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], source: str = "settings") -> TrainSettings:
        """Settings from a mapping, such as a YAML file's content; an unknown key is refused.

        Args:
            values: Field names to values.
            source: What to call the mapping in a message.
        """
        check_keys(cls, values, source)
        return cls(**values)

    @classmethod
    def from_yaml(cls, path: str | os.PathLike[str], **changes: Any) -> TrainSettings:
        """Settings from a YAML file; ``changes`` take precedence over what it says."""
        return cls.from_mapping({**read_settings(path), **changes}, str(path))

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
    def adapter_options(self) -> dict[str, Any]:
        """The options of the adapter."""
        return {name: getattr(self, name) for name in ADAPTERS[self.adapter].options()}

    @property
    def facts(self) -> dict[str, Any]:
        """What a model card says of a run; paths of this machine are no part of it."""
        facts = {name: value for name, value in dataclasses.asdict(self).items() if name not in _PLACES}
        local = self.base is not None and Path(self.base).exists()
        return facts | ({"base": Path(self.base).name} if local else {})

    @property
    def transform(self) -> JointTransform:
        """Resize, flip and crop of the training images."""
        return JointTransform(self.resolution, self.crop, self.flip)
