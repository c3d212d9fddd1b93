"""Noise schedules of diffusions and flows, and the weights of min-SNR, against other sources."""

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler, FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler
from diffusers.training_utils import compute_snr

from fairhuman.models import tiny_pipeline
from fairhuman.training._noising import (
    add_noise,
    min_snr_weights,
    noise_scheduler,
    offset_noise,
    training_target,
)

STEPS = torch.tensor([0, 300, 999])


@pytest.fixture(scope="module")
def pipeline():
    return tiny_pipeline(seed=0)


def pair():
    return torch.randn(2, 3, 4, 8, 8, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("kind", ["epsilon", "v_prediction"])
def test_a_diffusion_follows_its_own_schedule(pipeline, kind, monkeypatch):
    monkeypatch.setattr(pipeline, "scheduler", DDIMScheduler(prediction_type=kind, beta_schedule="linear"))
    scheduler = noise_scheduler(pipeline)
    latents, noise = pair()
    noisy, times = add_noise(scheduler, latents, noise, STEPS)
    share = torch.cumprod(1 - torch.linspace(1e-4, 0.02, 1000), 0)[STEPS].view(-1, 1, 1, 1)
    torch.testing.assert_close(noisy, share.sqrt() * latents + (1 - share).sqrt() * noise)
    assert torch.equal(times, STEPS)


@pytest.mark.parametrize(
    ("sampler", "shift"),
    [
        (FlowMatchEulerDiscreteScheduler(shift=3.0), 3.0),
        (UniPCMultistepScheduler(prediction_type="flow_prediction", use_flow_sigmas=True), 1.0),
    ],
)
def test_a_flow_is_told_the_share_of_noise(pipeline, sampler, shift, monkeypatch):
    monkeypatch.setattr(pipeline, "scheduler", sampler)
    scheduler = noise_scheduler(pipeline)
    latents, noise = pair()
    noisy, times = add_noise(scheduler, latents, noise, STEPS)
    sigma = (STEPS + 1) / 1000
    sigma = shift * sigma / (1 + (shift - 1) * sigma)
    torch.testing.assert_close(times, 1000 * sigma)
    expected = torch.lerp(latents, noise, sigma.view(-1, 1, 1, 1))
    torch.testing.assert_close(noisy, expected)
    velocity = training_target(scheduler, latents, noise, STEPS)
    torch.testing.assert_close(noisy - sigma.view(-1, 1, 1, 1) * velocity, latents, atol=1e-5, rtol=1e-5)
    with pytest.raises(ValueError, match="trained with flow matching"):
        min_snr_weights(scheduler, STEPS, 5.0)


def test_targets_are_the_schedulers():
    generator = torch.Generator().manual_seed(0)
    latents, noise = torch.randn(2, 2, 4, 4, 4, generator=generator)
    timesteps = torch.tensor([10, 900])
    scheduler = DDPMScheduler(prediction_type="epsilon")
    assert training_target(scheduler, latents, noise, timesteps) is noise
    scheduler = DDPMScheduler(prediction_type="v_prediction")
    share = scheduler.alphas_cumprod[timesteps].view(2, 1, 1, 1)
    torch.testing.assert_close(
        training_target(scheduler, latents, noise, timesteps),
        share.sqrt() * noise - (1 - share).sqrt() * latents,
    )
    with pytest.raises(ValueError, match="'sample'"):
        training_target(DDPMScheduler(prediction_type="sample"), latents, noise, timesteps)


def test_the_target_of_a_flow_leads_from_the_image_to_the_noise():
    generator = torch.Generator().manual_seed(0)
    latents, noise = torch.randn(2, 1, 4, 4, 4, generator=generator)
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    velocity = training_target(scheduler, latents, noise, torch.tensor([500]))
    place = 400  # any: from there, going back against the velocity ends at the image
    sigma = scheduler.sigmas[place]
    noisy = scheduler.scale_noise(latents, scheduler.timesteps[place : place + 1], noise)
    torch.testing.assert_close(noisy - sigma * velocity, latents)


@pytest.mark.parametrize(("kind", "extra"), [("epsilon", 0), ("v_prediction", 1)])
def test_min_snr_counts_the_image_s_error(pipeline, kind, extra, monkeypatch):
    """An error of the prediction is an error of the image: by SNR for ε, by SNR / (SNR + 1) for v, times."""
    monkeypatch.setattr(pipeline, "scheduler", DDIMScheduler(prediction_type=kind))
    scheduler = noise_scheduler(pipeline)
    snr = compute_snr(scheduler, STEPS)
    weights = min_snr_weights(scheduler, STEPS, 5.0)
    torch.testing.assert_close(weights * (snr + extra), snr.clamp(max=5), rtol=1e-4, atol=1e-6)


def test_min_snr_bears_pure_noise(pipeline, monkeypatch):
    scheduler = DDIMScheduler(prediction_type="v_prediction", rescale_betas_zero_snr=True)
    monkeypatch.setattr(pipeline, "scheduler", scheduler)
    assert min_snr_weights(noise_scheduler(pipeline), STEPS, 5.0).isfinite().all()


def test_offset_noise_shifts_whole_channels():
    noise = torch.randn(4, 8, 8)
    shift = offset_noise(noise, 0.1, torch.Generator().manual_seed(0)) - noise
    torch.testing.assert_close(shift, shift[:, :1, :1].expand_as(shift))
    assert 0.01 < shift[:, 0, 0].std() < 0.3
