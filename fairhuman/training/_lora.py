"""A LoRA on the UNet: put on, read out, saved in the layout that ``pipe.load_lora_weights`` reads."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fairhuman.training._random import START, generator
from fairhuman.training._settings import TrainSettings

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel

__all__ = ["LORA_FILE", "add_lora", "load_lora", "save_lora", "trained_parameters"]

LORA_FILE = "pytorch_lora_weights.safetensors"


def add_lora(unet: UNet2DConditionModel, settings: TrainSettings) -> None:
    """Freeze the UNet and put a LoRA on the attention layers that ``settings.targets`` names.

    A starts from a Gaussian of deviation 1 / rank and B from zero, as in diffusers' training scripts, so
    the output is at first the base's. The start depends on ``settings.seed`` alone.

    Raises:
        ValueError: A target matches no layer, or no linear one.
    """
    from diffusers.training_utils import cast_training_params
    from peft import LoraConfig

    linear = [name for name, module in unet.named_modules() if isinstance(module, torch.nn.Linear)]
    for target in settings.targets:
        if not any(name == target or name.endswith(f".{target}") for name in linear):
            raise ValueError(f"targets: no linear layer of the UNet is called {target!r}")
    unet.requires_grad_(False)
    config = LoraConfig(
        r=settings.rank,
        lora_alpha=settings.scaling * settings.rank,
        init_lora_weights="gaussian",
        target_modules=list(settings.targets),
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator(settings.seed, START).initial_seed())
        unet.add_adapter(config)
    cast_training_params(unet, dtype=torch.float32)


def trained_parameters(unet: UNet2DConditionModel) -> dict[str, Tensor]:
    """Name → parameter of everything that is trained, in a fixed order."""
    return {name: parameter for name, parameter in unet.named_parameters() if parameter.requires_grad}


def save_lora(unet: UNet2DConditionModel, folder: Path) -> Path:
    """Write ``pytorch_lora_weights.safetensors`` with rank and alpha in its header, whole or not at all."""
    from diffusers import StableDiffusionXLPipeline
    from diffusers.utils import convert_state_dict_to_diffusers
    from peft.utils import get_peft_model_state_dict

    with tempfile.TemporaryDirectory(dir=folder, prefix=".lora-") as partial:
        StableDiffusionXLPipeline.save_lora_weights(
            partial,
            unet_lora_layers=convert_state_dict_to_diffusers(get_peft_model_state_dict(unet)),
            unet_lora_adapter_metadata=unet.peft_config["default"].to_dict(),
        )
        (Path(partial) / LORA_FILE).replace(folder / LORA_FILE)
    return folder / LORA_FILE


def load_lora(pipeline: StableDiffusionXLPipeline, path: str | os.PathLike[str], name: str = "lora") -> None:
    """Put a trained LoRA on a pipeline, in place of any other.

    The same as diffusers' ``pipeline.load_lora_weights``, with errors that say what is wrong.

    Args:
        pipeline: The base the LoRA was trained on.
        path: A run's folder or a safetensors file.
        name: What the adapter is called on the pipeline.

    Raises:
        FileNotFoundError: No such file, or a run that is not complete.
        ValueError: It does not fit this base.
    """
    file = Path(path) / LORA_FILE if Path(path).is_dir() else Path(path)
    if not file.is_file():
        raise FileNotFoundError(f"LoRA: no such file: {file}")
    pipeline.unload_lora_weights()
    try:
        state, alphas, metadata = pipeline.lora_state_dict(
            str(file.parent), weight_name=file.name, use_safetensors=True, return_lora_metadata=True
        )
        pipeline.load_lora_into_unet(
            state, alphas, pipeline.unet, adapter_name=name, metadata=metadata, _pipeline=pipeline
        )
    except (RuntimeError, ValueError, KeyError) as error:
        pipeline.unload_lora_weights()
        raise ValueError(f"LoRA: {file} does not fit this base: {error}") from error
