"""Gradients on a base: what is measured is what the losses say, and rescaling is exact."""

import numpy as np
import pytest
import torch
from people import write_folder

from fairhuman.data import HumanFolder, JointTransform
from fairhuman.experiments.conflict import (
    as_if,
    cosines_by_timestep,
    norms_by_timestep,
    regional_gradients,
    shares_by_scale,
)
from fairhuman.models import tiny_pipeline
from fairhuman.training import Examples

NAMES = ["global", "face", "hand", "face/mask", "hand/mask"]


@pytest.fixture(scope="module")
def pipeline():
    return tiny_pipeline(seed=0)


@pytest.fixture(scope="module")
def examples(pipeline, tmp_path_factory):
    path = tmp_path_factory.mktemp("people")
    write_folder(path, count=6, size=(64, 64))
    return Examples(pipeline, HumanFolder(path), JointTransform(64))


@pytest.fixture(scope="module")
def lines(pipeline, examples):
    return regional_gradients(pipeline, examples, bins=2, batches=3, batch_size=2, rank=2)


def synthetic(gradients, step=0, part=(0, 500)):
    K = gradients @ gradients.T
    return {
        "step": step,
        "timesteps": list(part),
        "losses": dict(zip(NAMES, range(1, 6), strict=True)),
        "gramian": K.tolist(),
    }


def test_one_line_a_batch_in_each_part_of_the_schedule(lines):
    assert [line["step"] for line in lines] == list(range(6))
    assert [tuple(line["timesteps"]) for line in lines] == 3 * [(0, 500)] + 3 * [(500, 1000)]
    assert all(list(line["losses"]) == NAMES for line in lines)


def test_images_of_one_area_make_reductions_proportional(lines):
    # The discs of all masks are of one size, so a mean over the mask is the mean over the image times a
    # factor but for the discretisation: gradients point the same way.
    for line in lines:
        K = np.array(line["gramian"])
        norms = np.sqrt(np.diag(K))
        assert (K / np.outer(norms, norms))[[1, 2], [3, 4]].min() > 0.99
        assert (norms[3:] > norms[1:3]).all()


def test_the_seed_decides(pipeline, examples, lines):
    settings = {"bins": 2, "batches": 1, "batch_size": 2, "rank": 2}
    again = regional_gradients(pipeline, examples, **settings)
    assert again[0]["gramian"] == lines[0]["gramian"]
    other = regional_gradients(pipeline, examples, **settings, seed=1)
    assert other[0]["gramian"] != lines[0]["gramian"]


def test_the_base_is_left_as_it_was(pipeline, examples):
    before = {name: (p.clone(), p.requires_grad) for name, p in pipeline.unet.named_parameters()}
    state = torch.get_rng_state()
    regional_gradients(pipeline, examples, bins=1, batches=1, batch_size=1, rank=2)
    after = dict(pipeline.unet.named_parameters())
    assert after.keys() == before.keys()
    for name, (value, trained) in before.items():
        assert torch.equal(after[name], value) and after[name].requires_grad == trained
    assert torch.equal(torch.get_rng_state(), state)


def test_rescaling_multiplies_regional_gradients():
    gradients = np.random.default_rng(0).normal(size=(5, 7))
    (found,) = as_if([synthetic(gradients)], local_scale=25)
    scaled = gradients[:3] * [[1], [25], [25]]
    np.testing.assert_allclose(found["gramian"], scaled @ scaled.T)
    assert found["losses"] == {"global": 1, "face": 50, "hand": 75}
    (masked,) = as_if([synthetic(gradients)], "mask")
    np.testing.assert_allclose(masked["gramian"], (gradients @ gradients.T)[np.ix_([0, 3, 4], [0, 3, 4])])
    assert list(masked["losses"]) == ["global", "face", "hand"]


def test_shares_follow_the_scale_as_theory_has_it():
    # Orthogonal gradients: a share goes with the scale in the sum, with its power −1/3 under MPD.
    gradients = np.diag([1.0, 0.1, 0.1, 0.5, 0.5])
    table = shares_by_scale([synthetic(gradients, step) for step in range(5)], [1, 8])
    shares = table[table.reduction == "image"].set_index(["direction", "scale", "objective"]).value
    for direction, power in (("sum", 1), ("mpd", -1 / 3)):
        one, eight = (shares[direction, c, "face"] / shares[direction, c, "global"] for c in (1, 8))
        assert one == pytest.approx(0.1**power) and eight / one == pytest.approx(8**power)
    masked = table[table.reduction == "mask"].set_index(["direction", "objective"]).value
    assert masked["sum", "face"] == pytest.approx(0.25)


def test_batches_without_a_region_say_nothing_about_shares():
    whole, part = np.eye(5), np.eye(5)
    part[[2, 4]] = 0
    table = shares_by_scale([synthetic(whole), synthetic(part, 1)], [1])
    assert (table.n == 1).all() and table.value.to_numpy() == pytest.approx(1 / 3)


def test_cosines_of_each_part():
    gradients = np.eye(5)
    gradients[1] = [0.6, 0.8, 0, 0, 0]
    lines = [synthetic(gradients, step, (500 * (step > 4), 500 + 500 * (step > 4))) for step in range(10)]
    table = cosines_by_timestep(lines).set_index(["first", "second", "start"])
    assert table.value["global", "face", 500] == pytest.approx(0.6) and table.n["global", "face", 0] == 5
    assert table.value["face", "hand", 0] == pytest.approx(0)


def test_norms_of_each_part():
    lines = [synthetic(np.eye(5) * 4.0 ** (step - 2), step) for step in range(5)]
    table = norms_by_timestep(lines)
    assert table.value.to_numpy() == pytest.approx(1) and (table.low < 1).all() and (table.high > 1).all()


@pytest.mark.parametrize("name", ("bins", "batches", "batch_size", "rank"))
def test_counts_below_one_are_refused(pipeline, examples, name):
    with pytest.raises(ValueError, match=f"{name}: must be ≥ 1, got 0"):
        regional_gradients(pipeline, examples, **{name: 0})


def test_unknown_scales_are_refused():
    line = synthetic(np.eye(5))
    with pytest.raises(ValueError, match="reduction: must be 'image' or 'mask', got 'sum'"):
        as_if([line], "sum")
    with pytest.raises(ValueError, match="local_scale: must be > 0, got 0"):
        as_if([line], local_scale=0)
