"""How easy latents are to learn: measures with known answers."""

import math

import pytest
import torch

from fairhuman.evaluation.latents import components_for, high_frequency_share, mirror_error, psnr, scaled


def noise(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_white_noise_lies_above_a_quarter_cycle_as_the_area_says():
    assert high_frequency_share(noise(8, 4, 32, 32)) == pytest.approx(1 - math.pi / 16, abs=0.02)


@pytest.mark.parametrize(("cycles", "share"), [(7, 0.0), (9, 1.0)])
def test_a_wave_counts_on_its_side_of_the_bound(cycles, share):
    wave = torch.cos(torch.arange(32) * 2 * math.pi * cycles / 32)[:, None].expand(1, 1, 32, 32)
    assert high_frequency_share(wave) == pytest.approx(share, abs=1e-9)


def test_the_mean_of_a_channel_is_no_energy():
    latents = noise(2, 3, 16, 16)
    assert high_frequency_share(latents + 5) == pytest.approx(high_frequency_share(latents))


def test_unrelated_codes_have_a_mirror_error_of_one_at_any_scale():
    latents, other = noise(16, 4, 32, 32), noise(16, 4, 32, 32, seed=1)
    scale = torch.tensor([1.0, 10.0, 0.1, 3.0]).view(1, 4, 1, 1)
    assert mirror_error(other * scale, latents * scale) == pytest.approx(1, abs=0.02)
    assert mirror_error((latents * scale).flip(-1), latents * scale) == 0


def test_components_count_independent_channels():
    two = noise(4, 2, 16, 16)
    assert components_for(torch.cat([two, two @ torch.eye(16)], dim=1)) == 2
    assert components_for(noise(4, 8, 16, 16)) == 8


def test_psnr_of_a_known_error():
    pixels = torch.zeros(3, 3, 8, 8)
    assert psnr(pixels + 0.02, pixels) == pytest.approx(40, abs=1e-4)  # error 0.01 of the range of 2
    assert scaled(pixels, 0.5).shape == (3, 3, 4, 4)
