"""Training of the UNet together with its text encoders, by Eq. 1, on cached latents."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from diffusers.models.attention_processor import AttnProcessor
from torch import Tensor
from tqdm import tqdm

from fairhuman.seeds import EXAMPLE, example_index, generator
from fairhuman.text import mirrored
from fairhuman.training._noising import noise_scheduler, training_target
from fairhuman.training._run import Log, read_lines
from fairhuman.training.base._optimizers import Optimizers
from fairhuman.training.base._settings import BaseSettings, DenoiserSettings
from fairhuman.training.base._state import Average, autocast, load_state, rate, save_state, set_rate

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline


@dataclass(frozen=True)
class LatentSet:
    """Encoded images of one size.

    Attributes:
        latents: Normalised, shape (count, channels, h, w).
        captions: One per latent.
        size: Side of the images in pixels, which the network is conditioned on.
    """

    latents: Tensor
    captions: Sequence[str]
    size: int


def train_denoiser(
    pipeline: StableDiffusionXLPipeline,
    sets: Sequence[LatentSet],
    settings: BaseSettings,
    folder: Path,
    progress: bool = True,
    deadline: float = float("inf"),
) -> bool:
    """Train the pipeline's UNet and text encoders, or resume an interrupted training.

    The objective is the plain mean squared error (Eq. 1) of what the pipeline's scheduler predicts; the
    timesteps of a batch are spread evenly over the schedule. Faces and hands get no separate weight:
    what the base lacks there is what the paper is about.

    Args:
        pipeline: Built for these latents; receives the averaged weights.
        sets: Images of the full size, and perhaps of half the size.
        settings: The run; the part ``denoiser`` is used.
        folder: Where ``log.jsonl`` and ``checkpoints/`` are kept.
        progress: Show a progress bar.
        deadline: Stop at the first checkpoint after this time, in seconds of ``time.monotonic()``.

    Returns:
        Whether all steps have been made.

    Raises:
        FloatingPointError: A loss or gradient is not finite; the last checkpoint is from before.
    """
    chosen, device = settings.denoiser, settings.device
    modules = [pipeline.unet, pipeline.text_encoder, pipeline.text_encoder_2]
    for module in modules:
        module.to(device).train().requires_grad_(True)
    processors, encoders = pipeline.unet.attn_processors, modules[1:]
    attention = [encoder.config._attn_implementation for encoder in encoders]
    if settings.precision == "bfloat16" and device == "cpu":
        # The fused kernel's backward pass is five times slower in bfloat16 than these plain products.
        pipeline.unet.set_attn_processor(AttnProcessor())
        for encoder in encoders:
            encoder.set_attn_implementation("eager")
    average = Average(modules, chosen.ema)
    optimizers = Optimizers(modules[0], modules[1:], chosen)
    first = load_state(folder, modules, average, optimizers.all)
    folder.mkdir(parents=True, exist_ok=True)
    log = Log(folder / "log.jsonl", first)
    scheduler = noise_scheduler(pipeline)
    tokens = [
        [tokenize(pipeline, texts) for texts in (part.captions, [mirrored(text) for text in part.captions])]
        for part in sets
    ]
    parameters = [parameter for module in modules for parameter in module.parameters()]
    steps = range(first, chosen.steps)
    done = True
    for step in tqdm(steps, desc="unet", initial=first, total=chosen.steps, disable=not progress):
        began = time.monotonic()
        draw = generator(settings.seed, EXAMPLE, step, 1)
        small = len(sets) > 1 and torch.rand((), generator=draw).item() < _small_share(chosen, step)
        part, words = sets[small], tokens[small]
        count = chosen.small_batch_size if small else chosen.batch_size
        rows = [example_index(settings.seed, step * count + i, len(part.latents)) for i in range(count)]
        flipped = torch.rand(count, generator=draw) < (0.5 if chosen.mirror else 0.0)
        clean = part.latents[rows]
        clean = torch.where(flipped[:, None, None, None], clean.flip(-1), clean)
        noise = torch.randn(clean.shape, generator=draw)
        timesteps = spread_timesteps(count, scheduler.config.num_train_timesteps, draw)
        kept = torch.rand(count, generator=draw) >= chosen.caption_dropout
        ids = [
            torch.where(flipped[:, None], other[rows], own[rows]).to(device)
            for own, other in zip(*words, strict=True)
        ]
        clean, noise, timesteps, kept = (values.to(device) for values in (clean, noise, timesteps, kept))
        time_ids = torch.tensor([micro_conditioning(part.size)], device=device)
        noisy = scheduler.add_noise(clean, noise, timesteps)
        target = training_target(scheduler, clean, noise, timesteps)
        with autocast(settings.precision, device):
            states, pooled = embed(pipeline, ids, kept)
            condition = {"text_embeds": pooled, "time_ids": time_ids.expand(count, -1)}
            prediction = pipeline.unet(noisy, timesteps, states, added_cond_kwargs=condition).sample
        loss = F.mse_loss(prediction.float(), target)
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
        log.write(
            {
                "step": step,
                "size": part.size,
                "images": count,
                "loss": loss.item(),
                "gradient_norm": norm.item(),
                "seconds": round(time.monotonic() - began, 4),
            }
        )
        if (step + 1) % settings.checkpoint_every == 0 or step + 1 == chosen.steps:
            save_state(folder, step + 1, modules, average, optimizers.all)
            if time.monotonic() > deadline and step + 1 < chosen.steps:
                done = False
                break
    log.close()
    pipeline.unet.set_attn_processor(processors)
    for encoder, kind in zip(encoders, attention, strict=True):
        encoder.set_attn_implementation(kind)
    take_average(pipeline, average)
    return done


def views_seen(folder: Path) -> int:
    """How many images a UNet has been shown, by the log in its folder."""
    return sum(line["images"] for line in read_lines(folder / "log.jsonl"))


def _small_share(settings: DenoiserSettings, step: int) -> float:
    return settings.small_share if step < settings.small_until else settings.small_share_later


def take_average(pipeline: StableDiffusionXLPipeline, average: Average) -> None:
    """Put the averaged weights into the pipeline, ready for use."""
    modules = (pipeline.unet, pipeline.text_encoder, pipeline.text_encoder_2)
    for module, kept in zip(modules, average.modules, strict=True):
        module.load_state_dict(kept.state_dict())
        module.cpu().eval().requires_grad_(False)


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
