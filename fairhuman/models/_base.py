"""Loading a base model: the shipped miniature, a folder, one file, or a hub's repository."""

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
"""Folder of the miniature that is shipped with the package, in the layout of diffusers."""


def load_base(
    path: str | os.PathLike[str] | None = None,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> StableDiffusionXLPipeline:
    """Load a Stable Diffusion XL pipeline; only safetensors are read.

    Args:
        path: A folder in the layout of diffusers, also one of fp16 files alone; a safetensors file in SDXL's
            original layout (its configurations and tokenizers then come from the folder that the environment
            variable ``FAIRHUMAN_SDXL`` names, or from the hub's cache); or a repository name such as
            ``stabilityai/stable-diffusion-xl-base-1.0``. ``None`` is the miniature shipped with
            the package.
        dtype: Type of the weights in memory, whatever it is on disk.
        device: Where to put the pipeline.

    Returns:
        The pipeline with its modules in evaluation mode and its progress bar off.

    Raises:
        FileNotFoundError: If ``path`` looks like a folder but holds no ``model_index.json``; or there is no
            such file, or nothing to take its tokenizers from.
        ValueError: The file is no SDXL base, or the folder one of an earlier Stable Diffusion.
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
            f"base: {source} lacks the part text_encoder_2: it is no Stable Diffusion XL pipeline"
        )
    return pipeline


def bare_parts(path: str | os.PathLike[str] | None = None) -> dict[str, torch.nn.Module]:
    """UNet and text encoders of a base without their weights, which takes neither time nor memory.

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
            "base: must be a folder that holds model_index.json, a .safetensors file or a hub's repository, "
            f"got {str(source)!r}"
        )


def _variant(source: str | os.PathLike[str]) -> str | None:
    """``fp16`` for a folder whose UNet is there in these files alone."""
    files = [path.name for path in Path(source).glob("unet/*.safetensors")]
    return "fp16" if files and all(".fp16." in name for name in files) else None


def _looks_local(source: str | os.PathLike[str]) -> bool:
    """A repository name is ``owner/name``, relative, with one slash, and no such folder exists."""
    if not isinstance(source, str) or Path(source).exists():
        return True
    return source.startswith((".", "/", "~")) or source.count("/") != 1
