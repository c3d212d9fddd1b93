"""From images and captions to what the UNet sees: latents and text embeddings."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

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
    """The encoder's Gaussian over a latent, in the scale the UNet works in; each shape (c, h, w)."""

    mean: Tensor
    deviation: Tensor

    def sample(self, noise: Tensor) -> Tensor:
        """A latent, given standard normal noise of the same shape."""
        return self.mean + self.deviation * noise


class TextEmbedding(NamedTuple):
    """SDXL's two views of a prompt.

    Attributes:
        tokens: Shape (tokens, width): both encoders' penultimate states side by side.
        pooled: Shape (width,): the second encoder's pooled projection.
    """

    tokens: Tensor
    pooled: Tensor


@dataclass
class Encodings:
    """Latents and text embeddings of one base in one precision, kept in memory: by an image's file, size and
    transform, and by the text."""

    latents: dict[tuple[Any, ...], LatentDistribution] = field(default_factory=dict)
    texts: dict[str, TextEmbedding] = field(default_factory=dict)


@torch.no_grad()
def encode_image(vae: AutoencoderKL, pixels: Tensor) -> LatentDistribution:
    """Encode one image, shape (3, H, W) in [-1, 1]. One at a time, so that an image's latent does not
    depend on its batch, and in the autoencoder's own precision, also inside an autocast."""
    image = pixels[None].to(vae.device, vae.dtype)
    with torch.autocast(vae.device.type, enabled=False):  # SDXL's overflows in half precision
        distribution = vae.encode(image).latent_dist
    scale, shift = _normalisation(vae)
    return LatentDistribution(
        ((distribution.mean[0] - shift) * scale).float().cpu(), (distribution.std[0] * scale).float().cpu()
    )


@torch.no_grad()
def decode_latents(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Images of latents in the UNet's scale, shape (batch, 3, H, W), values in [0, 1], decoded in the
    autoencoder's own precision."""
    scale, shift = _normalisation(vae)
    with torch.autocast(vae.device.type, enabled=False):
        images = vae.decode(latents.to(vae.device, vae.dtype) / scale + shift).sample
    return (images.float() / 2 + 0.5).clamp(0, 1)


def _normalisation(vae: AutoencoderKL) -> tuple[Tensor | float, Tensor]:
    """Factor on, and shift before it of, what the encoder gives: the inverse of what the pipeline does before
    it decodes."""
    scale, shift = vae.config.scaling_factor, torch.zeros((), device=vae.device)
    mean, std = (getattr(vae.config, f"latents_{name}", None) for name in ("mean", "std"))
    if mean is not None and std is not None:
        shift = torch.tensor(mean, device=vae.device).view(-1, 1, 1)
        scale = scale / torch.tensor(std, device=vae.device).view(-1, 1, 1)
    return scale, shift


@torch.no_grad()
def encode_prompt(pipeline: StableDiffusionXLPipeline, text: str) -> TextEmbedding:
    """Encode one caption, as the pipeline itself does when it samples, also inside an autocast."""
    device = pipeline.text_encoder.device  # the pipeline would search every module of its for it
    with torch.autocast(device.type, enabled=False):
        tokens, _, pooled, _ = pipeline.encode_prompt(text, device=device, do_classifier_free_guidance=False)
    return TextEmbedding(tokens[0].cpu(), pooled[0].cpu())
