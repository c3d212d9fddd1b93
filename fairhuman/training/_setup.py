"""What a run stands on: processes, the frozen base, the new adapter, the precision."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

import torch

from fairhuman.models import load_base
from fairhuman.models.adapters import ADAPTERS, Adapter
from fairhuman.seeds import start_seed
from fairhuman.training._precision import PRECISIONS
from fairhuman.training._settings import TrainSettings

if TYPE_CHECKING:
    from accelerate import Accelerator
    from diffusers import StableDiffusionXLPipeline

_PARTS = ("unet", "vae", "text_encoder", "text_encoder_2", "tokenizer", "tokenizer_2", "scheduler")

__all__ = ["autocast", "build_adapter", "frozen_base", "make_accelerator"]


def make_accelerator(settings: TrainSettings) -> Accelerator:
    """Device, processes and, if one is asked for, a tracker.

    Mixed precision is not left to accelerate: its scaler unscales gradients only after they were weighed.

    Raises:
        ValueError: The batch cannot be shared out evenly.
        ImportError: The tracker's package is not installed; names the command that installs it.
    """
    from accelerate import Accelerator
    from accelerate.utils import is_tensorboard_available, is_wandb_available

    installed = {"tensorboard": is_tensorboard_available, "wandb": is_wandb_available}
    if settings.tracker and not installed[settings.tracker]():
        raise ImportError(f"tracker: {settings.tracker} is not installed; pip install {settings.tracker}")
    accelerator = Accelerator(mixed_precision="no", log_with=settings.tracker, project_dir=settings.output)
    parts = accelerator.num_processes * settings.accumulation
    if settings.batch_size % parts:
        raise ValueError(
            f"batch_size: must be a multiple of processes × accumulation = {parts}, got {settings.batch_size}"
        )
    return accelerator


def autocast(settings: TrainSettings, device: torch.device) -> AbstractContextManager[None]:
    """Half precision for what passes through the network, if it is asked for."""
    precision = PRECISIONS[settings.precision]
    return torch.autocast(device.type, dtype=precision, enabled=precision != torch.float32)


def frozen_base(settings: TrainSettings, device: torch.device) -> StableDiffusionXLPipeline:
    """The base on its device: UNet and text encoders in the training precision, the autoencoder in
    float32, because SDXL's overflows in half precision.

    Raises:
        ValueError: The base lacks a part, as a refiner does, or the resolution does not fit it.
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
    for module in (pipeline.unet, pipeline.text_encoder, pipeline.text_encoder_2):
        if module.dtype != PRECISIONS[settings.precision]:
            module.to(PRECISIONS[settings.precision])
    for module in (pipeline.unet, pipeline.text_encoder, pipeline.text_encoder_2, pipeline.vae):
        module.requires_grad_(False)
    pipeline.vae.to(memory_format=torch.channels_last)  # encodes in three quarters of the time
    return pipeline.to(device)


def build_adapter(pipeline: StableDiffusionXLPipeline, settings: TrainSettings) -> Adapter:
    """Freeze the base and put a new adapter on it; its start depends on ``settings.seed`` alone.

    Raises:
        ValueError: The settings don't fit the base, or what they start from does not.
    """
    return ADAPTERS[settings.adapter](pipeline, seed=start_seed(settings.seed), **settings.adapter_options)
