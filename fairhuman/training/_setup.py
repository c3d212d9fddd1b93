"""Setup of a run: processes, frozen base, new adapter, precision."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from fairhuman.models import load_base
from fairhuman.models.adapters import ADAPTERS, Adapter
from fairhuman.seeds import start_seed
from fairhuman.training._checkpoint import CHECKPOINTS, latest_checkpoint, load_checkpoint
from fairhuman.training._precision import PRECISIONS
from fairhuman.training._run import Run
from fairhuman.training._settings import TrainSettings

if TYPE_CHECKING:
    from accelerate import Accelerator
    from diffusers import StableDiffusionXLPipeline

_PARTS = ("unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")

__all__ = ["adapter_at", "autocast", "build_adapter", "checkpoint_at", "frozen_base", "make_accelerator"]

_PATIENCE = timedelta(hours=2)  # the other processes wait while the first one measures and saves


def make_accelerator(settings: TrainSettings) -> Accelerator:
    """Device, processes and, if requested, a tracker.

    Mixed precision is not handled by accelerate, because its scaler unscales gradients only after they are
    weighted.

    Raises:
        ValueError: The batch cannot be divided evenly.
        ImportError: The tracker's package is not installed; the message gives the install command.
    """
    from accelerate import Accelerator, InitProcessGroupKwargs
    from accelerate.utils import is_tensorboard_available, is_wandb_available

    installed = {"tensorboard": is_tensorboard_available, "wandb": is_wandb_available}
    if settings.tracker and not installed[settings.tracker]():
        raise ImportError(f"tracker: {settings.tracker} is not installed; pip install {settings.tracker}")
    accelerator = Accelerator(
        mixed_precision="no",
        log_with=settings.tracker,
        project_dir=settings.output,
        kwargs_handlers=[InitProcessGroupKwargs(timeout=_PATIENCE)],
    )
    parts = accelerator.num_processes * settings.accumulation
    if settings.batch_size % parts:
        raise ValueError(
            f"batch_size: must be a multiple of processes × accumulation = {parts}, got {settings.batch_size}"
        )
    return accelerator


def autocast(settings: TrainSettings, device: torch.device) -> AbstractContextManager[None]:
    """Half precision for the network's forward pass, if requested."""
    precision = PRECISIONS[settings.precision]
    return torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32)


def frozen_base(settings: TrainSettings, device: torch.device) -> StableDiffusionXLPipeline:
    """The base on its device: UNet and text encoders in the training precision, the autoencoder in
    float32, because SDXL's overflows in half precision.

    Raises:
        ValueError: The base lacks a part (as a refiner does), or the resolution does not fit it.
    """
    base = settings.base
    pipeline = load_base(base)
    for part in _PARTS:
        if getattr(pipeline, part) is None:
            raise ValueError(f"base: {base} lacks the part {part}")
    factor = 8 * 2 ** (len(pipeline.unet.config.block_out_channels) - 1)
    if settings.resolution % factor:
        raise ValueError(
            f"resolution: must be a multiple of {factor} for this base, got {settings.resolution}"
        )
    buckets = settings.transform.buckets
    if buckets and buckets.step % factor:
        raise ValueError(f"bucket_step: must be a multiple of {factor} for this base, got {buckets.step}")
    for module in (pipeline.unet, pipeline.text_encoder, pipeline.text_encoder_2):
        if module.dtype != PRECISIONS[settings.precision]:
            module.to(PRECISIONS[settings.precision])
    for module in (pipeline.unet, pipeline.text_encoder, pipeline.text_encoder_2, pipeline.vae):
        module.requires_grad_(False)
    pipeline.vae.to(memory_format=torch.channels_last)  # encodes in three quarters of the time
    return pipeline.to(device)


def build_adapter(pipeline: StableDiffusionXLPipeline, settings: TrainSettings) -> Adapter:
    """Freeze the base and attach a new adapter, initialised from ``settings.seed`` or from
    ``settings.start``.

    Raises:
        ValueError: The settings or ``settings.start`` do not fit the base.
    """
    options = settings.adapter_options
    if (file := checkpoint_at(options.get("start"))) is not None:
        theirs = _settings_of(file)
        for name in ("adapter", *options.keys() - {"start", "experts"}):
            if getattr(theirs, name) != getattr(settings, name):
                found = f"{getattr(theirs, name)!r}, got {getattr(settings, name)!r}"
                raise ValueError(f"{name}: must be that of start, {file}: {found}")
        return adapter_at(pipeline, file)
    return ADAPTERS[settings.adapter](pipeline, seed=start_seed(settings.seed), **options)


def checkpoint_at(place: str | os.PathLike[str] | None) -> Path | None:
    """The checkpoint at a path: a checkpoint file, or the folder of an incomplete run. ``None`` otherwise,
    for example for a finished run."""
    if place is None:
        return None
    path = Path(place)
    if path.is_file() and path.parent.name == CHECKPOINTS:
        return path
    try:
        return None if Run.open(path).complete else latest_checkpoint(path)
    except (FileNotFoundError, TypeError, ValueError):  # no run, or one of a base
        return None


def adapter_at(pipeline: StableDiffusionXLPipeline, file: Path) -> Adapter:
    """The adapter at a checkpoint, on its base.

    Args:
        pipeline: The run's base.
        file: Result of :func:`checkpoint_at`.

    Raises:
        ValueError: The checkpoint is damaged, or the base is different.
    """
    adapter = build_adapter(pipeline, _settings_of(file))
    state = load_checkpoint(file)[1]
    saved = (state.get("averaging") or {}).get("weights") or state["parameters"]
    with torch.no_grad():
        for name, parameter in adapter.parameters.items():
            if name not in saved or saved[name].shape != parameter.shape:
                raise ValueError(f"adapter: {file} must be of this base, got none or another shape of {name}")
            parameter.copy_(saved[name])
    return adapter


def _settings_of(file: Path) -> TrainSettings:
    return Run.open(file.parents[1]).settings
