"""Learning rates and optimisers, and the loss scale, against those of diffusers and torch."""

import sys
from types import SimpleNamespace

import pytest
import torch
from diffusers.optimization import get_scheduler

from fairhuman.training._optimization import learning_rate, make_optimizer
from fairhuman.training._precision import LossScale


def settings(**changes):
    values = {
        "learning_rate": 0.3,
        "warmup": 0,
        "schedule": "constant",
        "steps": 12,
        "optimizer": "adamw",
        "weight_decay": 0.01,
    }
    return SimpleNamespace(**values | changes)


@pytest.mark.parametrize("warmup", [0, 3])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "linear"])
def test_schedules_are_those_of_diffusers(schedule, warmup):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.3)
    name = "constant_with_warmup" if schedule == "constant" else schedule
    theirs = get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=12)
    for step in range(12):
        ours = learning_rate(settings(schedule=schedule, warmup=warmup), step)
        assert ours == pytest.approx(theirs.get_last_lr()[0], abs=1e-12)
        optimizer.step()
        theirs.step()


def test_eight_bits_need_a_package(monkeypatch):
    parameters = [torch.zeros(1, requires_grad=True)]
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", None)
    with pytest.raises(ImportError, match="needs the package bitsandbytes; pip install bitsandbytes"):
        make_optimizer(settings(optimizer="adamw8bit"), parameters)

    class AdamW8bit(torch.optim.AdamW):
        pass

    monkeypatch.setitem(sys.modules, "bitsandbytes", SimpleNamespace())
    monkeypatch.setitem(sys.modules, "bitsandbytes.optim", SimpleNamespace(AdamW8bit=AdamW8bit))
    made = make_optimizer(settings(optimizer="adamw8bit"), parameters)
    assert isinstance(made, AdamW8bit) and made.defaults["weight_decay"] == 0.01


def test_the_loss_scale_moves_as_torch_s_does():
    finite = [True, True, False, True, True, True, False, False, True, True, True, True]
    theirs = torch.amp.GradScaler("cpu", init_scale=16.0, growth_interval=3)
    ours = LossScale("fp16", start=16.0, interval=3)
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.1)
    for fine in finite:
        assert ours.value == theirs.get_scale()
        parameter = optimizer.param_groups[0]["params"][0]
        theirs.scale(parameter.sum() * (1.0 if fine else float("inf"))).backward()
        theirs.step(optimizer)
        theirs.update()
        optimizer.zero_grad()
        ours.update(fine)
        resumed = LossScale("fp16")
        resumed.interval = 3
        resumed.load_state_dict(ours.state_dict())
        ours = resumed
    assert ours.value == theirs.get_scale()


def test_only_fp16_is_scaled():
    for precision in ("no", "bf16"):
        scale = LossScale(precision)
        scale.update(False)
        assert scale.value == 1.0
