"""The joint transform moves everything together."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from people import make_sample

from fairhuman.data import Draw, JointTransform, crop_sample, flip_sample, resize_sample

samples = st.builds(make_sample, st.integers(24, 80), st.integers(24, 80), st.integers(0, 2**16))
quick = settings(max_examples=40)


def same(first, second):
    for name in ("image", "pose", "depth"):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    for name, mask in first.masks.items():
        np.testing.assert_array_equal(mask, second.masks[name])
    assert set(first.keypoints) == set(second.keypoints)
    for name, points in first.keypoints.items():
        np.testing.assert_allclose(points, second.keypoints[name], atol=1e-9)
    assert first.boxes == second.boxes
    assert first.face_yaw == second.face_yaw


@quick
@given(samples)
def test_two_flips_are_none(sample):
    same(flip_sample(flip_sample(sample)), sample)


@quick
@given(samples, st.integers(16, 64))
def test_mask_of_the_flipped_image_is_the_flipped_mask(sample, size):
    # Two ways: flip the source and transform it, or let the transform flip.
    transform = JointTransform(size)
    draw = transform.draw(sample.size)
    height, width = transform.resized(sample.size)
    turned = Draw(flip=True, top=draw.top, left=width - size - draw.left)
    plain, flipped = transform.apply(sample, draw), transform.apply(sample, turned)
    torch.testing.assert_close(flipped.pixels, plain.pixels.flip(-1), rtol=0, atol=0)
    torch.testing.assert_close(flipped.pose, plain.pose.flip(-1), rtol=0, atol=0)
    torch.testing.assert_close(flipped.depth, plain.depth.flip(-1), rtol=0, atol=0)
    for name, mask in plain.masks.items():
        torch.testing.assert_close(flipped.masks[name], mask.flip(-1), rtol=0, atol=0)


@quick
@given(samples)
def test_sides_swap_under_a_flip(sample):
    flipped = flip_sample(replace(sample, text="left hand up"))
    width = sample.size[1]
    assert set(flipped.keypoints) == {"body", "right_hand"}
    assert flipped.text == "right hand up"
    assert flipped.boxes["left_hand"] is None
    x0, y0, x1, y1 = sample.boxes["left_hand"]
    assert flipped.boxes["right_hand"] == (width - x1, y0, width - x0, y1)
    body, other = sample.keypoints["body"], flipped.keypoints["body"]
    nose, left_wrist, right_wrist = 0, 9, 10  # COCO order
    assert other[nose, 0] == width - body[nose, 0]
    np.testing.assert_allclose(other[right_wrist], [width - body[left_wrist, 0], *body[left_wrist, 1:]])


@quick
@given(samples, st.integers(24, 64), st.sampled_from(["center", "random"]), st.integers(0, 9))
def test_keypoints_stay_on_their_mask(sample, size, crop, seed):
    transformed = JointTransform(size, crop, flip=0.5)(sample, torch.Generator().manual_seed(seed))
    hand = "right_hand" if transformed.draw.flip else "left_hand"
    for name, region in (("body", "face"), (hand, "hand")):
        points = transformed.annotation.keypoints[name]
        shown = points[points[:, 2] > 0].astype(int)
        mask = transformed.masks[region][0]
        assert (mask[shown[:, 1], shown[:, 0]] > 0).all()
    outside = (points[:, :2] < 0).any(1) | (points[:, :2] >= size).any(1)
    np.testing.assert_array_equal(points[:, 2] == 0, outside)


@quick
@given(samples, st.integers(16, 64), st.sampled_from(["center", "random"]), st.integers(0, 9))
def test_boxes_bound_their_masks(sample, size, crop, seed):
    moved = JointTransform(size, crop, flip=0.5)(sample, torch.Generator().manual_seed(seed)).annotation
    rows, columns = np.nonzero(moved.masks["face"] > 127)
    if len(rows):
        x0, y0, x1, y1 = moved.boxes["face"]
        assert x0 - 1 <= columns.min() and columns.max() + 1 <= x1 + 1
        assert y0 - 1 <= rows.min() and rows.max() + 1 <= y1 + 1
    if moved.boxes["face"] is None:
        assert moved.masks["face"].max() == 0


@quick
@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 200), st.integers(0, 99))
def test_crops_fit(height, width, size, seed):
    transform = JointTransform(size, "random", flip=0.5)
    draw = transform.draw((height, width), torch.Generator().manual_seed(seed))
    resized = transform.resized((height, width))
    assert min(resized) == size
    assert 0 <= draw.top <= resized[0] - size and 0 <= draw.left <= resized[1] - size


def test_random_crops_reach_both_ends():
    transform = JointTransform(10, "random")
    generator = torch.Generator().manual_seed(0)
    corners = {transform.draw((10, 12), generator).left for _ in range(100)}
    assert corners == {0, 1, 2}


def test_flip_probability():
    generator = torch.Generator().manual_seed(0)
    flips = [JointTransform(8, flip=0.3).draw((8, 8), generator).flip for _ in range(2000)]
    assert 0.25 < np.mean(flips) < 0.35
    assert not any(JointTransform(8, flip=0).draw((8, 8), generator).flip for _ in range(50))
    assert all(JointTransform(8, flip=1).draw((8, 8), generator).flip for _ in range(50))


def test_micro_conditioning_and_ranges():
    sample = make_sample(60, 90, 0)
    transformed = JointTransform(30).apply(sample, Draw(flip=False, top=0, left=8))
    assert transformed.time_ids.tolist() == [60, 90, 0, 8, 30, 30]
    assert transformed.pixels.shape == (3, 30, 30) and transformed.pixels.abs().max() <= 1
    assert transformed.depth.max() < 5.001 and transformed.depth.shape == (1, 30, 30)
    assert all(mask.min() >= 0 and mask.max() <= 1 for mask in transformed.masks.values())


def test_resizing_keeps_depths_and_the_area_of_masks():
    sample = make_sample(64, 64, 3)
    smaller = resize_sample(sample, 16, 16)
    assert set(np.unique(smaller.depth)) <= set(np.unique(sample.depth))
    assert smaller.masks["face"].mean() == pytest.approx(sample.masks["face"].mean(), rel=0.01)


def test_crop_outside_is_refused():
    with pytest.raises(ValueError, match="do not lie in an image of 32 × 32"):
        crop_sample(make_sample(32, 32, 0), 20, 0, 16, 16)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [({"size": 0}, "size"), ({"size": 8, "crop": "left"}, "crop"), ({"size": 8, "flip": 1.5}, "flip")],
)
def test_transform_out_of_range(arguments, word):
    with pytest.raises(ValueError, match=word):
        JointTransform(**arguments)
