"""Averaged weights, optimisers with a state of their own, DoRA and rsLoRA."""

import sys
from copy import deepcopy

import pytest
import torch
from diffusers.training_utils import EMAModel
from safetensors.torch import load_file

from fairhuman.models import tiny_pipeline
from fairhuman.training import TrainSettings, train
from fairhuman.training._averaging import Averaging
from fairhuman.training._checkpoint import load_checkpoint
from fairhuman.training._loop import Trainer
from fairhuman.training._optimization import load_optimizer_state, make_optimizer, optimizer_state
from fairhuman.training._setup import adapter_at

OPTIONS = [
    {"optimizer": "prodigy", "learning_rate": 1.0},
    {"optimizer": "schedulefree"},
    {"ema": 0.8},
    {"dora": True},
    {"text_encoder_learning_rate": 1e-3, "text_encoders": True},
    {"rslora": True, "alpha": 2.0},
]


@pytest.mark.parametrize("options", OPTIONS, ids=lambda options: next(iter(options.values())))
def test_a_run_cut_off_in_the_middle_ends_with_the_same_bits(values, people, tmp_path, monkeypatch, options):
    """Held-out losses are measured on averaged weights on the way, and leave no trace."""
    values |= options | {"heldout": str(people), "heldout_every": 2, "heldout_images": 2, "heldout_draws": 1}
    whole = train(TrainSettings(**values))
    settings = TrainSettings(**values | {"output": str(tmp_path / "cut"), "checkpoint_every": 3})
    advance = Trainer.advance

    def cut(self):
        if self.step == 4:
            raise KeyboardInterrupt
        return advance(self)

    monkeypatch.setattr(Trainer, "advance", cut)
    with pytest.raises(KeyboardInterrupt):
        train(settings)
    monkeypatch.setattr(Trainer, "advance", advance)
    again = train(settings)
    one, other = load_file(whole.weights), load_file(again.weights)
    assert one.keys() == other.keys()
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())
    assert whole.heldout == again.heldout


def problem(seed=0):
    start = torch.randn(5, generator=torch.Generator().manual_seed(seed))
    return {"w": torch.nn.Parameter(start)}


def descend(parameters, optimizer, averaging, steps):
    for _ in range(steps):
        (parameters["w"] ** 2).sum().backward()
        optimizer.step()
        averaging.update()
        optimizer.zero_grad()


def optimizer_of(name, parameters, **changes):
    settings = TrainSettings(data="d", output="o", optimizer=name, **{"learning_rate": 0.1} | changes)
    return make_optimizer(settings, list(parameters.values()))


def test_schedule_free_shows_its_own_average_and_goes_on_as_if_it_had_not():
    ours, theirs = problem(), problem()
    first, second = optimizer_of("schedulefree", ours), optimizer_of("schedulefree", theirs)
    averaging, idle = Averaging(ours, first, None), Averaging(theirs, second, None)
    descend(ours, first, averaging, 4)
    descend(theirs, second, idle, 4)
    own = ours["w"].detach().clone()
    with averaging.shown():
        second.eval()
        assert torch.equal(ours["w"], theirs["w"])  # the package's own way, which does not come back exactly
        assert not torch.equal(ours["w"], own)
    assert torch.equal(ours["w"], own)


def test_the_moving_average_is_that_of_diffusers():
    parameters = problem()
    optimizer = optimizer_of("adamw", parameters)
    averaging, theirs = Averaging(parameters, optimizer, 0.9), EMAModel(list(parameters.values()), decay=0.9)
    for _ in range(5):
        descend(parameters, optimizer, averaging, 1)
        theirs.step(list(parameters.values()))
    assert torch.equal(averaging.weights["w"], theirs.shadow_params[0])
    resumed = Averaging(problem(1), optimizer, 0.9)
    resumed.load_state_dict(averaging.state_dict())
    assert torch.equal(resumed.weights["w"], averaging.weights["w"])


def test_without_an_average_the_weights_themselves_are_shown():
    parameters = problem()
    averaging = Averaging(parameters, optimizer_of("adamw", parameters), None)
    assert averaging.weights is None
    before = parameters["w"].detach().clone()
    with averaging.shown():
        assert torch.equal(parameters["w"], before)


def test_prodigys_estimate_survives_a_checkpoint():
    """It lies in the groups, not in the moments."""
    parameters = problem()
    optimizer = optimizer_of("prodigy", parameters, learning_rate=1.0)
    descend(parameters, optimizer, Averaging(parameters, optimizer, None), 8)
    assert optimizer.param_groups[0]["d"] > optimizer.param_groups[0]["d0"]
    copy = {"w": torch.nn.Parameter(parameters["w"].detach().clone())}
    resumed = optimizer_of("prodigy", copy, learning_rate=1.0)
    load_optimizer_state(resumed, deepcopy(optimizer_state(optimizer)))
    for one, two in ((parameters, optimizer), (copy, resumed)):
        descend(one, two, Averaging(one, two, None), 3)
    assert torch.equal(parameters["w"], copy["w"])


def test_a_checkpoint_is_sampled_from_with_the_average(values, base):
    settings = TrainSettings(**values | {"ema": 0.9, "checkpoint_every": 3})
    file = sorted((train(settings).directory / "checkpoints").glob("*.safetensors"))[-1]
    state = load_checkpoint(file)[1]
    adapter = adapter_at(tiny_pipeline(seed=0), file)
    name, weight = next(iter(adapter.parameters.items()))
    assert torch.equal(weight, state["averaging"]["weights"][name])


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"optimizer": "prodigy"}, "learning_rate: is a factor on prodigy's own estimate"),
        (
            {"optimizer": "schedulefree", "schedule": "cosine"},
            "schedule: must be 'constant' for schedulefree",
        ),
        ({"optimizer": "schedulefree", "ema": 0.9}, "ema: is for optimisers that do not average"),
        ({"ema": 1.0}, r"ema: must be in \(0, 1\), got 1.0"),
        ({"dora": True, "text_encoders": True}, "dora: must be false with text_encoders"),
        ({"adapter": "mole", "dora": True}, "dora: is for the adapter lora, not for mole"),
        ({"optimizer": "lion"}, "optimizer: unknown name 'lion'"),
    ],
)
def test_what_does_not_go_together_is_refused(options, error):
    with pytest.raises(ValueError, match=error):
        TrainSettings(data="d", output="o", **options)


@pytest.mark.parametrize("name", ["prodigy", "schedulefree"])
def test_a_missing_package_is_named(monkeypatch, name):
    package = {"prodigy": "prodigyopt"}.get(name, name)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(ImportError, match=f"optimizer: {name} needs the package {package}; pip install "):
        optimizer_of(name, problem(), learning_rate=1.0)


def test_scaling_says_what_peft_does():
    one = TrainSettings(data="d", output="o", rank=16, alpha=8.0, rslora=True)
    assert one.scaling == 2.0
