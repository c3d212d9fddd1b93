"""Validation samples: what an adapter draws while it is trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import torch
from PIL import Image

from fairhuman.files import written_whole
from fairhuman.models import prompt_arguments
from fairhuman.seeds import validation_example_generator, validation_generator
from fairhuman.training._encoding import decode_latents

if TYPE_CHECKING:
    from fairhuman.models.adapters import Adapter
    from fairhuman.training._batches import Examples

__all__ = ["write_samples"]


@torch.no_grad()
def write_samples(
    adapter: Adapter,
    examples: Examples,
    folder: Path,
    *,
    count: int,
    seed: int = 0,
    steps: int = 20,
    guidance: float = 5.0,
) -> list[Path]:
    """Draw the first captions of a data set, with their conditions, one PNG each.

    Each image starts from noise that depends on ``seed`` and its place alone, so that files of one name
    show the same image at different stages of a training.

    Args:
        adapter: On its base.
        examples: Whose captions and condition images are used.
        folder: Receives ``000.png`` and so on.
        count: How many, at most as many as there are examples.
        seed: Decides the starting noises.
        steps: Denoising steps.
        guidance: Scale of classifier-free guidance.
    """
    pipeline, paths = adapter.sampler(), []
    pipeline.set_progress_bar_config(disable=True)
    for index in range(min(count, len(examples))):
        encoded = examples.draw(index, validation_example_generator(seed, index)).encoded
        conditions = {name: image[None] / 255 for name, image in encoded.conditions.items()}
        height, width = (int(side) for side in encoded.time_ids[-2:])
        latents = pipeline(
            height=height,
            width=width,
            num_inference_steps=steps,
            guidance_scale=guidance,
            generator=validation_generator(seed, index),
            output_type="latent",
            **prompt_arguments(pipeline, [encoded.caption or ""], chunks=examples.chunks),
            **adapter.arguments(conditions),
        ).images
        pixels = decode_latents(pipeline.vae, latents)[0].permute(1, 2, 0).cpu().numpy()
        path = folder / f"{index:03d}.png"
        with written_whole(path) as partial:
            Image.fromarray((255 * pixels).round().astype("uint8")).save(partial, format="PNG")
        paths.append(path)
    return paths
