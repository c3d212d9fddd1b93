"""Preservation: what lies outside the regions is held to the frozen base."""

import pytest
import torch
from peft.tuners.tuners_utils import BaseTunerLayer

from fairhuman.fairness import STRATEGIES
from fairhuman.objectives import PRESERVATION
from fairhuman.training import TrainSettings, train


def disturbed(trainer):
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in trainer.parameters.values():
            parameter.add_(0.05 * torch.randn(parameter.shape, generator=generator))
    return trainer


@pytest.mark.parametrize("kind", ("lora", "mole"))
def test_an_untouched_adapter_preserves(values, trainer_of, kind):
    trainer = trainer_of(TrainSettings(**values, adapter=kind, preservation=True))
    line = trainer.advance()
    assert line["losses"][PRESERVATION] == 0
    assert line["weights"][PRESERVATION] == 0 < line["weights"]["global"]
    line = trainer.advance()
    assert line["losses"][PRESERVATION] > 0 < line["weights"][PRESERVATION]


@pytest.mark.parametrize("kind", ({}, {"text_encoders": True}, {"dora": True}, {"adapter": "mole"}))
def test_what_is_kept_is_the_base_without_the_adapter(values, trainer_of, kind):
    trainer = disturbed(trainer_of(TrainSettings(**values, preservation=True, **kind)))
    trained = {name: p.requires_grad for name, p in trainer.parameters.items()}
    (part,) = trainer.objectives.parts(trainer.objectives.draw(0))
    assert {name: p.requires_grad for name, p in trainer.parameters.items()} == trained
    assert trainer.adapter.scale == 1
    answer = trainer.objectives.predict(part.batch)
    assert answer.requires_grad and not part.kept.requires_grad  # the adapter is on again
    assert not torch.allclose(answer, part.kept)
    trainer.adapter.remove()
    with torch.no_grad():
        assert torch.equal(part.kept, part.batch.predict(trainer.adapter.unet))


def test_it_costs_one_forward_pass_of_the_base_without_gradients(values, trainer_of):
    further = {"strategy": "famo", "preservation": True}  # which looks at the losses a second time
    trainer = trainer_of(TrainSettings(**values | {"batch_size": 4, "accumulation": 2}, **further))
    passes = []
    layer = next(m for m in trainer.adapter.unet.modules() if isinstance(m, BaseTunerLayer))
    trainer.adapter.unet.register_forward_pre_hook(
        lambda *_: passes.append((not layer.disable_adapters, torch.is_grad_enabled()))
    )
    trainer.advance()
    assert passes == [(False, False)] * 2 + [(True, True)] * 2 + [(True, False)] * 2


@pytest.mark.parametrize(
    "strategy", [*(s for s in STRATEGIES if s != "ls"), "ls:1,2,3,4", "mpd:1,2,3,4", "mpd_area:1,2,3,4"]
)
def test_every_strategy_weighs_it(values, strategy):
    run = train(TrainSettings(**values | {"strategy": strategy, "preservation": True, "steps": 2}))
    assert [line["finite"] for line in run.log] == [True] * 2
    assert all(list(line["weights"]) == ["global", "face", "hand", PRESERVATION] for line in run.log)


def test_a_heavy_weight_holds_the_outside(values):
    settings = values | {"preservation": True, "steps": 12, "learning_rate": 3e-3}
    last = {}
    for weight in (1e-6, 1e3):
        place = f"{values['output']}-{weight}"
        run = train(TrainSettings(**settings | {"strategy": f"ls:1,1,1,{weight}", "output": place}))
        last[weight] = run.log[-1]["losses"][PRESERVATION]
    assert last[1e3] < 0.5 * last[1e-6]


@pytest.mark.parametrize(
    ("changes", "message"),
    (
        ({"adapter": "controlnet"}, "preservation: is for the adapter lora or mole, not for controlnet"),
        ({"adapter": "t2i-adapter"}, "preservation: is for the adapter lora or mole, not for t2i-adapter"),
        ({"regions": ()}, "preservation: needs regions"),
        ({"strategy": "ls:1,2,3"}, "strategy: needs 4 numbers: .* and for preservation"),
    ),
)
def test_where_it_makes_no_sense_it_is_refused(values, changes, message):
    values.pop("rank")
    with pytest.raises(ValueError, match=message):
        TrainSettings(**{"preservation": True} | values | changes)
