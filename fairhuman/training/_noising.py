"""A base's noise schedule: adding noise, prediction targets and timestep weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from diffusers import (
        DDPMScheduler,
        FlowMatchEulerDiscreteScheduler,
        SchedulerMixin,
        StableDiffusionXLPipeline,
    )

    NoiseScheduler = DDPMScheduler | FlowMatchEulerDiscreteScheduler

__all__ = [
    "add_noise",
    "min_snr_weights",
    "noise_scheduler",
    "offset_noise",
    "prediction_type",
    "training_target",
]


def noise_scheduler(pipeline: StableDiffusionXLPipeline) -> NoiseScheduler:
    """The discrete noise schedule of the base's training, from its sampling scheduler's settings: a diffusion
    schedule, or the straight paths of flow matching.

    Raises:
        ValueError: The base predicts neither noise nor velocity.
    """
    from diffusers import DDPMScheduler, FlowMatchEulerDiscreteScheduler

    config = pipeline.scheduler.config
    if prediction_type(pipeline.scheduler) != "flow_prediction":
        return DDPMScheduler.from_config(config)
    return FlowMatchEulerDiscreteScheduler(
        config.num_train_timesteps, shift=config.get("shift", config.get("flow_shift", 1.0))
    )


def prediction_type(scheduler: SchedulerMixin) -> str:
    """``epsilon``, ``v_prediction`` or ``flow_prediction``, from the scheduler's configuration.

    Raises:
        ValueError: Another prediction type.
    """
    kind = scheduler.config.get("prediction_type", "flow_prediction")  # flow schedulers don't have the entry
    if kind not in ("epsilon", "v_prediction", "flow_prediction"):
        raise ValueError(
            f"scheduler: prediction_type must be 'epsilon', 'v_prediction' or 'flow_prediction', got {kind!r}"
        )
    return kind


def add_noise(
    scheduler: NoiseScheduler, latents: Tensor, noise: Tensor, steps: Tensor
) -> tuple[Tensor, Tensor]:
    """Add noise to latents, in their precision.

    Args:
        scheduler: From :func:`noise_scheduler`.
        latents, noise: Shape (batch, channels, h, w).
        steps: Schedule indices, from 0 (almost no noise) upwards; integers, shape (batch,).

    Returns:
        The noised latents, and the network's time input, shape (batch,): the index itself for a diffusion,
        the noise fraction σ times the schedule length for a flow.
    """
    if hasattr(scheduler, "alphas_cumprod"):
        return scheduler.add_noise(latents, noise, steps), steps
    places = scheduler.config.num_train_timesteps - 1 - steps.cpu()  # its tables begin with pure noise
    sigma = scheduler.sigmas[places].to(latents).view(-1, 1, 1, 1)
    return (1 - sigma) * latents + sigma * noise, scheduler.timesteps[places].to(latents)


def training_target(scheduler: SchedulerMixin, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """The network's training target, from the scheduler's configuration: the noise (ε-prediction, Eq. 1), the
    velocity ``√ᾱ ε − √(1−ᾱ) z₀`` (v-prediction), or the velocity ``ε − z₀`` of the straight path from image
    to noise (flow matching).

    Raises:
        ValueError: Another prediction type.
    """
    kind = prediction_type(scheduler)
    if kind == "epsilon":
        return noise
    return scheduler.get_velocity(latents, noise, timesteps) if kind == "v_prediction" else noise - latents


def min_snr_weights(scheduler: NoiseScheduler, steps: Tensor, gamma: float) -> Tensor:
    """Weight of each image's error under min-SNR-γ (Hang et al. 2023): the error of the predicted *image* is
    weighted by min(SNR, γ), regardless of the prediction type.

    Args:
        scheduler: From :func:`noise_scheduler`.
        steps: As for :func:`add_noise`.
        gamma: Upper bound of the signal-to-noise ratio, > 0; the authors recommend 5.

    Returns:
        Shape (batch,), on the CPU: min(SNR, γ) / SNR for ε-prediction, min(SNR, γ) / (SNR + 1) for
        v-prediction.

    Raises:
        ValueError: The base predicts a flow, for which the weight is not defined.
    """
    kind = prediction_type(scheduler)
    if kind == "flow_prediction":
        raise ValueError(
            "min_snr: is defined only for diffusion models, but this base was trained with flow matching"
        )
    share = scheduler.alphas_cumprod[steps.cpu()].double()
    snr = share / (1 - share)
    # Written to be safe for schedules that end in pure noise (SNR = 0).
    weights = (gamma / snr).clamp(max=1) if kind == "epsilon" else snr.clamp(max=gamma) / (snr + 1)
    return weights.float()


def offset_noise(noise: Tensor, offset: float, generator: torch.Generator) -> Tensor:
    """Shift each channel of the noise, shape (c, h, w), by ``offset`` times a separate normal sample, so that
    a base also learns to change the overall brightness."""
    return noise + offset * torch.randn(len(noise), 1, 1, generator=generator)
