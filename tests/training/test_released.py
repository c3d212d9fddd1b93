"""Each switch does to a step what the released code does, and is refused where it would do nothing."""

import numpy as np
import pytest
import torch
from diffusers import DDPMScheduler
from people import write_folder, write_metadata
from safetensors.torch import load_file

from fairhuman.data import Draw
from fairhuman.fairness import alpha_fair_weights, get_strategy
from fairhuman.regions import latent_mask
from fairhuman.seeds import example_index
from fairhuman.training import RELEASED, TrainSettings, train
from fairhuman.training._deviations import Deviations
from fairhuman.training._precision import LossScale

SHORT = {"steps": 2, "strategy": "mpd"}


@pytest.fixture
def first(values, tmp_path):
    """First line of the log of a run with switches, and what it trained."""
    made = []

    def run(*released, **changes):
        output = tmp_path / f"run-{len(made)}"
        made.append(train(TrainSettings(**values | SHORT | changes | {"output": output}, released=released)))
        return made[-1].log[0], load_file(made[-1].weights)

    return run


def vector(weights):
    return np.array(list(weights.values()))


def test_residuals_times_five_make_losses_times_25(first):
    plain, _ = first()
    scaled, _ = first("local_scale_inside")
    assert scaled["losses"]["global"] == plain["losses"]["global"]
    for name in ("face", "hand"):
        assert scaled["losses"][name] == pytest.approx(25 * plain["losses"][name], rel=1e-5)


def test_weights_times_the_number_of_objectives(first):
    np.testing.assert_allclose(vector(first("times_k")[0]["weights"]), 3 * vector(first()[0]["weights"]))


def test_three_times_the_direction_is_the_same_step_of_adam(first):
    """Why the ablations leave it out. A direction 10⁻⁷ times as large falls below Adam's ε: another step."""
    adam, runs = {"optimizer": "adam", "learning_rate": 1e-3}, ((), ("times_k",), ("scaled_gradients",))
    trained = [torch.cat([one.flatten() for one in first(*names, **adam)[1].values()]) for names in runs]
    near, far = ((other - trained[0]).abs().mean().item() for other in trained[1:])
    assert near < 0.01 * 1e-3 < 0.3 * 1e-3 < far


def test_scaled_gradients_shrink_the_direction(first):
    """With K → S²K the weights fall by S^(−4/3); the proportions stay."""
    plain, scaled = vector(first()[0]["weights"]), vector(first("scaled_gradients")[0]["weights"])
    np.testing.assert_allclose(scaled, plain * 65536 ** (-4 / 3), rtol=1e-6)
    np.testing.assert_allclose(vector(first("scaled_gradients", strategy="ls")[0]["weights"]), 1)


def test_an_exhausted_generator_leaves_the_plain_sum(first):
    line, trained = first("exhausted_generator")
    _, summed = first(strategy="ls")
    assert line["weights"] == {"global": 1, "face": 1, "hand": 1}
    assert all(torch.equal(tensor, summed[name]) for name, tensor in trained.items())


def test_independent_flips_part_masks_from_images(values, trainer_of):
    settings = TrainSettings(**values | {"flip": 0.5}, released=["independent_flips"])
    trainer = trainer_of(settings)
    fitting = 0
    for step in range(12):
        for example in trainer.objectives.draw(step):
            index = int(example.encoded.caption.split()[1])
            sample = trainer.examples.data[index]
            both = [settings.transform.apply(sample, Draw(flip, 0, 0)) for flip in (False, True)]
            latent = trainer.examples.pipeline.vae.encode(both[0].pixels[None]).latent_dist.mean[0]
            flipped = not torch.allclose(latent, example.encoded.latent.mean, atol=1e-4)
            mask = latent_mask(both[flipped].masks["face"][None], tuple(latent.shape[-2:]))[0]
            fitting += torch.equal(mask, example.encoded.masks["face"])
    assert 4 < fitting < 20  # of 24; each fits every second time


def test_independent_flips_change_nothing_else(values, trainer_of):
    def drawn(released):
        settings = TrainSettings(**values | {"flip": 0.5}, released=released)
        objectives = trainer_of(settings).objectives
        return objectives.draw(0) + objectives.draw(1)

    for mine, theirs in zip(drawn(()), drawn(("independent_flips",)), strict=True):
        assert torch.equal(mine.latents, theirs.latents) and torch.equal(mine.noise, theirs.noise)
        assert mine.timestep == theirs.timestep


def test_the_x0_term_adds_the_error_of_the_clean_latent(values, trainer_of):
    settings = TrainSettings(**values, released=["x0_term"])
    trainer = trainer_of(settings)
    examples = trainer.objectives.draw(0)
    (part,) = trainer.objectives.parts(examples)
    batch = part.batch
    with torch.no_grad():
        prediction = trainer.adapter.predict(batch)
    found = trainer.objectives.losses(part, prediction)
    scheduler = trainer.examples.scheduler
    share = scheduler.alphas_cumprod[[e.timestep for e in examples]].view(-1, 1, 1, 1)
    clean = share.sqrt() * batch.noisy - (1 - share).sqrt() * prediction  # v-prediction
    latents = torch.stack([e.latents for e in examples])
    for name, mask in {"global": 1, **batch.masks}.items():
        expected = (mask * (prediction - batch.target)).square().mean()
        expected = expected + (mask * (clean - latents)).square().mean()
        torch.testing.assert_close(found[name].detach(), expected, rtol=1e-4, atol=1e-7)


def test_an_overwritten_accumulation_is_the_last_part(values, tmp_path, trainer_of):
    common = values | SHORT | {"steps": 1}
    both = {"batch_size": 4, "accumulation": 2, "released": ["overwriting_accumulation"]}
    run = train(TrainSettings(**common | both))
    settings = TrainSettings(**common | {"batch_size": 4, "accumulation": 2, "output": str(tmp_path / "x")})
    trainer = trainer_of(settings)
    part = trainer.objectives.parts(trainer.objectives.draw(0))[1]
    losses = trainer.objectives.losses(part, trainer.adapter.predict(part.batch))
    rows = [
        torch.autograd.grad(loss, list(trainer.parameters.values()), retain_graph=True)
        for loss in losses.values()
    ]
    flat = torch.stack([torch.cat([g.reshape(-1) for g in row]) for row in rows]).double()
    np.testing.assert_allclose(
        vector(run.log[0]["weights"]), alpha_fair_weights(flat @ flat.T).numpy(), rtol=1e-4
    )


def test_an_overwritten_accumulation_counts_the_images_of_the_last_part(values, tmp_path, trainer_of):
    """Under ``mask`` the loss is a mean over the images with the region: here over the one that is left."""
    entries = write_folder(tmp_path / "some", count=2, size=(64, 64))
    entries[example_index(values["seed"], 0, 2)]["hand_mask_file_name"] = None
    write_metadata(tmp_path / "some", entries)
    common = values | SHORT | {"steps": 1, "data": str(tmp_path / "some"), "accumulation": 2}
    run = train(TrainSettings(**common, reduction="mask", released=["overwriting_accumulation"]))
    settings = TrainSettings(**common, reduction="mask")
    trainer = trainer_of(settings)
    part = trainer.objectives.parts(trainer.objectives.draw(0))[1]
    losses = trainer.objectives.losses(part, trainer.adapter.predict(part.batch))
    assert losses["hand"] > 0
    assert run.log[0]["losses"]["hand"] == pytest.approx(losses["hand"].item(), rel=1e-4)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"released": ["time_k"]}, "released: must be among local_scale_inside, .*, each once, got 'time_k'"),
        ({"released": ["times_k", "times_k"]}, "each once"),
        ({"released": ["exhausted_generator", "times_k"]}, "times_k has no effect"),
        ({"released": ["overwriting_accumulation"]}, "needs accumulation > 1"),
        ({"released": ["local_scale_inside"], "local_scale": 2.0}, "must not be given as well, got 2"),
        ({"released": ["independent_flips"]}, "needs flip > 0"),
        ({"released": ["independent_flips"], "flip": 0.5, "regions": []}, "needs regions"),
    ],
)
def test_switches_without_effect_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        TrainSettings(data="people", output="run", **change)


def test_all_are_off_by_default_and_described():
    assert TrainSettings(data="people", output="run").released == ()
    assert len(RELEASED) == 7 and all(RELEASED.values())


def test_without_a_switch_everything_is_given_back():
    """The loop calls these whatever the settings: the paper's method must pass through them untouched."""
    deviations, gramian, parts = Deviations(), torch.eye(3), [1, 2]
    strategy, weights = get_strategy("mpd"), torch.ones(3)
    assert deviations.strategy(strategy) is strategy
    assert deviations.gramian(gramian, LossScale("fp16")) is gramian
    assert deviations.weights(weights) is weights
    assert deviations.error_weights(None, None, torch.zeros(1)) is None
    assert deviations.local_scale(2.0) == 2.0 and deviations.parts(parts) is parts
    assert not deviations.independent_masks


def test_every_switch_changes_something():
    untouched = {"strategy": get_strategy("mpd"), "gramian": torch.eye(3), "weights": torch.ones(3)}
    for name in RELEASED:
        deviations = Deviations([name])
        changed = (
            deviations.strategy(untouched["strategy"]) is not untouched["strategy"],
            deviations.gramian(untouched["gramian"], LossScale("no")) is not untouched["gramian"],
            deviations.weights(untouched["weights"]) is not untouched["weights"],
            deviations.error_weights(None, DDPMScheduler(), torch.zeros(1, dtype=torch.long)) is not None,
            deviations.local_scale(1.0) != 1.0,
            deviations.parts([1, 2]) == [2],
            deviations.independent_masks,
        )
        assert sum(changed) == 1, name


def test_the_loss_scale_in_the_gramian_is_that_of_the_run():
    scale = LossScale("fp16", start=8.0)
    found = Deviations(["scaled_gradients"]).gramian(torch.eye(2), scale)
    assert torch.equal(found, 64 * torch.eye(2))
