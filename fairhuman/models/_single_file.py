"""Read and write a base as one safetensors file in SDXL's original layout, as on model sites."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from fairhuman.files import written_whole
from fairhuman.models._original import TEXT_PREFIXES, original_state

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

__all__ = ["PARTS", "is_single_file", "load_single_file", "save_single_file", "single_file_parts"]

PARTS = "FAIRHUMAN_SDXL"
"""Environment variable with the diffusers folder that provides configurations and tokenizers."""

SDXL = "stabilityai/stable-diffusion-xl-base-1.0"

_MARKS = {"v_pred": ("prediction_type", "v_prediction"), "ztsnr": ("rescale_betas_zero_snr", True)}
"""Name of an empty tensor → the scheduler setting it indicates."""

_FAMILIES = {
    "Stable Diffusion 3": "model.diffusion_model.joint_blocks.",
    "FLUX": "double_blocks.",
    "Stable Diffusion 1": "cond_stage_model.transformer.",
    "Stable Diffusion 2": "cond_stage_model.model.",
    "a LoRA": "lora",
    "SDXL's refiner": "conditioner.embedders.0.model.",
    "an autoencoder alone": "decoder.",
    "a UNet alone, in diffusers' layout": "down_blocks.",
    "a text encoder alone": "text_model.",
}
"""Other checkpoint kinds, each with part of a tensor name that only it has."""


def is_single_file(path: str | os.PathLike[str]) -> bool:
    """Whether a base is a single file rather than a folder or a repository."""
    return str(path).endswith((".safetensors", ".ckpt", ".pt")) and not Path(path).is_dir()


def load_single_file(path: str | os.PathLike[str], dtype: torch.dtype) -> StableDiffusionXLPipeline:
    """Load a pipeline from a single file, without downloads.

    Args:
        path: A safetensors file with UNet, autoencoder and both text encoders in SDXL's original layout.
        dtype: Type of the weights in memory.

    Raises:
        FileNotFoundError: No such file, or no folder with configurations and tokenizers.
        ValueError: The file is of another kind, incomplete, or does not fit the configurations.
    """
    from diffusers import StableDiffusionXLPipeline

    file = Path(path)
    names = _checked_names(file)
    parts = single_file_parts()
    try:
        encoders = _text_encoders(file, parts, dtype)
        pipeline = StableDiffusionXLPipeline.from_single_file(
            str(file),
            config=str(parts),
            dtype=dtype,
            local_files_only=True,
            add_watermarker=False,
            **encoders,
        )
    except (RuntimeError, ValueError, KeyError, OSError) as error:
        raise ValueError(f"base: {file} does not fit the configurations in {parts}: {error}") from error
    if told := {name: value for mark, (name, value) in _MARKS.items() if mark in names}:
        pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config, **told)
    for name in ("unet", "vae", "text_encoder", "text_encoder_2"):
        empty = [key for key, tensor in getattr(pipeline, name).state_dict().items() if tensor.is_meta]
        if empty:
            raise ValueError(f"base: {file} must hold the whole {name}, {empty[0]} is missing")
    return pipeline


def save_single_file(pipeline: StableDiffusionXLPipeline, path: str | os.PathLike[str]) -> Path:
    """Write a pipeline's weights as one file in SDXL's original layout, whole or not at all."""
    path = Path(path)
    metadata = {"modelspec.architecture": "stable-diffusion-xl-v1-base", "modelspec.title": path.stem}
    state, schedule = original_state(pipeline), pipeline.scheduler.config
    # As ComfyUI and others mark a base whose schedule is not SDXL's own.
    for mark, (name, value) in _MARKS.items():
        if schedule.get(name) == value:
            state[mark] = torch.zeros(0)
    with written_whole(path) as partial:
        save_file(state, partial, metadata=metadata)
    return path


def single_file_parts() -> Path:
    """The folder that configurations and tokenizers come from: the one that ``FAIRHUMAN_SDXL`` names, or what
    the hub's cache holds of SDXL's repository.

    Raises:
        FileNotFoundError: There is neither.
    """
    named = os.environ.get(PARTS)
    if named:
        if not (Path(named) / "model_index.json").is_file():
            raise FileNotFoundError(f"{PARTS}: must name a folder that holds model_index.json, got {named!r}")
        return Path(named)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import LocalEntryNotFoundError

    try:
        return Path(snapshot_download(SDXL, local_files_only=True))
    except LocalEntryNotFoundError:
        raise FileNotFoundError(
            "base: a single file lacks configurations and tokenizers. Name a folder that has them, any SDXL "
            f"base in diffusers' layout, in the environment variable {PARTS}; or fetch them once: "
            f"hf download {SDXL} --include '*.json' '*.txt'"
        ) from None


def _checked_names(file: Path) -> list[str]:
    """The names of a file's tensors, which must be those of an SDXL base."""
    if not file.is_file():
        raise FileNotFoundError(f"base: no such file: {file}")
    if file.suffix != ".safetensors":
        raise ValueError(f"base: a single file must be .safetensors, which runs no code, got {file.name!r}")
    try:
        with safe_open(file, "pt") as content:
            names = list(content.keys())
    except SafetensorError as error:
        raise ValueError(f"base: cannot read {file}: {error}") from error
    needed = ["model.diffusion_model.label_emb.", "first_stage_model.", *TEXT_PREFIXES.values()]
    absent = [prefix for prefix in needed if not any(name.startswith(prefix) for name in names)]
    if not absent:
        return names
    for family, mark in _FAMILIES.items():
        if any(mark in name for name in names):
            raise ValueError(f"base: {file} must hold an SDXL base, it is {family}")
    raise ValueError(f"base: {file} must hold an SDXL base in its original layout, no tensor is {absent[0]}…")


def _text_encoders(file: Path, parts: Path, dtype: torch.dtype) -> dict[str, Any]:
    """Both text encoders by their place in the file; diffusers tells them apart by their width, which may be
    the same."""
    from diffusers.loaders.single_file_utils import convert_ldm_clip_checkpoint, convert_open_clip_checkpoint
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    classes = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}
    found = {}
    with safe_open(file, "pt") as content:
        for name, prefix in TEXT_PREFIXES.items():
            model = classes[name](CLIPTextConfig.from_pretrained(parts, subfolder=name))
            state = {key: content.get_tensor(key) for key in content.keys() if key.startswith(prefix)}  # noqa: SIM118
            if name == "text_encoder":
                state = convert_ldm_clip_checkpoint(state, prefix)
            else:
                state = convert_open_clip_checkpoint(model, state, prefix)
            if not hasattr(model, "text_model"):  # as transformers has it since 5.6
                state = {key.removeprefix("text_model."): tensor for key, tensor in state.items()}
            wanted = model.state_dict()
            missing = sorted(set(wanted) - set(state))
            if missing:
                raise ValueError(f"{name} lacks {missing[0]}")
            model.load_state_dict({key: state[key] for key in wanted})
            found[name] = model.to(dtype).eval()
    return found
