"""Identifiers of systems that change with anything that affects their images."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from fairhuman.results import plain

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

    from fairhuman.models.adapters import Adapter


def fingerprint(pipeline: StableDiffusionXLPipeline, *settings: Any, adapter: Adapter | None = None) -> str:
    """Twelve-digit hexadecimal digest of a pipeline's weights (including adapters), scheduler and settings.

    A sample folder named by it is reused as long as nothing has changed, so that images of an earlier LoRA
    are never mistaken for those of a later one.

    Args:
        pipeline: The base with any loaded adapter.
        adapter: A separate network, which is not part of the pipeline's weights.
        settings: Other JSON values that affect the images: prompts, steps, guidance.

    Raises:
        TypeError: A setting cannot be stored as JSON.
    """
    import torch

    digest = hashlib.sha256(json.dumps(plain(settings), sort_keys=True).encode())
    digest.update(json.dumps(plain(dict(pipeline.scheduler.config)), sort_keys=True, default=str).encode())
    modules = {name: getattr(pipeline, name) for name in ("unet", "vae", "text_encoder", "text_encoder_2")}
    beside = getattr(adapter, "network", None)
    if adapter is not None and beside is not None:
        modules[adapter.kind] = beside
    for name, module in modules.items():
        for key, tensor in sorted(module.state_dict().items()):
            digest.update(f"{name}.{key} {tuple(tensor.shape)} {tensor.dtype}".encode())
            digest.update(tensor.detach().cpu().contiguous().view(-1).view(torch.uint8).numpy())
    return digest.hexdigest()[:12]
