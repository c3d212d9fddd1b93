"""The loop: what it logs, what it learns, what it refuses."""

import json
import os
import shutil

import numpy as np
import pytest
import torch
from people import write_folder, write_metadata
from safetensors.torch import load_file, save_file

from fairhuman.models import load_base, tiny_pipeline
from fairhuman.training import Run, TrainSettings, load_lora, train
from fairhuman.training import _loop as loop
from fairhuman.training import _objectives as objectives


def lora(run):
    return load_file(run.weights)


def assert_same(first, second):
    first, second = lora(first), lora(second)
    assert first.keys() == second.keys()
    for name, tensor in first.items():
        assert torch.equal(tensor, second[name]), name


def test_mpd_logs_weights_that_solve_eq_8(values):
    run = train(TrainSettings(**values, strategy="mpd"))
    assert [line["step"] for line in run.log] == list(range(6))
    for line in run.log:
        K = np.array(line["gramian"])
        w = np.array([line["weights"][name] for name in ("global", "face", "hand")])
        np.testing.assert_allclose(K @ w, w**-0.5, rtol=1e-9)
        assert line["finite"] and len(line["timesteps"]) == 2
        assert line["present"] == {"global": 2, "face": 2, "hand": 2}
    assert run.complete and Run.open(run.directory) == run


def test_ls_sums_the_losses_as_a_plain_loop_does(values, trainer_of):
    """Linear scalarisation against a loop written out: same draws, one loss, one backward."""
    run = train(TrainSettings(**values, strategy="ls", optimizer="adam"))
    settings = run.settings
    trainer = trainer_of(settings)
    optimizer = torch.optim.Adam(trainer.parameters.values(), lr=settings.learning_rate)
    for step in range(settings.steps):
        batch = trainer.objectives.parts(trainer.objectives.draw(step))[0].batch
        error = trainer.adapter.predict(batch) - batch.target
        loss = sum((mask * error).square().mean() for mask in (1, *batch.masks.values()))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    expected = {name: parameter.detach().clone() for name, parameter in trainer.parameters.items()}
    trainer.pipeline.unet.delete_adapters("default")
    load_lora(trainer.pipeline, run.directory, name="default")
    trained = dict(trainer.pipeline.unet.named_parameters())
    for name, parameter in expected.items():
        torch.testing.assert_close(trained[name].detach(), parameter, rtol=1e-4, atol=1e-6)


def test_training_lowers_the_held_out_losses(values):
    run = train(TrainSettings(**values | {"steps": 20}, heldout=values["data"], heldout_every=10))
    assert [line["step"] for line in run.heldout] == [0, 10, 20]
    first, last = run.heldout[0]["errors"], run.heldout[-1]["errors"]
    for name in ("global", "face", "hand"):
        assert np.mean(last[name]) < 0.97 * np.mean(first[name])


@pytest.mark.parametrize("strategy", ["ls", "mpd"])
def test_a_run_cut_off_anywhere_ends_with_the_same_bits(values, tmp_path, monkeypatch, strategy):
    common = values | {"strategy": strategy, "checkpoint_every": 2, "flip": 0.5, "gramian_every": 3}
    whole = train(TrainSettings(**common | {"heldout": values["data"], "heldout_every": 3}))
    settings = TrainSettings(
        **common | {"heldout": values["data"], "heldout_every": 3, "output": str(tmp_path / "cut")}
    )

    class Cut(BaseException):
        """Not an Exception: nothing may swallow it, as nothing catches a kill."""

    for place in (1, 3, 4, 5):
        advance = loop.Trainer.advance

        def cut(self, place=place, advance=advance):
            if self.step == place:
                raise Cut
            return advance(self)

        monkeypatch.setattr(loop.Trainer, "advance", cut)
        with pytest.raises(Cut):
            train(settings)
        monkeypatch.setattr(loop.Trainer, "advance", advance)
    resumed = train(settings)
    assert_same(whole, resumed)

    def lines(run):
        return [{key: value for key, value in line.items() if key != "seconds"} for line in run.log]

    assert lines(whole) == lines(resumed)
    assert whole.heldout == resumed.heldout


def test_a_line_cut_short_is_dropped(values):
    settings = TrainSettings(**values, checkpoint_every=2)
    whole = train(settings)
    expected = lora(whole)
    whole.weights.unlink()
    (whole.directory / "checkpoints/step-00000006.safetensors").rename(
        whole.directory / "checkpoints/step-00000004.safetensors"
    )  # keeps the name in step with what follows; the step inside the file counts
    with (whole.directory / "log.jsonl").open("a") as file:
        file.write('{"step": 6, "los')
    again = train(settings)
    for name, tensor in lora(again).items():
        assert torch.equal(tensor, expected[name])
    assert [line["step"] for line in again.log] == list(range(6))


def test_a_complete_run_is_not_made_again(values):
    run = train(TrainSettings(**values))
    before = {path: path.stat().st_mtime_ns for path in run.directory.rglob("*")}
    assert train(TrainSettings(**values)) == run
    assert before == {path: path.stat().st_mtime_ns for path in run.directory.rglob("*")}


def test_caching_changes_nothing(values, tmp_path):
    cached = train(TrainSettings(**values, flip=0.5))
    encoded = train(TrainSettings(**values | {"output": str(tmp_path / "other")}, flip=0.5, cache=False))
    assert_same(cached, encoded)


def test_random_crops_train(values, tmp_path):
    wide = tmp_path / "wide"
    write_folder(wide, count=2, size=(64, 96))
    runs = [
        train(TrainSettings(**values | {"data": str(wide), "steps": 2, "output": str(tmp_path / crop)},
                            crop=crop, cache=False))
        for crop in ("random", "center")
    ]  # fmt: skip
    random, center = ([line["losses"]["global"] for line in run.log] for run in runs)
    assert len(random) == 2 and random[0] != center[0]


def test_images_without_hands_train(values, people, tmp_path):
    entries = write_folder(tmp_path / "some", count=2, size=(64, 64))
    for entry in entries:
        entry["hand_mask_file_name"] = None
    write_metadata(tmp_path / "some", entries)
    run = train(TrainSettings(**values | {"data": str(tmp_path / "some"), "steps": 3}))
    for line in run.log:
        assert line["weights"]["hand"] == 0 and line["present"]["hand"] == 0
        assert line["weights"]["face"] > 0


def test_regions_are_free(values):
    run = train(TrainSettings(**values | {"steps": 2}, regions=()))
    assert list(run.log[0]["losses"]) == ["global"]


def test_gramians_are_logged_for_a_strategy_without_them(values, tmp_path):
    plain = train(TrainSettings(**values, strategy="ls"))
    watched = train(
        TrainSettings(**values | {"output": str(tmp_path / "watched")}, strategy="ls", gramian_every=2)
    )
    assert [line["gramian"] is not None for line in watched.log] == [True, False] * 3
    assert all(line["gramian"] is None for line in plain.log)
    for name, tensor in lora(plain).items():
        torch.testing.assert_close(tensor, lora(watched)[name], rtol=1e-3, atol=1e-5)


def test_checkpointed_gradients_are_the_same(values, tmp_path):
    plain = train(TrainSettings(**values))
    saved = train(TrainSettings(**values | {"output": str(tmp_path / "other")}, gradient_checkpointing=True))
    for name, tensor in lora(plain).items():
        torch.testing.assert_close(tensor, lora(saved)[name], rtol=1e-3, atol=1e-5)


def test_bfloat16_keeps_the_lora_in_float32(values):
    run = train(TrainSettings(**values | {"steps": 3}, precision="bf16"))
    assert all(line["finite"] for line in run.log)
    assert all(tensor.dtype == torch.float32 for tensor in lora(run).values())


def test_non_finite_steps_are_skipped_then_stop(values, monkeypatch):
    losses = objectives.regional_losses
    calls = []

    def sometimes(*arguments, **options):
        calls.append(1)
        found = losses(*arguments, **options)
        return {name: loss * float("nan") if len(calls) in (2, 3) else loss for name, loss in found.items()}

    monkeypatch.setattr(objectives, "regional_losses", sometimes)
    run = train(TrainSettings(**values, skip_limit=3))
    assert [line["finite"] for line in run.log] == [True, False, False, True, True, True]
    assert all(tensor.isfinite().all() for tensor in lora(run).values())
    monkeypatch.setattr(
        objectives,
        "regional_losses",
        lambda *a, **o: {k: v * float("inf") for k, v in losses(*a, **o).items()},
    )
    with pytest.raises(FloatingPointError, match="3 consecutive steps"):
        train(TrainSettings(**values | {"output": values["output"] + "-2"}, skip_limit=3))


def test_the_lora_loads_in_plain_diffusers_and_changes_the_image(values, base):
    from diffusers import StableDiffusionXLPipeline

    run = train(TrainSettings(**values, alpha=1.0))
    pipeline = StableDiffusionXLPipeline.from_pretrained(base)

    def image():
        return np.asarray(
            pipeline(
                "a person",
                num_inference_steps=2,
                generator=torch.Generator().manual_seed(0),
                output_type="np",
            ).images[0]
        )

    before = image()
    pipeline.load_lora_weights(run.directory)
    assert np.abs(image() - before).max() > 1e-3
    (config,) = pipeline.unet.peft_config.values()
    assert (config.r, config.lora_alpha) == (2, 1.0)
    ours = load_base(base)
    load_lora(ours, run.directory)
    theirs = {name: p for name, p in pipeline.unet.named_parameters() if "lora" in name}
    for name, parameter in ours.unet.named_parameters():
        if "lora" in name:
            assert torch.equal(parameter, theirs[name.replace(".lora.", ".default_0.")])


def test_a_lora_for_another_base_is_refused(values, tmp_path):

    from fairhuman.models import TINY

    run = train(TrainSettings(**values | {"steps": 1}))
    other = tiny_pipeline(architecture=TINY.changed(unet_channels=(16, 64)))
    with pytest.raises(ValueError, match="does not fit this base"):
        load_lora(other, run.weights)
    assert not any("lora" in name for name, _ in other.unet.named_parameters())
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_lora(other, tmp_path)
    state = load_file(run.weights)
    next(iter(state.values()))[0] = float("nan")
    save_file(state, tmp_path / "nan.safetensors")
    with pytest.raises(ValueError, match="must hold finite weights"):
        load_lora(tiny_pipeline(), tmp_path / "nan.safetensors")


def test_weights_are_for_all_whom_the_mask_lets_read(values):
    mask = os.umask(0o027)
    try:
        run = train(TrainSettings(**values | {"steps": 1}))
    finally:
        os.umask(mask)
    assert run.weights.stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"strategy": "mdp"}, ValueError, "mdp"),
        ({"data": "nowhere"}, FileNotFoundError, "nowhere"),
        ({"heldout": "nowhere"}, FileNotFoundError, "nowhere"),
        ({"base": "./nowhere"}, FileNotFoundError, "nowhere"),
        ({"regions": ["foot"]}, ValueError, "foot_mask_file_name"),
        ({"targets": ["to_z"]}, ValueError, "'to_z'"),
        ({"resolution": 72}, ValueError, "resolution: must be a multiple of 16"),
    ],
)
def test_refusals_leave_nothing_behind(values, tmp_path, change, error, words):
    with pytest.raises(error, match=words):
        train(TrainSettings(**values | change))
    assert not (tmp_path / "run").exists()


def test_a_folder_with_another_run_is_refused(values):
    run = train(TrainSettings(**values | {"steps": 1}))
    before = lora(run)
    with pytest.raises(ValueError, match=r"contains another run: steps is 1 there, 2 here"):
        train(TrainSettings(**values | {"steps": 2}))
    assert all(torch.equal(tensor, before[name]) for name, tensor in lora(run).items())


@pytest.mark.parametrize("what", ["data", "base"])
def test_a_run_from_other_inputs_is_refused_or_replaced(values, people, base, tmp_path, what):
    shutil.copytree(values[what], tmp_path / what)
    mine = values | {what: str(tmp_path / what), "steps": 1}
    train(TrainSettings(**values | {"steps": 1}))
    moved = train(TrainSettings(**mine))  # the same content elsewhere is the same input
    first, time = lora(moved), moved.weights.stat().st_mtime_ns
    if what == "data":
        write_folder(tmp_path / what, count=6, size=(64, 64), seed=9)
    else:
        tiny_pipeline(seed=1).save_pretrained(tmp_path / what)
    with pytest.raises(ValueError, match=f"contains another run: its {what} was not what"):
        train(TrainSettings(**mine))
    assert moved.weights.stat().st_mtime_ns == time
    again = lora(train(TrainSettings(**mine), replace=True))
    assert any(not torch.equal(tensor, again[name]) for name, tensor in first.items())


def test_replacing_spares_what_is_no_run(values, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/diary.txt").write_text("dear diary")
    with pytest.raises(ValueError, match="holds something else"):
        train(TrainSettings(**values), replace=True)
    assert (tmp_path / "run/diary.txt").is_file()


def test_what_somebody_put_into_a_run_stays_when_it_is_replaced(values):
    run = train(TrainSettings(**values | {"steps": 2, "checkpoint_every": 1}))
    (run.directory / "notes.txt").write_text("my notes")
    replaced = train(TrainSettings(**values | {"steps": 1}), replace=True)
    names = {path.name for path in replaced.directory.iterdir()}
    assert (run.directory / "notes.txt").read_text() == "my notes" and "checkpoints" not in names
    assert len(replaced.log) == 1 and not replaced.changes


def test_nothing_is_removed_before_the_new_run_is_known_to_be_in_order(values):
    run = train(TrainSettings(**values | {"steps": 1}))
    with pytest.raises(ValueError, match="to_z"):
        train(TrainSettings(**values | {"targets": ["to_z"]}), replace=True)
    assert run.complete


def test_a_folder_with_something_else_is_refused(values, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run/diary.txt").write_text("dear diary")
    with pytest.raises(ValueError, match="holds something else"):
        train(TrainSettings(**values))
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file"):
        train(TrainSettings(**values | {"output": str(tmp_path / "file")}))


def test_the_log_is_json_without_nan(values, people, tmp_path):
    entries = write_folder(tmp_path / "some", count=2, size=(64, 64))
    entries[0]["hand_mask_file_name"] = None
    write_metadata(tmp_path / "some", entries)
    run = train(
        TrainSettings(**values | {"data": str(tmp_path / "some"), "steps": 1}, heldout=str(tmp_path / "some"))
    )
    for name in ("log.jsonl", "heldout.jsonl"):
        for line in (run.directory / name).read_text().splitlines():
            json.loads(line, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert run.heldout[0]["errors"]["hand"][0] is None
