"""The weight of what lies outside all regions, in a run."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file

from fairhuman.fairness import STRATEGIES
from fairhuman.training import TrainSettings, train


@pytest.fixture
def landscape(people, tmp_path):
    """Two images, of which one has no region."""
    place = shutil.copytree(people, tmp_path / "landscape")
    lines = (place / "metadata.jsonl").read_text().splitlines()
    nothing = {"face_mask_file_name": None, "hand_mask_file_name": None}
    last = json.dumps(json.loads(lines[1]) | nothing)
    (place / "metadata.jsonl").write_text(f"{lines[0]}\n{last}\n")
    return place


def gradient(trainer, unmasked_weight, examples=None):
    objectives = trainer.objectives
    objectives.settings = trainer.settings.changed(unmasked_weight=unmasked_weight)
    (part,) = objectives.parts(objectives.draw(0) if examples is None else examples)
    prediction = objectives.predict(part.batch)
    loss = objectives.losses(part, prediction)["global"]
    return torch.autograd.grad(loss, prediction)[0], part.batch.masks


def test_gradients_outside_are_so_many_times_as_long(values, trainer_of):
    trainer = trainer_of(TrainSettings(**values))
    plain, masks = gradient(trainer, 1.0)
    less, _ = gradient(trainer, 0.25)
    inside = sum(masks.values()).gt(0).expand_as(plain)
    assert inside.any() and not inside.all()
    assert torch.equal(less[inside], plain[inside])
    torch.testing.assert_close(less[~inside], 0.25 * plain[~inside])


def test_the_default_changes_no_bit(values):
    runs = [
        train(TrainSettings(**values | {"output": f"{values['output']}-{number}"} | more))
        for number, more in enumerate([{}, {"unmasked_weight": 1.0}, {"unmasked_weight": 0.1}])
    ]
    plain, default, less = (load_file(run.weights) for run in runs)
    assert all(torch.equal(tensor, default[name]) for name, tensor in plain.items())
    assert not all(torch.equal(tensor, less[name]) for name, tensor in plain.items())


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_every_strategy_goes_over_steps_in_which_nothing_counts(values, landscape, strategy):
    given = values | {"data": str(landscape), "batch_size": 1, "strategy": strategy, "unmasked_weight": 0.0}
    run = train(TrainSettings(**given | {"steps": 4}))  # each of the two images twice
    empty = [line for line in run.log if line["present"]["face"] == line["present"]["hand"] == 0]
    assert len(empty) == 2
    for line in empty:
        assert set(line["losses"].values()) == {0.0}
        if strategy != "fairgrad_official":  # it weighs gradients that are zero, too
            assert set(line["weights"].values()) == {0.0}
    assert all(line["finite"] for line in run.log)
    assert all(tensor.isfinite().all() for tensor in load_file(run.weights).values())


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"unmasked_weight": -0.1}, "unmasked_weight: must be ≥ 0, got -0.1"),
        ({"unmasked_weight": 0.1, "regions": []}, r"unmasked_weight: needs regions, .*got 0.1"),
    ],
)
def test_what_makes_no_sense_is_refused(values, more, message):
    with pytest.raises(ValueError, match=message):
        TrainSettings(**values | more)


@pytest.mark.parametrize("which", ["data", "regularisation"])
def test_a_set_of_which_nothing_would_count_is_refused(values, people, tmp_path, which):
    place = shutil.copytree(people, tmp_path / "bare")
    lines = [json.loads(line) for line in (place / "metadata.jsonl").read_text().splitlines()]
    nothing = {"face_mask_file_name": None, "hand_mask_file_name": None}
    (place / "metadata.jsonl").write_text("".join(json.dumps(line | nothing) + "\n" for line in lines))
    with pytest.raises(ValueError, match="unmasked_weight: at 0 nothing of .*bare counts"):
        train(TrainSettings(**values | {which: str(place), "unmasked_weight": 0.0}))
    assert not (tmp_path / "run").exists()
