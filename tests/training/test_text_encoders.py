"""A LoRA on the text encoders leaves what is kept of captions, and of the base, as it is."""

import torch
from safetensors.torch import load_file

from fairhuman.models import tiny_pipeline
from fairhuman.models.adapters import LoRA
from fairhuman.training import TrainSettings, train
from fairhuman.training._encoding import encode_prompt


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
