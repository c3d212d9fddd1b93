"""Encoding of images and captions as latents and text embeddings."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

from fairhuman.models import encode_texts

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, StableDiffusionXLPipeline

__all__ = [
    "Encodings",
    "LatentDistribution",
    "TextEmbedding",
    "decode_latents",
    "encode_image",
    "encode_prompt",
]


class LatentDistribution(NamedTuple):
    """The encoder's Gaussian over a latent, in the UNet's scale; each of shape (c, h, w)."""

    mean: Tensor
    deviation: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """Sample a latent, given standard normal noise of the same shape."""
        return self.mean + self.deviation * noise


class TextEmbedding(NamedTuple):
    """SDXL's two encodings of a prompt.

    Attributes:
        tokens: Shape (chunks × tokens, width): both encoders' penultimate states, concatenated.
        pooled: Shape (width,): the second encoder's pooled projection.
    """

    tokens: Tensor
    pooled: Tensor


@dataclass
class Encodings:
    """In-memory cache of latents and text embeddings for one base and precision. Keys are an image's file,
    size and transform, or a text and its number of chunks."""

    latents: dict[tuple[Any, ...], LatentDistribution] = field(default_factory=dict)
    texts: dict[tuple[str | None, int], TextEmbedding] = field(default_factory=dict)


@torch.no_grad()
def encode_image(vae: AutoencoderKL, pixels: Tensor) -> LatentDistribution:
    """Encode one image, shape (3, H, W) in [-1, 1]. Images are encoded one at a time, so that latents do not
    depend on the batch, and in the autoencoder's precision, even inside an autocast."""
    like = next(vae.parameters())  # vae.device walks through every module, for 1 ms
    with torch.autocast(like.device.type, enabled=False):  # SDXL's overflows in half precision
        distribution = vae.encode(pixels[None].to(like)).latent_dist
    scale, shift = _normalisation(vae, like.device)
    return LatentDistribution(
        ((distribution.mean[0] - shift) * scale).float().cpu(), (distribution.std[0] * scale).float().cpu()
    )


@torch.no_grad()
def decode_latents(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Decode latents in the UNet's scale to images of shape (batch, 3, H, W) with values in [0, 1], in the
    autoencoder's precision."""
    like = next(vae.parameters())
    scale, shift = _normalisation(vae, like.device)
    with torch.autocast(like.device.type, enabled=False):
        images = vae.decode(latents.to(like) / scale + shift).sample
    return (images.float() / 2 + 0.5).clamp(0, 1)


def _normalisation(vae: AutoencoderKL, device: torch.device) -> tuple[Tensor | float, Tensor]:
    """Factor and preceding shift applied to the encoder's output: the inverse of the pipeline's operation
    before decoding."""
    scale, shift = vae.config.scaling_factor, torch.zeros((), device=device)
    mean, std = (getattr(vae.config, f"latents_{name}", None) for name in ("mean", "std"))
    if mean is not None and std is not None:
        shift = torch.tensor(mean, device=device).view(-1, 1, 1)
        scale = scale / torch.tensor(std, device=device).view(-1, 1, 1)
    return scale, shift


@torch.no_grad()
def encode_prompt(pipeline: StableDiffusionXLPipeline, text: str | None, chunks: int = 1) -> TextEmbedding:
    """Encode one caption as :func:`fairhuman.models.encode_texts` does, even inside an autocast, without the
    text encoders' LoRA, if any."""
    encoders = pipeline.text_encoder, pipeline.text_encoder_2
    with torch.autocast(encoders[0].device.type, enabled=False), _bare(encoders[0]), _bare(encoders[1]):
        tokens, pooled = encode_texts(pipeline, [text], chunks)
    return TextEmbedding(tokens[0].cpu(), pooled[0].cpu())


@contextmanager
def _bare(encoder: Any) -> Iterator[None]:
    adapted = bool(getattr(encoder, "peft_config", None))
    if adapted:
        encoder.disable_adapters()
    try:
        yield
    finally:
        if adapted:
            encoder.enable_adapters()
