"""Load a base model: the embedded base, a folder, a single file, or a hub repository."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from fairhuman.models._quiet import quiet
from fairhuman.models._single_file import is_single_file, load_single_file, single_file_parts

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

EMBEDDED = Path(__file__).parent / "embedded"
"""Folder of the embedded base, in diffusers' layout."""


def load_base(
    path: str | os.PathLike[str] | None = None,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> StableDiffusionXLPipeline:
    """Load a Stable Diffusion XL pipeline; only safetensors files are read.

    Args:
        path: A folder in diffusers' layout, including one with only fp16 files; a safetensors file in SDXL's
            original layout (configurations and tokenizers then come from the folder in the environment
            variable ``FAIRHUMAN_SDXL``, or from the hub's cache); or a repository name such as
            ``stabilityai/stable-diffusion-xl-base-1.0``. ``None`` selects the embedded base.
        dtype: Type of the weights in memory, independent of the type on disk.
        device: Device of the pipeline.

    Returns:
        The pipeline, in evaluation mode and without progress bar.

    Raises:
        FileNotFoundError: ``path`` looks like a folder but has no ``model_index.json``, the file does not
            exist, or no tokenizers are available for it.
        ValueError: The file is not an SDXL base, or the folder is an earlier Stable Diffusion model.
    """
    source = EMBEDDED if path is None else path
    with quiet():
        pipeline = (load_single_file if is_single_file(source) else _load_folder)(source, dtype)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def _load_folder(source: str | os.PathLike[str], dtype: torch.dtype) -> StableDiffusionXLPipeline:
    """The pipeline of a folder or a repository."""
    from diffusers import StableDiffusionXLPipeline

    _check_folder(source)
    pipeline = StableDiffusionXLPipeline.from_pretrained(
        str(source), dtype=dtype, use_safetensors=True, add_watermarker=False, variant=_variant(source)
    )
    if pipeline.text_encoder_2 is None or pipeline.tokenizer_2 is None:
        raise ValueError(
            f"base: {source} lacks the part text_encoder_2: it is not a Stable Diffusion XL pipeline"
        )
    return pipeline


def bare_parts(path: str | os.PathLike[str] | None = None) -> dict[str, torch.nn.Module]:
    """UNet and text encoders of a base without weights, at negligible time and memory.

    Args:
        path: As for :func:`load_base`.

    Returns:
        ``unet``, ``text_encoder`` and ``text_encoder_2``, on the meta device.

    Raises:
        FileNotFoundError: As for :func:`load_base`.
    """
    from diffusers import UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTextModel, CLIPTextModelWithProjection

    source = EMBEDDED if path is None else path
    if is_single_file(source):
        source = single_file_parts()
    _check_folder(source)
    classes = {"text_encoder": CLIPTextModel, "text_encoder_2": CLIPTextModelWithProjection}
    with quiet(), torch.device("meta"):
        parts: dict[str, torch.nn.Module] = {
            "unet": UNet2DConditionModel.from_config(
                UNet2DConditionModel.load_config(str(source), subfolder="unet")
            )
        }
        for name, kind in classes.items():
            parts[name] = kind(CLIPTextConfig.from_pretrained(source, subfolder=name))
    return parts


def _check_folder(source: str | os.PathLike[str]) -> None:
    if _looks_local(source) and not (Path(source) / "model_index.json").is_file():
        raise FileNotFoundError(
            "base: must be a folder with model_index.json, a .safetensors file or a hub repository, "
            f"got {str(source)!r}"
        )


def _variant(source: str | os.PathLike[str]) -> str | None:
    """``fp16`` for a folder that has its UNet only in fp16 files."""
    files = [path.name for path in Path(source).glob("unet/*.safetensors")]
    return "fp16" if files and all(".fp16." in name for name in files) else None


def _looks_local(source: str | os.PathLike[str]) -> bool:
    """A repository name is ``owner/name``, relative, with one slash, and no such folder exists."""
    if not isinstance(source, str) or Path(source).exists():
        return True
    return source.startswith((".", "/", "~")) or source.count("/") != 1
