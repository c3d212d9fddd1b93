"""Training of the autoencoder on crops of faces, hands and everything else."""

from __future__ import annotations

import time
from pathlib import Path

import torch
from diffusers import AutoencoderKL
from torch import Tensor
from tqdm import tqdm

from fairhuman.models import build_autoencoder
from fairhuman.seeds import START, generator
from fairhuman.training._run import Log
from fairhuman.training.base._corpus import Corpus
from fairhuman.training.base._crops import draw_views
from fairhuman.training.base._optimizers import Optimizers
from fairhuman.training.base._settings import BaseSettings
from fairhuman.training.base._state import Average, autocast, load_state, rate, save_state, set_rate


def train_autoencoder(
    corpus: Corpus,
    settings: BaseSettings,
    folder: Path,
    progress: bool = True,
    *,
    start: AutoencoderKL | None = None,
) -> AutoencoderKL:
    """Train the autoencoder, or take up a training that was cut off.

    The loss is the absolute error of pixels and of their finite differences, heavier inside the boxes of
    faces and hands, plus a light Kullback-Leibler term. No adversarial or perceptual network: there is
    none that needs no download, and renders have little texture to hallucinate.

    Args:
        corpus: The training images.
        settings: The run; the part ``autoencoder`` is used, or with ``start`` the part ``refinement``.
        folder: Where ``log.jsonl`` and ``checkpoints/`` are kept.
        progress: Show a progress bar.
        start: A trained autoencoder to refine; it is left as it is.

    Returns:
        The averaged network; its latents are not normalised yet (see
        :func:`fairhuman.training.base.normalise_latents`).

    Raises:
        FloatingPointError: A loss or gradient is not finite; the last checkpoint is from before.
    """
    chosen = settings.autoencoder if start is None else settings.refinement
    corpus = corpus.first(chosen.images)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(generator(settings.seed, START, 0).initial_seed())
        vae = build_autoencoder(settings.architecture)
    if start is not None:
        vae.load_state_dict(start.state_dict())
    vae.train()
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
        pixels, weights, draw = draw_views(corpus, chosen, settings.seed, step)
        with autocast(settings.precision):
            posterior = vae.encode(pixels).latent_dist
            restored = vae.decode(posterior.sample(generator=draw)).sample
        terms = reconstruction_terms(restored.float(), pixels, weights)
        kl = _divergence(posterior.mean.float(), posterior.logvar.float())
        loss = terms["pixels"] + chosen.gradient_weight * terms["gradients"] + chosen.kl_weight * kl
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
                "psnr": psnr.item(),
                "side": pixels.shape[-1],
                "seconds": round(time.monotonic() - began, 4),
            }
        )
        if (step + 1) % settings.checkpoint_every == 0 or step + 1 == chosen.steps:
            save_state(folder, step + 1, [vae], average, optimizers.all)
    log.close()
    return average.modules[0]


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


def _divergence(mean: Tensor, log_variance: Tensor) -> Tensor:
    """Kullback-Leibler divergence from the standard normal, mean over latent elements."""
    return 0.5 * (mean.square() + log_variance.exp() - 1 - log_variance).mean()
