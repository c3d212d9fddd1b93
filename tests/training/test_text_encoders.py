"""A LoRA on the text encoders leaves what is kept of captions, and of the base, as it is."""

import pytest
import torch
from safetensors.torch import load_file

from fairhuman.models import tiny_pipeline
from fairhuman.models.adapters import LoRA
from fairhuman.training import TrainSettings, train
from fairhuman.training._encoding import encode_prompt
from fairhuman.training._optimization import load_optimizer_state, make_optimizer, optimizer_state
from fairhuman.training._watching import tracked

PARTS = ("text_encoder.", "text_encoder_2.", "down_blocks")


def test_captions_are_encoded_by_the_base():
    pipeline = tiny_pipeline(seed=0)
    before = encode_prompt(pipeline, "a person")
    adapter = LoRA(pipeline, rank=4, text_encoders=True)
    with torch.no_grad():
        for tensor in adapter.parameters.values():
            tensor.add_(1.0)
    after = encode_prompt(pipeline, "a person")
    assert torch.equal(before.tokens, after.tokens) and torch.equal(before.pooled, after.pooled)
    tokens = pipeline.encode_prompt(["a person"], device="cpu", do_classifier_free_guidance=False)[0]
    assert not torch.allclose(tokens[0], before.tokens, atol=1e-3)  # the LoRA is on again


def test_the_cache_changes_nothing_with_preservation(values, tmp_path):
    given = values | {"text_encoders": True, "preservation": True, "learning_rate": 0.1, "steps": 4}
    runs = [
        train(TrainSettings(**given | {"output": str(tmp_path / str(cache)), "cache": cache}))
        for cache in (True, False)
    ]
    one, other = (load_file(run.weights) for run in runs)
    assert all(torch.equal(tensor, other[name]) for name, tensor in one.items())


@pytest.mark.parametrize("optimizer", ["adamw", "schedulefree"])
def test_text_encoders_have_a_rate_of_their_own(values, trainer_of, optimizer):
    given = {"text_encoders": True, "text_encoder_learning_rate": 1e-4, "weight_decay": 0.0}
    warm = {"warmup": 2, "optimizer": optimizer}
    trainer = trainer_of(TrainSettings(**values, **given, **warm))
    lines = [trainer.advance()]  # at a rate of 0
    ups = {name: p.detach().clone() for name, p in trainer.parameters.items() if "lora_B" in name}
    lines.append(trainer.advance())
    assert [line["learning_rate"] for line in lines] == [0, 0.5 * values["learning_rate"]]
    assert [tracked(line)["text_encoder_learning_rate"] for line in lines] == [0, 0.5e-4]
    moved = {name: (trainer.parameters[name] - was).abs().max().item() for name, was in ups.items()}
    most = {part: max(m for name, m in moved.items() if name.startswith(part)) for part in PARTS}
    assert most["text_encoder."] < 0.05 * values["learning_rate"] > most["text_encoder_2."] > 0
    assert most["down_blocks"] > 0.1 * values["learning_rate"]


def test_a_rate_given_after_a_failure_finds_the_moments_where_they_were(values):
    settings = TrainSettings(**values, text_encoders=True)
    w, v = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    one = make_optimizer(settings, [w, v])
    (w.sum() + 3 * v.sum()).backward()
    one.step()
    two = make_optimizer(settings, [w], [v])
    load_optimizer_state(two, optimizer_state(one))
    assert len(two.param_groups) == 2
    assert torch.equal(two.state[v]["exp_avg"], one.state[v]["exp_avg"])
    load_optimizer_state(one, optimizer_state(two))
    assert torch.equal(one.state[v]["exp_avg"], two.state[v]["exp_avg"])


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({}, "text_encoder_learning_rate: needs text_encoders, got 0.1"),
        (
            {"text_encoders": True, "optimizer": "prodigy"},
            "text_encoder_learning_rate: must be null: prodigy",
        ),
        (
            {"text_encoders": True, "text_encoder_learning_rate": 0.0},
            "text_encoder_learning_rate: must be > 0",
        ),
    ],
)
def test_a_rate_that_has_no_effect_is_refused(values, more, message):
    with pytest.raises(ValueError, match=message):
        TrainSettings(**values | {"text_encoder_learning_rate": 0.1} | more)
