"""From images and captions to what the UNet sees: latents and text embeddings."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch import Tensor

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, StableDiffusionXLPipeline
    from transformers import CLIPTokenizer

__all__ = [
    "Encodings",
    "LatentDistribution",
    "TextEmbedding",
    "decode_latents",
    "encode_image",
    "encode_prompt",
]

logger = logging.getLogger(__name__)


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
    depend on its batch, and in the autoencoder's precision, also inside an autocast."""
    like = next(vae.parameters())  # vae.device walks through every module, for 1 ms
    with torch.autocast(like.device.type, enabled=False):  # SDXL's overflows in half precision
        distribution = vae.encode(pixels[None].to(like)).latent_dist
    scale, shift = _normalisation(vae, like.device)
    return LatentDistribution(
        ((distribution.mean[0] - shift) * scale).float().cpu(), (distribution.std[0] * scale).float().cpu()
    )


@torch.no_grad()
def decode_latents(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Images of latents in the UNet's scale, shape (batch, 3, H, W), values in [0, 1], decoded in the
    autoencoder's precision."""
    like = next(vae.parameters())
    scale, shift = _normalisation(vae, like.device)
    with torch.autocast(like.device.type, enabled=False):
        images = vae.decode(latents.to(like) / scale + shift).sample
    return (images.float() / 2 + 0.5).clamp(0, 1)


def _normalisation(vae: AutoencoderKL, device: torch.device) -> tuple[Tensor | float, Tensor]:
    """Factor on, and shift before it of, what the encoder gives: the inverse of what the pipeline does before
    it decodes."""
    scale, shift = vae.config.scaling_factor, torch.zeros((), device=device)
    mean, std = (getattr(vae.config, f"latents_{name}", None) for name in ("mean", "std"))
    if mean is not None and std is not None:
        shift = torch.tensor(mean, device=device).view(-1, 1, 1)
        scale = scale / torch.tensor(std, device=device).view(-1, 1, 1)
    return scale, shift


@torch.no_grad()
def encode_prompt(pipeline: StableDiffusionXLPipeline, text: str) -> TextEmbedding:
    """Encode one caption, to what the pipeline's method gives, also inside an autocast, without any LoRA that
    the text encoders carry. That method tokenises twice, to see whether a text was too long."""
    states, pooled = [], None
    for tokenizer, encoder in (
        (pipeline.tokenizer, pipeline.text_encoder),
        (pipeline.tokenizer_2, pipeline.text_encoder_2),
    ):
        tokens = _tokens(tokenizer, pipeline.maybe_convert_prompt(text, tokenizer)).to(encoder.device)
        with torch.autocast(encoder.device.type, enabled=False), _bare(encoder):
            output = encoder(tokens, output_hidden_states=True)
        states.append(output.hidden_states[-2][0])
        pooled = output[0][0]
    return TextEmbedding(torch.cat(states, dim=-1).cpu(), pooled.cpu())


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


def _tokens(tokenizer: CLIPTokenizer, text: str) -> Tensor:
    """Token numbers of a text, shape (1, the tokenizer's length), padded or cut."""
    length = tokenizer.model_max_length
    found = tokenizer(text, padding="max_length", max_length=length, return_tensors="pt").input_ids
    if found.shape[1] <= length:
        return found
    cut = tokenizer(text, truncation=True, max_length=length, return_tensors="pt").input_ids
    lost = tokenizer.decode(found[0, length - 1 : -1])
    logger.warning("caption cut to %d tokens, without its end %r", length, lost)
    return cut
