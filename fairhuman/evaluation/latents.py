"""How learnable an autoencoder's latents are: spectrum, symmetry and reconstruction.

High frequencies and a lack of mirror symmetry make latents harder to learn for the denoiser, and are
invisible in reconstructions (Skorokhodov et al., 2025; Kouzelis et al., 2025).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor

__all__ = ["components_for", "high_frequency_share", "mirror_error", "psnr", "scaled"]


def high_frequency_share(latents: Tensor, cycles: float = 0.25) -> float:
    """Fraction of the latents' energy above a spatial frequency, excluding constant parts.

    Args:
        latents: Shape (count, channels, h, w).
        cycles: Radial frequency in cycles per cell, in (0, √½]; white noise has 1 − π/16 = 0.80 above ¼.

    >>> wave = torch.cos(torch.arange(32) * 2 * torch.pi * 12 / 32).expand(1, 1, 32, 32)
    >>> round(high_frequency_share(wave), 6)
    1.0
    """
    power = torch.fft.fft2(latents.double() - latents.double().mean((2, 3), keepdim=True)).abs().square()
    rows, columns = (torch.fft.fftfreq(size, dtype=torch.float64) for size in latents.shape[-2:])
    radius = torch.hypot(rows[:, None], columns[None, :])
    return float(power[..., radius > cycles].sum() / power.sum())


def mirror_error(mirrored: Tensor, latents: Tensor) -> float:
    """Error of the latents of mirrored images against mirrored latents, relative to unrelated codes.

    The root of the mean squared difference over twice the channels' variance: 0 for an equivariant encoder, 1
    for two independent codes of the same distribution.

    Args:
        mirrored: Latents of the mirror images, shape (count, channels, h, w).
        latents: Latents of the images themselves.

    >>> latents = torch.randn(4, 2, 8, 8, generator=torch.Generator().manual_seed(0))
    >>> mirror_error(latents.flip(-1), latents)
    0.0
    """
    variance = latents.double().var(dim=(0, 2, 3))
    squared = (mirrored.double() - latents.double().flip(-1)).square().mean(dim=(0, 2, 3))
    return float((squared / (2 * variance)).mean().sqrt())


def components_for(latents: Tensor, share: float = 0.98) -> int:
    """Number of principal components of the channels that explain a given fraction of a cell's variance."""
    cells = latents.double().movedim(1, -1).reshape(-1, latents.shape[1])
    variances = torch.linalg.eigvalsh(torch.cov(cells.T)).flip(0)
    return int((variances.cumsum(0) / variances.sum() < share).sum()) + 1


def psnr(restored: Tensor, pixels: Tensor) -> float:
    """Mean over images of the peak signal-to-noise ratio in dB; images in [−1, 1]."""
    errors = (restored.clamp(-1, 1) - pixels).double().square().mean(dim=(1, 2, 3)).clamp(min=1e-12)
    return float((10 * torch.log10(4 / errors)).mean())


def scaled(images: Tensor, factor: float) -> Tensor:
    """Images or latents at another size, bilinear, without aliasing."""
    size = [math.floor(side * factor) for side in images.shape[-2:]]
    return F.interpolate(images, size=size, mode="bilinear", antialias=True)
