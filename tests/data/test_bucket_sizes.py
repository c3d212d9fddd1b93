"""Buckets: the nearest proportions, no distortion, masks that stay on what they are of."""

from fractions import Fraction

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from people import make_sample, write_folder

from fairhuman.data import Buckets, HumanFolder, HumanSample, JointTransform, kept_share

SETS = [Buckets((64,), 16), Buckets((64, 96), 32), Buckets((48, 96, 64), 16, (32, 160)), Buckets((128,), 8)]
buckets = st.sampled_from(SETS)
sides = st.integers(16, 400)
crops = st.sampled_from(["center", "random"])
quick = settings(max_examples=60)


def misfit(size, target):
    """By which factor the proportions differ, as an exact number ≥ 1."""
    ratio = Fraction(size[0] * target[1], size[1] * target[0])
    return max(ratio, 1 / ratio)


@pytest.mark.parametrize("some", SETS)
def test_sizes_keep_their_bounds_and_come_in_pairs(some):
    for resolution in some.resolutions:
        least, largest = some.sides or (resolution / 2, resolution * 2)
        sizes = some.sizes(resolution)
        assert (resolution, resolution) in sizes
        for height, width in sizes:
            assert height % some.step == width % some.step == 0 and (width, height) in sizes
            assert least <= min(height, width) and max(height, width) <= largest
            assert height * width <= resolution**2
            assert (height + some.step) * (width + some.step) > resolution**2 or height + width > largest


def test_the_usual_sizes_at_1024():
    usual = {(1024, 1024), (896, 1152), (832, 1216), (768, 1344), (640, 1536), (512, 2048)}
    assert usual <= set(Buckets((1024,)).sizes(1024))


@quick
@given(buckets, sides, sides)
def test_an_image_goes_to_the_nearest_proportions_that_need_no_enlargement(some, height, width):
    size, found = (height, width), some.nearest((height, width))
    fitting = []
    for resolution in sorted(some.resolutions, reverse=True):
        best = min(misfit(size, one) for one in some.sizes(resolution))
        fitting.append([one for one in some.sizes(resolution) if misfit(size, one) == best])
    unenlarged = [sizes for sizes in fitting if all(h <= height and w <= width for h, w in sizes)]
    assert found in (unenlarged or fitting[-1:])[0]


@pytest.mark.parametrize("some", SETS)
def test_an_image_of_a_bucket_s_very_size_goes_there(some):
    for resolution in some.resolutions:
        for size in some.sizes(resolution):
            assert some.nearest(size) == size


@quick
@given(buckets, sides, sides)
def test_an_image_on_its_side_goes_to_the_bucket_on_its_side(some, height, width):
    assert some.nearest((width, height)) == some.nearest((height, width))[::-1]


@quick
@given(buckets, sides, sides, crops, st.integers(0, 99))
def test_one_scale_in_both_directions_and_nothing_beside_the_image(some, height, width, crop, seed):
    transform = JointTransform(64, crop, flip=0.5, buckets=some)
    target, resized = transform.target((height, width)), transform.resized((height, width))
    scale = max(target[0] / height, target[1] / width)
    assert abs(resized[0] - scale * height) <= 0.5 and abs(resized[1] - scale * width) <= 0.5
    assert target[0] == resized[0] or target[1] == resized[1]
    draw = transform.draw((height, width), torch.Generator().manual_seed(seed))
    assert 0 <= draw.top <= resized[0] - target[0] and 0 <= draw.left <= resized[1] - target[1]
    left = target[0] * target[1] / (resized[0] * resized[1])
    assert kept_share((height, width), target) == pytest.approx(left, abs=0.5 / min(resized))


def disc(height, width, x, y, radius):
    rows, columns = np.mgrid[:height, :width] + 0.5
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


@quick
@given(buckets, sides, sides, crops, st.integers(0, 99))
def test_a_disc_stays_a_disc_in_image_mask_pose_depth_and_points(some, height, width, crop, seed):
    """Drawn where it should be by hand, from the size, the draw and nothing else."""
    random = np.random.default_rng(seed)
    radius = 0.3 * min(height, width)
    x, y = random.uniform(0, width), random.uniform(0, height)
    inside = disc(height, width, x, y, radius)
    grey = np.repeat((255 * inside).astype(np.uint8)[..., None], 3, axis=2)
    sample = HumanSample(
        image=grey, text="a disc", masks={"face": grey[..., 0]}, pose=grey,
        depth=(2000 * inside).astype(np.uint16), keypoints={"left_hand": np.array([[x, y, 2.0]] * 21)},
        boxes={"face": (x - radius, y - radius, x + radius, y + radius)},
    )  # fmt: skip
    transform = JointTransform(64, crop, flip=0.5, buckets=some)
    found = transform(sample, torch.Generator().manual_seed(seed))
    target, resized, draw = transform.target(sample.size), transform.resized(sample.size), found.draw
    assert found.time_ids.tolist() == [height, width, draw.top, draw.left, *target]
    assert found.pixels.shape == (3, *target) and found.masks["face"].shape == (1, *target)
    x, y = x * resized[1] / width, y * resized[0] / height
    x, y = (resized[1] - x if draw.flip else x) - draw.left, y - draw.top
    scale = resized[0] / height
    apart = np.hypot(*(np.mgrid[: target[0], : target[1]] + 0.5 - np.array([y, x])[:, None, None]))
    blur = 1.5 + 2 * max(1.0, scale)  # pixels over which an edge is smoothed
    surely, nowhere = apart < scale * radius - blur, apart > scale * radius + blur
    for image in (found.pixels[0] / 2 + 0.5, found.masks["face"][0], found.pose[0], found.depth[0] / 2):
        assert (image.numpy()[surely] > 0.9).all() and (image.numpy()[nowhere] < 0.1).all()
    name = "right_hand" if draw.flip else "left_hand"
    points = found.annotation.keypoints[name]
    np.testing.assert_allclose(points[:, :2], [[x, y]] * 21, atol=1e-6)
    box = found.annotation.boxes["face"]
    if surely.any():
        rows, columns = np.nonzero(surely)
        assert box[0] <= columns.min() and columns.max() + 1 <= box[2]
        assert box[1] <= rows.min() and rows.max() + 1 <= box[3]


@quick
@given(st.builds(make_sample, st.integers(24, 80), st.integers(24, 80), st.integers(0, 2**16)), buckets)
def test_a_mask_keeps_the_share_that_the_crop_leaves(sample, some):
    transform = JointTransform(64, buckets=some)
    found, resized = transform(sample), transform.resized(sample.size)
    box = [found.draw.left, found.draw.top, found.draw.left + found.pixels.shape[2]]
    box += [found.draw.top + found.pixels.shape[1]]
    factors = np.array([sample.size[1] / resized[1], sample.size[0] / resized[0]] * 2)
    x0, y0, x1, y1 = (np.array(box) * factors).round().astype(int)
    mask = sample.masks["face"] > 0
    kept = mask[y0:y1, x0:x1].sum() / mask.sum()
    area = found.masks["face"].sum().item() * factors[0] * factors[1] / mask.sum()
    assert area == pytest.approx(kept, abs=0.12)


def test_where_half_of_a_mask_lies_is_what_a_central_crop_says(tmp_path):
    write_folder(tmp_path, count=6, size=(60, 91))
    data = HumanFolder(tmp_path)
    for index in range(len(data)):
        for name, mask in data[index].masks.items():
            for axis, share in enumerate(data.half[name][index]):
                size, profile = mask.shape[axis], mask.sum(axis=1 - axis) / mask.sum()
                for kept in range(2 - size % 2, size + 1, 2):
                    cut = (size - kept) // 2
                    inside = profile[cut : size - cut].sum()
                    if abs(inside - 0.5) > 1e-6:
                        assert (kept / size < share) == (inside < 0.5)


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"resolutions": ()}, "resolutions: must hold at least one"),
        ({"resolutions": (64, 100)}, "resolutions: must be multiples of step = 64, got 100"),
        ({"resolutions": (64,), "step": 0}, "step: must be ≥ 1 pixel, got 0"),
        ({"resolutions": (64,), "sides": (128, 256)}, "sides: must be ≥ 1, the resolution 64 between them"),
    ],
)
def test_buckets_out_of_range(arguments, word):
    with pytest.raises(ValueError, match=word):
        Buckets(**arguments)
