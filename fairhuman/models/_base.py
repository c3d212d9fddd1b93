"""Loading a base model: the shipped miniature, a folder, or a hub's repository."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch

from fairhuman.models._quiet import quiet

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

EMBEDDED = Path(__file__).parent / "embedded"
"""Folder of the miniature that is shipped with the package, in the layout of diffusers."""


def load_base(
    path: str | Path | None = None,
    dtype: torch.dtype = torch.float32,
    device: str | torch.device = "cpu",
) -> StableDiffusionXLPipeline:
    """Load a Stable Diffusion XL pipeline; only safetensors are read.

    Args:
        path: A folder in the layout of diffusers, or a repository name such as
            ``stabilityai/stable-diffusion-xl-base-1.0``. ``None`` is the miniature shipped with
            the package.
        dtype: Type of the weights in memory, whatever it is on disk.
        device: Where to put the pipeline.

    Returns:
        The pipeline with its modules in evaluation mode and its progress bar off.

    Raises:
        FileNotFoundError: If ``path`` looks like a folder but holds no ``model_index.json``.
    """
    source = EMBEDDED if path is None else path
    if _looks_local(source) and not (Path(source) / "model_index.json").is_file():
        raise FileNotFoundError(f"path must be a folder that holds model_index.json, got {str(source)!r}")
    with quiet():
        from diffusers import StableDiffusionXLPipeline

        pipeline = StableDiffusionXLPipeline.from_pretrained(
            str(source), dtype=dtype, use_safetensors=True, add_watermarker=False
        )
    pipeline.set_progress_bar_config(disable=True)
    return pipeline.to(device)


def _looks_local(source: str | Path) -> bool:
    """A repository name is ``owner/name``, relative, with one slash, and no such folder exists."""
    if isinstance(source, Path) or Path(source).exists():
        return True
    return source.startswith((".", "/", "~")) or source.count("/") != 1
