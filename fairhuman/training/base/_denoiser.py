"""Training of the UNet together with its text encoders, by Eq. 1, on cached latents."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor
from tqdm import tqdm

from fairhuman.seeds import EXAMPLE, example_index, generator
from fairhuman.training._noising import noise_scheduler, training_target
from fairhuman.training._run import Log
from fairhuman.training.base._optimizers import Optimizers
from fairhuman.training.base._settings import BaseSettings
from fairhuman.training.base._state import Average, autocast, load_state, rate, save_state, set_rate

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline


def train_denoiser(
    pipeline: StableDiffusionXLPipeline,
    latents: Tensor,
    captions: Sequence[str],
    settings: BaseSettings,
    folder: Path,
    progress: bool = True,
) -> None:
    """Train the pipeline's UNet and text encoders, or take up a training that was cut off.

    The objective is the plain mean squared error (Eq. 1) of what the pipeline's scheduler predicts; the
    timesteps of a batch are spread evenly over the schedule. Faces and hands get no weight of their own:
    what the base lacks there is what the paper is about.

    Args:
        pipeline: Built for these latents; receives the averaged weights.
        latents: Normalised, shape (count, channels, h, w).
        captions: One a latent.
        settings: The run; the part ``denoiser`` is used.
        folder: Where ``log.jsonl`` and ``checkpoints/`` are kept.
        progress: Show a progress bar.

    Raises:
        FloatingPointError: A loss or gradient is not finite; the last checkpoint is from before.
    """
    chosen = settings.denoiser
    modules = [pipeline.unet, pipeline.text_encoder, pipeline.text_encoder_2]
    for module in modules:
        module.train().requires_grad_(True)
    processors = pipeline.unet.attn_processors
    if settings.precision == "bfloat16":
        # The fused kernel's backward pass is five times slower in bfloat16 than these plain products.
        pipeline.unet.set_attn_processor(AttnProcessor())
    average = Average(modules, chosen.ema)
    optimizers = Optimizers(modules[0], modules[1:], chosen)
    first = load_state(folder, modules, average, optimizers.all)
    folder.mkdir(parents=True, exist_ok=True)
    log = Log(folder / "log.jsonl", first)
    scheduler = noise_scheduler(pipeline)
    tokens = tokenize(pipeline, captions)
    time_ids = torch.tensor([micro_conditioning(settings.architecture.image_size)])
    parameters = [parameter for module in modules for parameter in module.parameters()]
    steps = range(first, chosen.steps)
    for step in tqdm(steps, desc="unet", initial=first, total=chosen.steps, disable=not progress):
        began = time.monotonic()
        draw = generator(settings.seed, EXAMPLE, step, 1)
        start = step * chosen.batch_size
        rows = [example_index(settings.seed, start + i, len(latents)) for i in range(chosen.batch_size)]
        clean = latents[rows]
        noise = torch.randn(clean.shape, generator=draw)
        timesteps = spread_timesteps(len(rows), scheduler.config.num_train_timesteps, draw)
        kept = torch.rand(len(rows), generator=draw) >= chosen.caption_dropout
        noisy = scheduler.add_noise(clean, noise, timesteps)
        target = training_target(scheduler, clean, noise, timesteps)
        with autocast(settings.precision):
            states, pooled = embed(pipeline, [ids[rows] for ids in tokens], kept)
            condition = {"text_embeds": pooled, "time_ids": time_ids.expand(len(rows), -1)}
            prediction = pipeline.unet(noisy, timesteps, states, added_cond_kwargs=condition).sample
        errors = F.mse_loss(prediction.float(), target, reduction="none").mean(dim=(1, 2, 3))
        loss = errors.mean()
        if not torch.isfinite(loss):
            raise FloatingPointError(f"unet: loss is not finite at step {step}")
        set_rate(optimizers.all, rate(step, chosen.steps, chosen.warmup, chosen.decay))
        for parameter in parameters:
            parameter.grad = None
        loss.backward()
        norm = torch.nn.utils.clip_grad_norm_(parameters, chosen.clip_norm or float("inf"))
        if not torch.isfinite(norm):
            raise FloatingPointError(f"unet: gradient is not finite at step {step}")
        optimizers.step()
        average.update(step)
        seconds = round(time.monotonic() - began, 4)
        log.write({"step": step, "loss": loss.item(), "gradient_norm": norm.item(), "seconds": seconds})
        if (step + 1) % settings.checkpoint_every == 0 or step + 1 == chosen.steps:
            save_state(folder, step + 1, modules, average, optimizers.all)
    log.close()
    pipeline.unet.set_attn_processor(processors)
    take_average(pipeline, average)


def take_average(pipeline: StableDiffusionXLPipeline, average: Average) -> None:
    """Put the averaged weights into the pipeline, ready for use."""
    modules = (pipeline.unet, pipeline.text_encoder, pipeline.text_encoder_2)
    for module, kept in zip(modules, average.modules, strict=True):
        module.load_state_dict(kept.state_dict())
        module.eval().requires_grad_(False)


def tokenize(pipeline: StableDiffusionXLPipeline, captions: Sequence[str]) -> list[Tensor]:
    """Token ids for both encoders, each of shape (count, max_tokens)."""
    return [
        tokenizer(list(captions), padding="max_length", truncation=True, return_tensors="pt").input_ids
        for tokenizer in (pipeline.tokenizer, pipeline.tokenizer_2)
    ]


def embed(
    pipeline: StableDiffusionXLPipeline, tokens: Sequence[Tensor], kept: Tensor
) -> tuple[Tensor, Tensor]:
    """Text as SDXL sees it, with gradients; zeros where ``kept`` is false, as for no prompt.

    Returns:
        Hidden states, shape (batch, tokens, 2 · width), and the pooled projection, shape (batch, width).
    """
    first = pipeline.text_encoder(tokens[0], output_hidden_states=True)
    second = pipeline.text_encoder_2(tokens[1], output_hidden_states=True)
    states = torch.cat([first.hidden_states[-2], second.hidden_states[-2]], dim=-1)
    return states * kept[:, None, None], second.text_embeds * kept[:, None]


def micro_conditioning(size: int) -> list[float]:
    """SDXL's ``time_ids`` of an uncropped image: original size, crop corner, target size."""
    return [float(value) for value in (size, size, 0, 0, size, size)]


def spread_timesteps(count: int, total: int, draw: torch.Generator) -> Tensor:
    """``count`` timesteps, one from each equal part of the schedule, in random order.

    Each is uniform over the schedule, but together they cover it, which steadies the loss.
    """
    places = torch.randperm(count, generator=draw) + torch.rand(count, generator=draw)
    return (places / count * total).long().clamp(max=total - 1)
