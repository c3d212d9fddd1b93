"""Images of any proportions and regularisation images, through the whole of a training."""

import json
import logging
from pathlib import Path

import numpy as np
import pytest
import torch
from people import write_folder, write_metadata, write_mixed
from PIL import Image
from safetensors.torch import load_file

from fairhuman.data import HumanFolder, JointTransform
from fairhuman.data.exchange import import_folder
from fairhuman.fairness import alpha_fair_weights
from fairhuman.training import Examples, Run, TrainSettings, _batches, collate, heldout_errors, train
from fairhuman.training._loop import Trainer
from fairhuman.training._regularisation import read_regularisation

SIZES = [(64, 64), (96, 60), (60, 100), (128, 80), (64, 64), (64, 100)]
BUCKETS = {"buckets": True, "bucket_step": 16}


@pytest.fixture(scope="session")
def mixed(tmp_path_factory):
    """Six images of four sizes, in three buckets."""
    folder = tmp_path_factory.mktemp("mixed")
    write_mixed(folder, SIZES)
    return folder


@pytest.fixture
def own(values, mixed):
    """Settings of a run on them, as keyword arguments."""
    return values | BUCKETS | {"data": str(mixed)}


def weights(settings):
    return load_file(train(settings, progress=False).weights)


def same(one, other):
    return one.keys() == other.keys() and all(
        torch.equal(tensor, other[name]) for name, tensor in one.items()
    )


def trainer_of(settings):
    data = HumanFolder(settings.data, settings.regions, settings.conditions)
    return Trainer(Run(Path(settings.output), settings), data, regularisation=read_regularisation(settings))


def test_a_run_of_many_proportions(own, mixed, caplog):
    caplog.set_level(logging.INFO)
    more = {"accumulation": 2, "flip": 0.5, "group_by_presence": True, "sample_every": 6, "sample_count": 3}
    run = train(TrainSettings(**own | more, heldout=str(mixed)), progress=False)
    transform = run.settings.transform
    targets = [transform.target(size) for size in SIZES]
    assert {tuple(line["size"]) for line in run.log} <= set(targets)
    assert len({tuple(line["size"]) for line in run.log}) > 1
    for line in run.heldout:
        assert all(value is None or value > 0 for values in line["errors"].values() for value in values)
        assert all(len(values) == len(SIZES) for values in line["errors"].values())
    for place in range(3):
        picture = Image.open(run.directory / f"samples/step-000006/{place:03d}.png")
        assert picture.size == targets[place][::-1]
    table = json.loads((run.directory / "buckets.json").read_text())["data"]
    assert {tuple(row["size"]): row["images"] for row in table["buckets"]} == {
        size: targets.count(size) for size in targets
    }
    said = [record.getMessage() for record in caplog.records]
    assert any("bucket 48 × 80 (height × width): 2 images" in line for line in said)
    assert sum("fewer images than batch_size" in line for line in said) == 0
    assert (run.directory / "masks.jpg").stat().st_size > 1000


def test_an_interrupted_run_ends_with_the_same_bits(own, mixed):
    settings = TrainSettings(
        **own
        | {"flip": 0.5, "checkpoint_every": 2, "regularisation": str(mixed), "crop": "random", "cache": False}
    )
    whole = train(settings, progress=False)
    expected, log = load_file(whole.weights), whole.log
    whole.weights.unlink()
    (whole.directory / "checkpoints/step-00000006.safetensors").unlink()
    again = train(settings, progress=False)
    assert same(load_file(again.weights), expected)
    assert [line["size"] for line in again.log] == [line["size"] for line in log]


def test_every_cache_gives_the_same_bits(own, tmp_path, monkeypatch):
    calls, encode = [], _batches.encode_image
    monkeypatch.setattr(_batches, "encode_image", lambda *given: calls.append(1) or encode(*given))

    def run(name, **changes):
        before = len(calls)
        found = weights(TrainSettings(**own | {"output": str(tmp_path / name), "steps": 2} | changes))
        return found, len(calls) - before

    memory, count = run("memory")
    kept = {"cache_folder": str(tmp_path / "kept")}
    assert same(run("none", cache=False)[0], memory) and same(run("disk", **kept)[0], memory)
    again, encoded = run("again", **kept)
    assert same(again, memory) and encoded == 0 < count


def test_one_square_bucket_is_a_run_without_buckets(values, tmp_path):
    values |= {"flip": 0.5, "steps": 4}
    plain = weights(TrainSettings(**values))
    bucket = TrainSettings(**values | BUCKETS | {"output": str(tmp_path / "bucket")})
    assert same(weights(bucket), plain)


@pytest.mark.parametrize("kind", ["controlnet", "t2i-adapter"])
def test_conditions_go_through_the_same_transform(own, kind):
    settings = TrainSettings(**{k: v for k, v in own.items() if k != "rank"} | {"adapter": kind})
    trainer = trainer_of(settings)
    for step in range(4):
        (part,) = trainer.objectives.parts(trainer.objectives.draw(step))
        batch = part.batch
        height, width = (8 * side for side in batch.noisy.shape[-2:])
        assert all(image.shape[-2:] == (height, width) for image in batch.conditions.values())
        assert batch.time_ids[:, -2:].tolist() == [[height, width]] * 2
        assert all(mask.shape[-2:] == batch.noisy.shape[-2:] for mask in batch.masks.values())
        trainer.step = step
        assert trainer.advance()["finite"]


def test_shares_of_processes_make_up_the_batch(own):
    objectives = trainer_of(TrainSettings(**own | {"batch_size": 4})).objectives
    whole = [objectives.draw(step) for step in range(4)]

    class Process:
        num_processes = 2

        def __init__(self, rank):
            self.process_index = rank

    for step, expected in enumerate(whole):
        shares = []
        for rank in range(2):
            objectives.accelerator = Process(rank)
            shares += objectives.draw(step)
        assert [one.timestep for one in shares] == [one.timestep for one in expected]
        assert [one.encoded.caption for one in shares] == [one.encoded.caption for one in expected]
        assert len({tuple(one.encoded.time_ids[-2:].tolist()) for one in expected}) == 1


def test_heldout_errors_are_those_of_each_image_alone(own, mixed, trainer_of):
    settings = TrainSettings(**own)
    trainer = trainer_of(settings)
    examples = Examples(trainer.pipeline, HumanFolder(mixed), settings.transform)
    together = heldout_errors(trainer.adapter, examples, draws=2)
    alone = heldout_errors(trainer.adapter, examples, draws=2, batch_size=1)
    np.testing.assert_array_equal(together.timesteps, alone.timesteps)
    for name, values in together.errors.items():
        np.testing.assert_allclose(values, alone.errors[name], rtol=1e-4)
    assert len({one.shape for one in (examples.draw(i, torch.Generator()).latents for i in range(6))}) == 3


def line_and_gradient(settings, step=0):
    """Log line and direction of one step, as after some training."""
    trainer, kept = trainer_of(settings), []
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in trainer.parameters.values():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    trainer.apply = lambda fair: kept.extend(p.grad.flatten() for p in trainer.parameters.values())
    trainer.step = step
    return trainer.advance(), torch.cat(kept)


def regularised(values, mixed, weight, **changes):
    given = {"regularisation": str(mixed), "regularisation_weight": weight, "data": str(mixed)}
    return TrainSettings(**values | BUCKETS | given | changes)


def test_under_ls_their_gradient_counts_as_often_as_their_weight_says(values, mixed):
    found = [
        line_and_gradient(regularised(values, mixed, weight, strategy="ls", batch_size=4))[1]
        for weight in (1.0, 2.0, 3.0)
    ]
    assert found[0].norm() > 0 and (found[1] - found[0]).norm() > 0.01 * found[0].norm()
    torch.testing.assert_close(found[2] - found[1], found[1] - found[0], rtol=1e-3, atol=1e-6)


def test_under_mpd_the_weights_follow_from_the_weighted_gradients(values, mixed):
    for weight in (1.0, 3.0):
        line, _ = line_and_gradient(regularised(values, mixed, weight, batch_size=4))
        expected = alpha_fair_weights(torch.tensor(line["gramian"], dtype=torch.float64))
        assert list(line["weights"].values()) == pytest.approx(expected.tolist(), rel=1e-6)


def test_a_batch_of_them_alone_has_mpd_weights_that_undo_their_weight(values, people):
    """w ∝ λ^(−4/3), so that the direction goes as λ^(−1/3)."""
    given = {"batch_size": 1, "regularisation": str(people)}
    one, two = (
        line_and_gradient(TrainSettings(**values | given | {"regularisation_weight": weight}), step=1)
        for weight in (1.0, 8.0)
    )
    for name, weight in one[0]["weights"].items():
        assert two[0]["weights"][name] == pytest.approx(weight / 16, rel=1e-4)
    torch.testing.assert_close(two[1], one[1] / 2, rtol=1e-3, atol=1e-6)


def test_images_without_masks_take_part_in_the_global_objective_alone(values, tmp_path, people):
    entries = write_folder(tmp_path / "bare", count=3, size=(64, 64), seed=20)
    bare = [{key: value for key, value in entry.items() if "mask" not in key} for entry in entries]
    write_metadata(tmp_path / "bare", bare)
    settings = TrainSettings(**values, regularisation=str(tmp_path / "bare"), regularisation_weight=0.5)
    examples = trainer_of(settings).objectives.draw(0)
    assert [example.weight for example in examples] == [1.0, 0.5]
    assert [bool(example.encoded.masks["face"].any()) for example in examples] == [True, False]
    run = train(settings.changed(steps=2), progress=False)
    assert all(line["present"] == {"global": 2, "face": 1, "hand": 1} for line in run.log)
    (tmp_path / "bare/metadata.jsonl").write_text((tmp_path / "bare/metadata.jsonl").read_text() * 2)
    with pytest.raises(ValueError, match="another run: its regularisation was not what"):
        train(settings.changed(steps=2))


def test_repeats_of_a_trainer_s_folders_decide_how_often_images_come(values, tmp_path):
    source = tmp_path / "kohya"
    for place, (folder, size) in enumerate({"3_a man": (96, 60), "1_a woman": (64, 64)}.items()):
        (source / folder).mkdir(parents=True)
        pixels = np.random.default_rng(place).integers(0, 255, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(source / folder / "a.png")
    import_folder(source, tmp_path / "people", "kohya", progress=False)
    given = {"data": str(tmp_path / "people"), "regions": (), "strategy": "ls"}
    objectives = trainer_of(TrainSettings(**values | BUCKETS | given)).objectives
    drawn = [one.encoded.caption for step in range(4) for one in objectives.draw(step)]
    assert (drawn.count("a man"), drawn.count("a woman")) == (6, 2)


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"bucket_step": 16}, "bucket_step: needs buckets true, got 16"),
        ({"further_resolutions": [32]}, r"further_resolutions: needs buckets true, got \(32,\)"),
        ({"buckets": True, "bucket_step": 12}, "bucket_step: must be a positive multiple of 8, got 12"),
        ({"buckets": True, "bucket_step": 24}, "resolution: must be a multiple of bucket_step = 24, got 64"),
        (BUCKETS | {"further_resolutions": [40]}, "must be other multiples of bucket_step = 16, got .40."),
        (BUCKETS | {"further_resolutions": [64]}, "must be other multiples of bucket_step = 16, got .64."),
        (BUCKETS | {"bucket_sides": [80, 128]}, "bucket_sides: must be the least and the largest side"),
        (BUCKETS | {"bucket_sides": [32]}, "bucket_sides: must be the least and the largest side"),
        ({"largest_enlargement": 0.5}, "largest_enlargement: must be ≥ 1, got 0.5"),
        ({"regularisation_weight": 0.5}, "regularisation_weight: needs regularisation images, got 0.5"),
        ({"regularisation_weight": 0.0}, "regularisation_weight: must be > 0, got 0"),
        (BUCKETS | {"bucket_step": 8}, "bucket_step: must be a multiple of 16 for this base, got 8"),
        ({"largest_enlargement": 1.05}, "line 2: 000000.png of 96 × 60 .* enlarged 1.07 times, more than"),
        ({"regularisation": "nowhere"}, "no such folder: nowhere"),
    ],
)  # fmt: skip
def test_bad_input_is_refused_before_anything_is_written(values, mixed, changes, word):
    with pytest.raises((ValueError, FileNotFoundError), match=word):
        train(TrainSettings(**values | {"data": str(mixed)} | changes))
    assert not Path(values["output"]).exists()


def test_what_the_crop_takes_is_named(tmp_path, values, caplog):
    entries = write_mixed(tmp_path / "people", [(64, 64), (40, 240)])
    mask = np.zeros((40, 240), np.uint8)
    mask[:, :30] = 255  # at the left edge, which is cropped
    Image.fromarray(mask).save(tmp_path / "people" / entries[1]["face_mask_file_name"])
    settings = TrainSettings(
        **values | BUCKETS | {"data": str(tmp_path / "people"), "bucket_sides": [48, 96]}
    )
    train(settings.changed(steps=1), progress=False)
    table = json.loads((Path(settings.output) / "buckets.json").read_text())["data"]
    assert table["halved"]["face"] == [Path(entries[1]["file_name"]).name]
    wide = next(row for row in table["buckets"] if row["size"][1] > row["size"][0])
    assert wide["most"] == pytest.approx(1 - wide["size"][1] / wide["size"][0] / 6, abs=1e-3)
    said = [record.getMessage() for record in caplog.records]
    assert any("more than half of the face of 1 of 2 images: 000000.png" in line for line in said)


def test_an_image_too_small_goes_to_a_lower_resolution(own):
    transform = TrainSettings(**own | {"further_resolutions": [32, 96]}).transform
    assert isinstance(transform, JointTransform)
    assert transform.target((40, 50)) == (32, 32) and transform.target((64, 64)) == (64, 64)
    assert transform.target((200, 200)) == (96, 96) and transform.target((20, 20)) == (32, 32)


def test_collated_batches_know_each_image_s_own_size(own):
    trainer = trainer_of(TrainSettings(**own))
    for step in range(3):
        drawn = trainer.objectives.draw(step)
        batch = collate(drawn, trainer.examples.scheduler)
        for ids, example in zip(batch.time_ids.tolist(), drawn, strict=True):
            size = SIZES[int(example.encoded.caption.removeprefix("person "))]
            transform = trainer.settings.transform
            target, resized = transform.target(size), transform.resized(size)
            corner = [(a - b) // 2 for a, b in zip(resized, target, strict=True)]
            assert ids == [*size, *corner, *target]
