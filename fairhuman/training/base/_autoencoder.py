"""Training of the autoencoder on crops of faces, hands and everything else."""

from __future__ import annotations

import time
from pathlib import Path

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKL
from torch import Tensor
from tqdm import tqdm

from fairhuman.models import build_autoencoder
from fairhuman.seeds import START, generator
from fairhuman.training._run import Log
from fairhuman.training.base._corpus import Corpus
from fairhuman.training.base._crops import draw_views, resized
from fairhuman.training.base._optimizers import Optimizers
from fairhuman.training.base._settings import AutoencoderSettings, BaseSettings
from fairhuman.training.base._state import Average, autocast, load_state, rate, save_state, set_rate


def train_autoencoder(
    corpus: Corpus,
    settings: BaseSettings,
    folder: Path,
    progress: bool = True,
    *,
    start: AutoencoderKL | None = None,
    chosen: AutoencoderSettings | None = None,
) -> AutoencoderKL:
    """Train the autoencoder, or resume an interrupted training.

    The loss is the absolute error of pixels and of their finite differences, heavier inside the boxes of
    faces and hands, plus a light Kullback-Leibler term. No adversarial or perceptual network: there is
    none that needs no download, and renders have little texture to hallucinate.

    Args:
        corpus: The training images.
        settings: The run.
        folder: Where ``log.jsonl`` and ``checkpoints/`` are kept.
        progress: Show a progress bar.
        start: A trained autoencoder to continue from; it is not changed.
        chosen: The part of the settings that is used, by default ``autoencoder``.

    Returns:
        The averaged network; its latents are not normalised yet (see
        :func:`fairhuman.training.base.normalise_latents`).

    Raises:
        FloatingPointError: A loss or gradient is not finite; the last checkpoint is from before.
    """
    chosen = chosen or settings.autoencoder
    corpus = corpus.first(chosen.images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator(settings.seed, START, 0).initial_seed())
        vae = build_autoencoder(settings.architecture)
    if start is not None:
        vae.load_state_dict(start.state_dict())
    vae.to(settings.device).train()
    if chosen.decoder_only:
        for part in (vae.encoder, vae.quant_conv):
            part.requires_grad_(False)
    average = Average([vae], chosen.ema)
    optimizers = Optimizers(vae, [], chosen)
    first = load_state(folder, [vae], average, optimizers.all)
    folder.mkdir(parents=True, exist_ok=True)
    log = Log(folder / "log.jsonl", first)
    steps = range(first, chosen.steps)
    for step in tqdm(steps, desc="autoencoder", initial=first, total=chosen.steps, disable=not progress):
        began = time.monotonic()
        views, weights, draw = draw_views(corpus, chosen, settings.seed, step)
        pixels = views = views.to(settings.device)
        weights = weights.to(settings.device)
        with autocast(settings.precision, settings.device):
            posterior = vae.encode(pixels).latent_dist
            latents = noised(posterior.sample(generator=draw), chosen.latent_noise, draw)
            latents, pixels, weights = transformed(latents, pixels, weights, chosen.scaled_share, draw)
            restored = vae.decode(latents).sample
            mirror = mirror_error(vae, views, posterior.mean) if chosen.mirror_weight else views.new_zeros(())
        terms = reconstruction_terms(restored.float(), pixels, weights)
        kl = _divergence(posterior.mean.float(), posterior.logvar.float())
        rough = roughness(posterior.mean.float())
        loss = terms["pixels"] + chosen.gradient_weight * terms["gradients"] + chosen.kl_weight * kl
        loss = loss + chosen.mirror_weight * mirror + chosen.smooth_weight * rough
        if not torch.isfinite(loss):
            raise FloatingPointError(f"autoencoder: loss is not finite at step {step}")
        set_rate(optimizers.all, rate(step, chosen.steps, chosen.warmup, chosen.decay))
        vae.zero_grad(set_to_none=True)
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(vae.parameters(), 1.0)
        if not torch.isfinite(norm):
            raise FloatingPointError(f"autoencoder: gradient is not finite at step {step}")
        optimizers.step()
        average.update(step)
        psnr = -10 * torch.log10((restored.detach() - pixels).square().mean() / 4)
        log.write(
            {
                "step": step,
                "loss": loss.item(),
                "pixels": terms["pixels"].item(),
                "gradients": terms["gradients"].item(),
                "kl": kl.item(),
                "mirror": mirror.item(),
                "roughness": rough.item(),
                "psnr": psnr.item(),
                "side": pixels.shape[-1],
                "seconds": round(time.monotonic() - began, 4),
            }
        )
        if (step + 1) % settings.checkpoint_every == 0 or step + 1 == chosen.steps:
            save_state(folder, step + 1, [vae], average, optimizers.all)
    log.close()
    return average.modules[0].cpu()


def reconstruction_terms(restored: Tensor, pixels: Tensor, weights: Tensor) -> dict[str, Tensor]:
    """Weighted mean absolute error of pixels, and of their differences to the right and downwards.

    Args:
        restored, pixels: Shape (batch, 3, h, w).
        weights: Shape (batch, 1, h, w).
    """
    error = restored - pixels
    scale = weights.mean()
    across = (weights[..., 1:] * error.diff(dim=-1).abs()).mean()
    down = (weights[..., 1:, :] * error.diff(dim=-2).abs()).mean()
    return {"pixels": (weights * error.abs()).mean() / scale, "gradients": (across + down) / scale}


def noised(latents: Tensor, most: float, draw: torch.Generator) -> Tensor:
    """Latents with normal noise, its deviation drawn per image in [0, ``most``] of each channel's."""
    if not most:
        return latents
    amount = most * torch.rand(len(latents), 1, 1, 1, generator=draw)
    noise = amount * torch.randn(latents.shape, generator=draw)
    deviation = latents.detach().float().std(dim=(0, 2, 3), keepdim=True)
    return latents + deviation * noise.to(latents.device)


def transformed(
    latents: Tensor, pixels: Tensor, weights: Tensor, share: float, draw: torch.Generator
) -> tuple[Tensor, Tensor, Tensor]:
    """At a share of the steps all three scaled to between a half and one, half of those times mirrored too.

    Args:
        latents: Shape (batch, channels, h, h).
        pixels, weights: Shape (batch, 3 or 1, 8 h, 8 h).
        share: In [0, 1].
        draw: What decides.
    """
    side = latents.shape[-1]
    if torch.rand((), generator=draw).item() >= share:
        return latents, pixels, weights
    smaller = int(torch.randint(side // 2, side + 1, (), generator=draw))
    latents, pixels, weights = (
        resized(images.float(), size)
        for images, size in ((latents, smaller), (pixels, 8 * smaller), (weights, 8 * smaller))
    )
    if torch.rand((), generator=draw).item() < 0.5:
        return latents.flip(-1), pixels.flip(-1), weights.flip(-1)
    return latents, pixels, weights


def mirror_error(vae: AutoencoderKL, views: Tensor, means: Tensor) -> Tensor:
    """Squared error of half of the views' latents, mirrored, against those of the mirrored views.

    Relative to the latents' variance, so that their scale gains nothing: 0 for an equivariant encoder, 2
    where the two have nothing in common.
    """
    half = max(1, len(views) // 2)
    mirrored = vae.encode(views[:half].flip(-1)).latent_dist.mean.float()
    straight = means[:half].float().flip(-1)
    variance = straight.var(dim=(0, 2, 3), keepdim=True).clamp(min=1e-6)
    return ((mirrored - straight).square() / variance).mean()


def roughness(latents: Tensor) -> Tensor:
    """Share of each channel's variance that is lost when the latents go through a 2 × 2 mean and back."""
    coarse = F.interpolate(F.avg_pool2d(latents, 2), scale_factor=2, mode="bilinear")
    variance = latents.var(dim=(0, 2, 3), keepdim=True).clamp(min=1e-6)
    return ((latents - coarse).square() / variance).mean()


def _divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence from the standard normal, mean over latent elements."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
