"""Masks on the latent grid."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from fairhuman.regions import box_mask, check_regions, latent_mask


@given(st.integers(0, 999), st.integers(1, 6), st.integers(1, 8))
def test_soft_keeps_the_area_and_commutes_with_flips(seed, cells, factor):
    generator = torch.Generator().manual_seed(seed)
    side = cells * factor
    mask = (torch.rand(2, 1, side, side, generator=generator) < 0.3).float()
    soft = latent_mask(mask, (cells, cells))
    torch.testing.assert_close(soft.mean((1, 2, 3)), mask.mean((1, 2, 3)))
    torch.testing.assert_close(latent_mask(mask.flip(-1), (cells, cells)), soft.flip(-1))
    assert soft.min() >= 0 and soft.max() <= 1


@given(st.integers(0, 999), st.integers(2, 8))
def test_hard_reads_the_first_pixel_of_each_cell(seed, factor):
    mask = torch.rand(1, 1, 4 * factor, 4 * factor, generator=torch.Generator().manual_seed(seed)).round()
    hard = latent_mask(mask, (4, 4), "hard")
    torch.testing.assert_close(hard, mask[..., ::factor, ::factor])


def test_a_small_region_survives_soft_and_can_vanish_hard():
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., 10:14, 20:23] = 1
    assert latent_mask(mask, (8, 8)).sum() == pytest.approx(12 / 64)
    assert latent_mask(mask, (8, 8), "hard").sum() == 0


def test_full_and_empty_masks_stay_so():
    for mode in ("soft", "hard"):
        assert latent_mask(torch.ones(1, 1, 24, 24), (3, 3), mode).eq(1).all()
        assert latent_mask(torch.zeros(1, 1, 24, 24), (3, 3), mode).eq(0).all()


def test_boxes_fill_their_pixels():
    mask = box_mask([(2, 1, 5, 4), None, (6, 6, 20, 20)], (8, 8))
    expected = torch.zeros(1, 8, 8)
    expected[:, 1:4, 2:5] = 1
    expected[:, 6:, 6:] = 1
    torch.testing.assert_close(mask, expected)
    assert box_mask([(3, 3, 5, 5)], (8, 8), dilation=2).sum() == 36
    assert box_mask([(-9, -9, -2, -2)], (8, 8)).sum() == 0


@pytest.mark.parametrize(
    ("call", "word"),
    [
        (lambda: latent_mask(torch.zeros(1, 2, 8, 8), (2, 2)), "shape"),
        (lambda: latent_mask(torch.zeros(1, 1, 8, 8), (16, 2)), "size"),
        (lambda: latent_mask(torch.full((1, 1, 8, 8), 255.0), (2, 2)), r"\[0, 1\]"),
        (lambda: latent_mask(torch.full((1, 1, 8, 8), torch.nan), (2, 2)), r"\[0, 1\]"),
        (lambda: latent_mask(torch.zeros(1, 1, 8, 8), (2, 2), "bilinear"), "'bilinear'"),
        (lambda: box_mask([(4, 0, 4, 2)], (8, 8)), "x0 < x1"),
        (lambda: box_mask([], (8, 8), dilation=-1), "dilation"),
        (lambda: check_regions(["face", "elbow"]), "'elbow'"),
        (lambda: check_regions(["face", "face"]), "distinct"),
    ],
)
def test_bad_input(call, word):
    with pytest.raises(ValueError, match=word):
        call()
