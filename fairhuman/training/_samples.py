"""Validation samples generated during training."""

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
    """Generate images for the first captions of a data set, with their conditions, one PNG each.

    Each image's initial noise depends only on ``seed`` and its index, so that files with the same name are
    comparable across training.

    Args:
        adapter: The adapter on its base.
        examples: Provide captions and condition images.
        folder: Receives ``000.png`` and so on.
        count: Number of images, at most the number of examples.
        seed: Seed of the initial noise.
        steps: Denoising steps.
        guidance: Classifier-free guidance scale.
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
