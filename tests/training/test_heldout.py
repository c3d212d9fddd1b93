"""Held-out losses: paired, repeatable, independent of how they are batched."""

import numpy as np
import pytest
from people import write_folder, write_metadata

from fairhuman.data import HumanFolder, JointTransform
from fairhuman.evaluation.comparison import compare_losses
from fairhuman.evaluation.regional import heldout_losses
from fairhuman.models import load_base
from fairhuman.training import Examples, TrainSettings, heldout_errors, train


@pytest.fixture
def pipeline(base):
    return load_base(base)


@pytest.fixture
def examples(pipeline, people):
    return Examples(pipeline, HumanFolder(people), JointTransform(64))


def test_batches_make_no_difference(pipeline, examples):
    one = heldout_errors(pipeline.unet, examples, draws=3, batch_size=1)
    many = heldout_errors(pipeline.unet, examples, draws=3, batch_size=7)
    np.testing.assert_array_equal(one.timesteps, many.timesteps)
    for name in ("global", "face", "hand"):
        assert one.errors[name].shape == (6, 3)
        np.testing.assert_allclose(one.errors[name], many.errors[name], rtol=1e-4)


def test_fewer_images_see_the_same_noise(pipeline, examples):
    some = heldout_errors(pipeline.unet, examples, images=2, draws=3)
    every = heldout_errors(pipeline.unet, examples, draws=3)
    np.testing.assert_allclose(some.errors["hand"], every.errors["hand"][:2], rtol=1e-4)
    other = heldout_errors(pipeline.unet, examples, images=2, draws=3, seed=1)
    assert np.abs(other.errors["hand"] - some.errors["hand"]).min() > 0


def test_timesteps_spread_over_the_schedule(pipeline, examples):
    steps = heldout_errors(pipeline.unet, examples, draws=4).timesteps
    assert ((steps >= [0, 250, 500, 750]) & (steps < [250, 500, 750, 1000])).all()
    assert len(np.unique(steps)) > 12


def test_missing_regions_do_not_count(pipeline, tmp_path):
    entries = write_folder(tmp_path, count=3, size=(64, 64))
    entries[1]["hand_mask_file_name"] = None
    write_metadata(tmp_path, entries)
    examples = Examples(pipeline, HumanFolder(tmp_path), JointTransform(64))
    found = heldout_errors(pipeline.unet, examples)
    assert np.isnan(found.errors["hand"]).any(axis=1).tolist() == [False, True, False]
    values = found.per_image("hand")
    assert found.mean("hand") == pytest.approx((values[0] + values[2]) / 2)
    tables = heldout_losses(pipeline, {"base": None}, tmp_path)
    counts = tables["base"].groupby("region").size()
    assert counts.to_dict() == {"global": 3, "face": 3, "hand": 2}


def test_systems_are_compared_on_the_same_latents(pipeline, people, values):
    run = train(TrainSettings(**values))
    tables = heldout_losses(
        pipeline, {"base": None, "lora": run.directory, "again": run.weights}, people, draws=2
    )
    np.testing.assert_array_equal(tables["lora"].loss, tables["again"].loss)
    assert (tables["lora"].loss != tables["base"].loss).all()
    off = heldout_losses(pipeline, {"off": run.directory}, people, draws=2, adapter_scale=0.0)["off"]
    np.testing.assert_allclose(off.loss, tables["base"].loss, rtol=1e-5)
    compared = compare_losses({name: tables[name] for name in ("base", "lora")})
    assert {row["region"] for row in compared["loss_differences"]} == {"global", "face", "hand"}
    assert not pipeline.get_active_adapters()


def test_random_transforms_are_refused(pipeline, people):
    examples = Examples(pipeline, HumanFolder(people), JointTransform(64, flip=0.5))
    with pytest.raises(ValueError, match="must not be random"):
        heldout_errors(pipeline.unet, examples)


@pytest.mark.parametrize("name", ["draws", "images", "batch_size"])
def test_counts_below_one_are_refused(pipeline, examples, name):
    with pytest.raises(ValueError, match=f"{name}: must be ≥ 1, got 0"):
        heldout_errors(pipeline.unet, examples, **{name: 0})
