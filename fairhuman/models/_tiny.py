"""A pipeline small enough for tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from fairhuman.models._architecture import Architecture, build_pipeline

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

TINY = Architecture(
    image_size=64,
    latent_channels=4,
    autoencoder_channels=(8, 8, 16, 16),
    unet_channels=(16, 32),
    attention_head_dim=16,
    text_width=32,
    text_layers=2,
    norm_groups=4,
    time_embed_dim=8,
)
"""Sizes of :func:`tiny_pipeline`: about 0.2 million parameters, 64² images, 8×8 latents."""


def tiny_pipeline(
    seed: int = 0, architecture: Architecture = TINY, words: Iterable[str] = ()
) -> StableDiffusionXLPipeline:
    """Build a random ``StableDiffusionXLPipeline`` of the shipped base's classes in a second.

    Args:
        seed: Seed of the weights; the same seed gives the same pipeline.
        architecture: Sizes of the parts.
        words: Words that the tokenizers keep whole; any text can be encoded without them.

    Returns:
        An untrained pipeline for 64² images with latents of shape (4, 8, 8).

    Example:
        >>> pipeline = tiny_pipeline(seed=0)
        >>> pipeline.unet.config.sample_size
        8
    """
    return build_pipeline(architecture, words, seed)
