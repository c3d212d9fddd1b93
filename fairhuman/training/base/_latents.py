"""From images to normalised latents, once for all."""

from __future__ import annotations

import math

import torch
from diffusers import AutoencoderKL
from torch import Tensor

from fairhuman.training.base._corpus import Corpus, to_pixels
from fairhuman.training.base._state import autocast

_START_DEVIATION = 0.03
"""Of the posterior where channels are reduced, in deviations of the latents; as trained ones have it."""


@torch.no_grad()
def encode_corpus(
    vae: AutoencoderKL, corpus: Corpus, precision: str = "float32", device: str = "cpu", batch: int = 16
) -> Tensor:
    """Mean latents of all images, shape (count, channels, size / 8, size / 8), float32.

    In ``bfloat16`` they are off by less than the width of the encoder's distribution.
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
def reduced_autoencoder(vae: AutoencoderKL, latents: Tensor, into: AutoencoderKL) -> AutoencoderKL:
    """An autoencoder with fewer latent channels, which hold the principal components of another's.

    The linear maps go into the convolutions beside the bottleneck: the encoder's gives the components at unit
    deviation, the decoder's takes them back. Log variances start at one value.

    Args:
        vae: A trained autoencoder.
        latents: Its latents over a sample of images, shape (count, channels, h, w).
        into: Of the same sizes with fewer latent channels; its weights are replaced.
    """
    few = into.config.latent_channels
    cells = latents.double().movedim(1, -1).reshape(-1, latents.shape[1])
    mean, (variances, axes) = cells.mean(0), torch.linalg.eigh(torch.cov(cells.T))
    axes, scales = axes.flip(1)[:, :few], variances.flip(0)[:few].sqrt()
    weights = {name: value.double() for name, value in vae.state_dict().items()}
    # The first half of what the encoder gives is the mean, the second the log variance.
    project = torch.zeros(2 * few, 2 * len(mean), dtype=torch.float64)
    project[:few, : len(mean)] = (axes / scales).T
    centre = project[:few, : len(mean)] @ mean
    spread = torch.full((few,), 2 * math.log(_START_DEVIATION), dtype=torch.float64)
    matrix = project @ weights["quant_conv.weight"][:, :, 0, 0]
    offset = project @ weights["quant_conv.bias"] + torch.cat([-centre, spread])
    kernel, ends = weights["decoder.conv_in.weight"], weights["post_quant_conv.weight"][:, :, 0, 0]
    span, constant = ends @ (axes * scales), ends @ mean + weights["post_quant_conv.bias"]
    # A constant goes before the padding as far as the components span it, and the rest after it.
    before = torch.linalg.lstsq(span, constant[:, None]).solution[:, 0]
    rest = kernel.sum(dim=(2, 3)) @ (constant - span @ before)
    weights |= {
        "encoder.conv_out.weight": torch.einsum("oi,ichw->ochw", matrix, weights["encoder.conv_out.weight"]),
        "encoder.conv_out.bias": matrix @ weights["encoder.conv_out.bias"] + offset,
        "quant_conv.weight": torch.eye(2 * few)[:, :, None, None],
        "quant_conv.bias": torch.zeros(2 * few),
        "post_quant_conv.weight": torch.eye(few)[:, :, None, None],
        "post_quant_conv.bias": before,
        "decoder.conv_in.weight": torch.einsum("ochw,cl->olhw", kernel, span),
        "decoder.conv_in.bias": weights["decoder.conv_in.bias"] + rest,
    }
    into.load_state_dict({name: value.float() for name, value in weights.items()})
    return into


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
