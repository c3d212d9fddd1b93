"""Merge a LoRA into a base, for inference without extra cost."""

from __future__ import annotations

import math
import os
from pathlib import Path

from fairhuman.files import written_whole
from fairhuman.models._base import load_base
from fairhuman.models._quiet import quiet
from fairhuman.models._single_file import is_single_file, save_single_file

__all__ = ["fuse"]

_CARD = """---
library_name: diffusers
tags: [fairhuman, stable-diffusion-xl]
---

# A Stable Diffusion XL pipeline with a LoRA merged in

Base: {base}. LoRA: {lora}, at strength {scale:g}. The merged LoRA cannot be removed or reweighted.
The result is subject to the base's licence and limitations.
"""


def fuse(
    lora: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    base: str | os.PathLike[str] | None = None,
    scale: float = 1.0,
) -> Path:
    """Add β·B A to the base's weights and save the whole pipeline.

    Args:
        lora: A run's folder or a LoRA file.
        out: New or empty folder for the merged base; or a new ``.safetensors`` file, written in SDXL's
            original layout. The write is atomic.
        base: The base the LoRA was trained on; ``None`` selects the embedded base.
        scale: β of Eq. 12.

    Returns:
        The folder or file, readable by :func:`load_base` and plain diffusers.

    Raises:
        FileNotFoundError: The LoRA or base does not exist.
        ValueError: The adapter is not a LoRA or is for another base, the strength is not finite, the folder
            is not empty, or the file exists.
    """
    from fairhuman.models.adapters import LoRA, adapter_kind, load_lora

    if not math.isfinite(scale):
        raise ValueError(f"scale: must be finite, got {scale}")
    kind = adapter_kind(lora)
    if kind is not LoRA:
        raise ValueError(f"fuse: only a LoRA can be merged into a base, {lora} is a {kind.kind}")
    out = Path(out)
    if is_single_file(out) and (out.exists() or out.suffix != ".safetensors"):
        raise ValueError(f"out: must be a new file that ends in .safetensors, got {str(out)!r}")
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"out: must be absent or an empty folder, {out} is not")
    pipeline = load_base(base)
    load_lora(pipeline, lora)
    dora = any(config.use_dora for config in pipeline.unet.peft_config.values())
    if dora and scale != 1:
        raise ValueError(f"scale: must be 1 for a DoRA, whose magnitudes do not scale, got {scale:g}")
    pipeline.fuse_lora(lora_scale=scale)
    pipeline.unload_lora_weights()
    if is_single_file(out):
        return save_single_file(pipeline, out)
    with written_whole(out) as partial, quiet():
        pipeline.save_pretrained(partial, safe_serialization=True)
        local = base is not None and Path(base).exists()
        name = Path(base).name if local else base or "the base embedded in fairhuman"
        facts = {"base": name, "lora": Path(lora).name, "scale": scale}
        (partial / "README.md").write_text(_CARD.format(**facts), encoding="utf-8")
    return out
