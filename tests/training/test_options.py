"""Options of the loop: each against a reference, or by what it must not change."""

import json
import shutil
from functools import partial

import numpy as np
import pytest
import torch
from accelerate import tracking
from accelerate.tracking import GeneralTracker
from accelerate.utils import LoggerType
from diffusers import FlowMatchEulerDiscreteScheduler
from people import write_folder, write_metadata
from safetensors.torch import load_file

from fairhuman.models import load_base
from fairhuman.training import TrainSettings, train
from fairhuman.training import _loop as loop
from fairhuman.training._precision import LossScale


def same(first, second, **tolerance):
    mine, other = load_file(first.weights), load_file(second.weights)
    for name, tensor in mine.items():
        torch.testing.assert_close(tensor, other[name], **tolerance)


@pytest.mark.parametrize("strategy", ["ls", "mpd"])
@pytest.mark.parametrize("reduction", ["image", "mask"])
def test_parts_of_a_step_are_the_step(values, tmp_path, strategy, reduction):
    """Images without a hand make the parts unlike: an average of averages would differ."""
    entries = write_folder(tmp_path / "some", count=6, size=(64, 64))
    for entry in entries[::2]:
        entry["hand_mask_file_name"] = None
    write_metadata(tmp_path / "some", entries)
    common = values | {"steps": 2, "batch_size": 4, "data": str(tmp_path / "some"), "optimizer": "adam"}
    common |= {"strategy": strategy, "reduction": reduction}
    whole = train(TrainSettings(**common))
    parts = train(TrainSettings(**common | {"output": str(tmp_path / "parts")}, accumulation=4))
    for one, other in zip(whole.log, parts.log, strict=True):
        for name in one["losses"]:
            assert one["losses"][name] == pytest.approx(other["losses"][name], rel=1e-5)
            assert one["weights"][name] == pytest.approx(other["weights"][name], rel=1e-3)
    same(whole, parts, rtol=1e-2, atol=1e-4)


def test_the_rate_follows_its_schedule(values):
    run = train(TrainSettings(**values, schedule="cosine", warmup=2))
    rates = np.array([line["learning_rate"] for line in run.log]) / values["learning_rate"]
    np.testing.assert_allclose(rates[:3], [0, 0.5, 1])
    np.testing.assert_allclose(rates[2:], 0.5 * (1 + np.cos(np.pi * np.arange(4) / 4)))


def test_a_rate_of_zero_moves_nothing(values, trainer_of):
    one = train(TrainSettings(**values | {"steps": 2, "weight_decay": 0.0}, warmup=1))
    assert one.log[0]["learning_rate"] == 0
    trainer = trainer_of(one.settings)
    before = {name: p.detach().clone() for name, p in trainer.parameters.items()}
    trainer.advance()
    assert all(torch.equal(before[name], p) for name, p in trainer.parameters.items())


def test_seconds_end_a_run_and_resuming_counts_them(values):
    run = train(TrainSettings(**values | {"steps": 10_000}, seconds=0.3, checkpoint_every=1))
    spent = [line["seconds"] for line in run.log]
    assert 1 <= len(spent) < 10_000 and sum(spent[:-1]) < 0.3 <= sum(spent) + 1e-3
    run.weights.unlink()
    again = train(TrainSettings(**values | {"steps": 10_000}, seconds=0.3, checkpoint_every=1))
    assert again.complete and len(again.log) == len(spent)


def test_min_snr_weighs_each_image(values, trainer_of):
    plain, weighed = (
        trainer_of(TrainSettings(**values, **more)).objectives for more in ({}, {"min_snr": 5.0})
    )
    examples = plain.draw(0)
    (part,) = plain.parts(examples)
    (weighed_part,) = weighed.parts(examples)
    with torch.no_grad():
        prediction = plain.predict(part.batch)
        found = weighed.losses(weighed_part, prediction)
    share = plain.examples.scheduler.alphas_cumprod[[e.timestep for e in examples]]
    snr = share / (1 - share)
    errors = (prediction - part.batch.target).square().mean(dim=(1, 2, 3))
    expected = (errors * snr.clamp(max=5) / (snr + 1)).mean()  # v-prediction
    assert part.weights is None
    torch.testing.assert_close(found["global"], expected, rtol=1e-4, atol=1e-7)


def test_a_noise_offset_moves_the_noise_only(values, trainer_of):
    plain, offset = (
        trainer_of(TrainSettings(**values, **more)).objectives for more in ({}, {"noise_offset": 0.1})
    )
    for mine, theirs in zip(plain.draw(0), offset.draw(0), strict=True):
        assert torch.equal(mine.latents, theirs.latents) and mine.timestep == theirs.timestep
        moved = theirs.noise - mine.noise
        torch.testing.assert_close(moved, moved[:, :1, :1].expand_as(moved))
        assert moved.abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["epsilon", "flow"])
def test_bases_of_other_targets_train(values, base, tmp_path, kind):
    pipeline = load_base(base)
    if kind == "flow":
        pipeline.scheduler = FlowMatchEulerDiscreteScheduler()
    else:
        pipeline.scheduler.register_to_config(prediction_type="epsilon", rescale_betas_zero_snr=False)
    pipeline.save_pretrained(tmp_path / "base")
    given = values | {"base": str(tmp_path / "base"), "heldout": values["data"], "heldout_draws": 2}
    run = train(TrainSettings(**given | {"steps": 12}))
    first, last = (np.mean(run.heldout[place]["errors"]["global"]) for place in (0, -1))
    assert last < first
    if kind == "flow":
        with pytest.raises(ValueError, match="trained with flow matching"):
            train(TrainSettings(**given | {"output": str(tmp_path / "x")}, min_snr=5.0))
        assert not (tmp_path / "x").exists()


def test_float16_weighs_unscaled_gradients(values, tmp_path):
    """As in float32, whatever the loss scale."""
    exact = train(TrainSettings(**values | {"steps": 1}))
    half = train(TrainSettings(**values | {"output": str(tmp_path / "half"), "steps": 1}, precision="fp16"))
    assert half.log[0]["finite"]
    assert all(tensor.dtype == torch.float32 for tensor in load_file(half.weights).values())
    for name, weight in exact.log[0]["weights"].items():
        assert half.log[0]["weights"][name] == pytest.approx(weight, rel=0.05)


def test_float16_halves_a_loss_scale_that_overflows(values, monkeypatch):
    monkeypatch.setattr(loop, "LossScale", partial(LossScale, start=2.0**24))
    finite = [line["finite"] for line in train(TrainSettings(**values | {"steps": 8}, precision="fp16")).log]
    assert not finite[0] and finite[-1] and finite == sorted(finite)


def test_validation_samples_change_nothing_else(values, tmp_path):
    given = values | {"steps": 2, "heldout": values["data"], "heldout_draws": 1}
    plain = train(TrainSettings(**given))
    watched = train(
        TrainSettings(**given | {"output": str(tmp_path / "other")}, sample_every=1, sample_count=2)
    )
    names = sorted(
        str(path.relative_to(watched.directory / "samples"))
        for path in (watched.directory / "samples").rglob("*.png")
    )
    assert names == [f"step-00000{step}/00{index}.png" for step in (1, 2) for index in (0, 1)]
    same(plain, watched, rtol=0, atol=0)


def test_control_networks_draw_validation_samples(values, tmp_path):
    given = {name: value for name, value in values.items() if name != "rank"}
    given |= {"steps": 1, "heldout": values["data"], "heldout_draws": 1, "sample_every": 1}
    run = train(TrainSettings(**given, adapter="controlnet", sample_count=1))
    assert (run.directory / "samples/step-000001/000.png").is_file()


def test_a_base_that_lacks_a_part_is_refused(values, base, tmp_path):
    shutil.copytree(base, tmp_path / "refiner")
    index = json.loads((tmp_path / "refiner/model_index.json").read_text())
    (tmp_path / "refiner/model_index.json").write_text(json.dumps(index | {"text_encoder": [None, None]}))
    with pytest.raises(ValueError, match="refiner lacks the part text_encoder"):
        train(TrainSettings(**values | {"base": str(tmp_path / "refiner")}))
    assert not (tmp_path / "run").exists()


def test_a_tracker_that_is_not_installed_is_named(values, tmp_path, monkeypatch):
    monkeypatch.setattr("accelerate.utils.is_wandb_available", lambda: False)
    with pytest.raises(ImportError, match="tracker: wandb is not installed; pip install wandb"):
        train(TrainSettings(**values, tracker="wandb"))
    assert not (tmp_path / "run").exists()


def test_a_tracker_is_told_of_every_step(values, monkeypatch):
    lines, facts, pictures = [], [], []

    class Told(GeneralTracker):
        name, requires_logging_directory, tracker = "tensorboard", True, lines

        def __init__(self, run_name, logging_dir, **_):
            super().__init__()
            assert logging_dir == values["output"]

        def store_init_configuration(self, given):
            facts.append(given)

        def log(self, given, step=None, **_):
            lines.append((step, given))

        def log_images(self, given, step=None, dataformats=None):
            pictures.extend((name, step, images.shape[-1], dataformats) for name, images in given.items())

    monkeypatch.setattr("accelerate.utils.is_tensorboard_available", lambda: True)
    monkeypatch.setattr(tracking, "get_available_trackers", lambda: [LoggerType.TENSORBOARD])
    monkeypatch.setitem(tracking.LOGGER_TYPE_TO_CLASS, "tensorboard", Told)
    samples = {"heldout": values["data"], "sample_every": values["steps"], "sample_count": 1}
    run = train(TrainSettings(**values | samples, tracker="tensorboard"))
    assert [step for step, _ in lines] == [line["step"] for line in run.log]
    for (_, given), line in zip(lines, run.log, strict=True):
        assert given["losses/face"] == line["losses"]["face"]
        assert given["weights/hand"] == line["weights"]["hand"]
        assert given["coverage/face"] == line["coverage"]["face"] > 0
        assert given["gradient_norms/face"] == pytest.approx(line["gramian"][1][1] ** 0.5)
        assert sum(value for name, value in given.items() if name.startswith("shares/")) == pytest.approx(1)
    assert pictures == [("masks", 0, 3, "NHWC"), ("samples", values["steps"], 3, "NHWC")]
    assert facts[0]["strategy"] == "mpd" and "data" not in facts[0]


def test_a_base_that_predicts_the_image_is_refused(values, base, tmp_path):
    pipeline = load_base(base)
    pipeline.scheduler.register_to_config(prediction_type="sample")
    pipeline.save_pretrained(tmp_path / "base")
    with pytest.raises(ValueError, match="prediction_type must be .*, got 'sample'"):
        train(TrainSettings(**values | {"base": str(tmp_path / "base")}))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"accumulation": 3}, "accumulation: must divide batch_size = 4, got 3"),
        ({"warmup": 1000}, "warmup: must be below steps = 1000"),
        ({"seconds": 5.0, "schedule": "cosine"}, "schedule: 'cosine' ends at the last step"),
        ({"sample_every": 5}, "sample_every: validation samples need captions; set heldout"),
        ({"min_snr": 0}, "min_snr: must be > 0"),
        ({"noise_offset": -0.1}, "noise_offset: must be ≥ 0"),
        ({"schedule": "cosin"}, "did you mean 'cosine'"),
        ({"tracker": "tensorbord"}, "did you mean 'tensorboard'"),
    ],
)
def test_contradictions_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        TrainSettings(data="people", output="run", **change)
