"""Ways to make an exact step cheaper: the step is the same to rounding, for every kind of adapter."""

import random
import warnings

import pytest
import torch
from people import write_folder, write_metadata

from fairhuman.models.adapters import ADAPTERS
from fairhuman.training import TrainSettings, train
from fairhuman.training._objectives import by_presence, shares


@pytest.fixture(scope="module")
def mixed(tmp_path_factory):
    """Images of which some have no face, no hand, or neither."""
    folder = tmp_path_factory.mktemp("mixed")
    entries = write_folder(folder, count=6, size=(64, 64))
    for entry, wanting in zip(
        entries, ((), ("hand",), ("face",), ("face", "hand"), ("hand",), ()), strict=True
    ):
        for region in wanting:
            entry[f"{region}_mask_file_name"] = None
    write_metadata(folder, entries)
    return folder


def gradients(trainer):
    """Direction and log line of one step, without taking it."""
    kept = {}

    def keep(fair):
        kept.update({name: p.grad.clone() for name, p in trainer.parameters.items() if p.grad is not None})
        trainer.optimizer.zero_grad(set_to_none=True)

    trainer.apply = keep
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():  # as after some training: nothing is zero at the start
        for parameter in trainer.parameters.values():
            parameter.add_(0.02 * torch.randn(parameter.shape, generator=generator))
    return trainer.advance(), kept


def of_kind(values, kind, **further):
    """Settings of a kind of adapter; a rank is refused by those without one."""
    return {k: v for k, v in values.items() if k != "rank" or kind in ("lora", "mole")} | {
        "adapter": kind, **further
    }  # fmt: skip


def assert_same_step(trainer_of, settings, **changes):
    line, plain = gradients(trainer_of(TrainSettings(**settings)))
    other, mine = gradients(trainer_of(TrainSettings(**settings | changes)))
    assert plain
    assert plain.keys() == mine.keys()
    for name in line["losses"]:
        assert other["losses"][name] == pytest.approx(line["losses"][name], rel=1e-5)
    assert {k: line[k] for k in ("timesteps", "present")} == {k: other[k] for k in ("timesteps", "present")}
    K, L = (torch.tensor(one["gramian"], dtype=torch.float64) for one in (line, other))
    scale = K.diagonal().sqrt()
    torch.testing.assert_close(L, K, rtol=0, atol=1e-4 * float(scale.max()) ** 2)
    whole = torch.cat([g.flatten() for g in plain.values()])
    error = torch.cat([(mine[name] - plain[name]).flatten() for name in plain]).norm() / whole.norm()
    assert error < 1e-3


@pytest.mark.parametrize("kind", tuple(ADAPTERS))
@pytest.mark.parametrize("reduction", ("image", "mask"))
def test_grouping_by_presence_is_the_same_step(values, mixed, trainer_of, kind, reduction):
    settings = of_kind(values, kind, data=str(mixed), batch_size=6, reduction=reduction)
    assert_same_step(trainer_of, settings, group_by_presence=True)


@pytest.mark.parametrize("kind", tuple(ADAPTERS))
@pytest.mark.parametrize("checkpointed", (False, True))
def test_batched_gradients_are_the_same_step(values, mixed, trainer_of, kind, checkpointed):
    settings = of_kind(values, kind, data=str(mixed), batch_size=2)
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message="batched: ")  # it did not fall back
        assert_same_step(
            trainer_of, settings | {"gradient_checkpointing": checkpointed}, batched_backward=True
        )


def test_grouping_goes_with_parts_and_batching(values, mixed, trainer_of):
    settings = values | {"data": str(mixed), "batch_size": 6}
    both = {"group_by_presence": True, "batched_backward": True}
    assert_same_step(trainer_of, settings, **both, accumulation=3)


@pytest.mark.parametrize("seed", range(5))
def test_groups_hold_every_image_once_in_the_order_drawn(values, mixed, trainer_of, seed):
    size = random.Random(seed).randint(1, 9)
    settings = TrainSettings(**values | {"data": str(mixed), "batch_size": size, "seed": seed})
    objectives = trainer_of(settings).objectives
    examples = objectives.draw(seed)
    place = {id(example): k for k, example in enumerate(examples)}
    groups = [[place[id(example)] for example in group] for group in by_presence(examples)]
    assert sorted(k for group in groups for k in group) == list(range(size))
    assert all(group == sorted(group) for group in groups)
    assert [group[0] for group in groups] == sorted(group[0] for group in groups)
    parts = objectives.parts(examples, grouped=True)
    assert sum(shares(parts)) == pytest.approx(1)
    for part in parts:
        for mask in part.batch.masks.values():
            assert len({bool(one.any()) for one in mask}) == 1


@pytest.mark.parametrize("strategy", ("ls", "mpd_amortised", "famo"))
def test_strategies_that_look_at_each_part_are_not_grouped(values, mixed, trainer_of, strategy):
    settings = values | {"data": str(mixed), "batch_size": 6, "group_by_presence": True, "strategy": strategy}
    assert not trainer_of(TrainSettings(**settings)).grouped


def test_grouping_refuses_what_it_would_change(values):
    with pytest.raises(ValueError, match="group_by_presence: .*overwriting_accumulation"):
        TrainSettings(**values, accumulation=2, released=["overwriting_accumulation"], group_by_presence=True)


@pytest.mark.parametrize("strategy", ("famo", "psmgd", "pcd", "mpd_log", "mpd_area:1,0.05,0.01"))
def test_rivals_train(values, mixed, strategy):
    common = values | {"data": str(mixed), "strategy": strategy, "steps": 3}
    run = train(TrainSettings(**common))
    assert [line["finite"] for line in run.log] == [True] * 3
    if strategy == "famo":  # what a step did is looked at: the logits have moved
        shares = [line["weights"]["global"] * line["losses"]["global"] for line in run.log]
        assert len(set(shares)) == 3


@pytest.mark.parametrize("reduction", ("image", "mask"))
def test_grouping_with_preservation_is_the_same_step(values, mixed, trainer_of, reduction):
    settings = values | {"data": str(mixed), "batch_size": 6, "reduction": reduction, "preservation": True}
    assert_same_step(trainer_of, settings, group_by_presence=True)
