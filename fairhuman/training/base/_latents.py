"""From images to normalised latents, once for all."""

from __future__ import annotations

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from fairhuman.training.base._corpus import Corpus, to_pixels
from fairhuman.training.base._state import autocast


@torch.no_grad()
def encode_corpus(
    vae: AutoencoderKL, corpus: Corpus, precision: str = "float32", device: str = "cpu", batch: int = 16
) -> Tensor:
    """Mean latents of all images, shape (count, channels, size / 8, size / 8), float32.

    In ``bfloat16`` they are off by less than what the encoder's own distribution is wide.
    """
    vae.to(device).eval()
    with autocast(precision, device):
        means = [
            vae.encode(to_pixels(images).to(device)).latent_dist.mean.cpu()
            for images in corpus.images.split(batch)
        ]
    vae.cpu()
    return torch.cat(means).float()


@torch.no_grad()
def normalise_latents(vae: AutoencoderKL, latents: Tensor) -> Tensor:
    """Give each latent channel zero mean and unit deviation by changing the autoencoder's weights.

    The affine map goes into the two 1 × 1 convolutions at the bottleneck, so that ``scaling_factor`` is 1
    and nothing else needs to know. (``latents_mean`` and ``latents_std`` of the configuration would do it
    for four channels only: the pipeline reshapes them so.)

    Args:
        vae: Changed in place.
        latents: Its latents over the training set, shape (count, channels, h, w).

    Returns:
        The normalised latents.
    """
    mean, std = latents.mean(dim=(0, 2, 3)), latents.std(dim=(0, 2, 3)).clamp(min=1e-6)
    channels = len(mean)
    into, out = vae.quant_conv, vae.post_quant_conv
    # Decoder: its 1 × 1 convolution saw z, now it is given (z − mean) / std.
    out.bias += out.weight[:, :, 0, 0] @ mean
    out.weight *= std.view(1, -1, 1, 1)
    # Encoder: the first half of the channels is the mean, the second the log variance.
    into.weight[:channels] /= std.view(-1, 1, 1, 1)
    into.bias[:channels] = (into.bias[:channels] - mean) / std
    into.bias[channels:] -= 2 * std.log()
    vae.register_to_config(scaling_factor=1.0)
    return (latents - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)
