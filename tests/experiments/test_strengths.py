"""Samples along a run and over β start from one noise, and leave the base as it was."""

import numpy as np
import pytest
from people import write_folder

from fairhuman.experiments.strengths import sample_strengths
from fairhuman.models import load_base, tiny_pipeline
from fairhuman.sampling import sample
from fairhuman.training import TrainSettings, train

PROMPTS = ["a man", "a woman"]
OPTIONS = {"steps": 1, "guidance": 1.0}


@pytest.fixture
def base(tmp_path):
    folder = tmp_path / "base"
    tiny_pipeline(seed=0).save_pretrained(folder)
    return str(folder)


@pytest.fixture
def run(tmp_path, base):
    write_folder(tmp_path / "people", count=2, size=(64, 64))
    settings = {"resolution": 64, "steps": 5, "batch_size": 2, "rank": 2, "learning_rate": 0.1}
    kept = {"checkpoint_every": 1, "keep_checkpoints": 9}
    places = {"data": str(tmp_path / "people"), "output": str(tmp_path / "run"), "base": base}
    return train(TrainSettings(**settings, **kept, **places))


def test_stages_and_strengths_are_drawn_from_one_noise(base, run):
    pipeline = load_base(base)
    found = sample_strengths(pipeline, {"lora": run}, PROMPTS, betas=(0.5, 1.0), stages=2, **OPTIONS)
    at = {(one.run, one.step, one.beta, one.prompt): np.asarray(one.image) for one in found}
    places = [("base", 0, 0.0), ("lora", 1, 1.0), ("lora", 4, 1.0), ("lora", 5, 0.5), ("lora", 5, 1.0)]
    assert list(at) == [(*place, prompt) for place in places for prompt in range(2)]
    assert [one.text for one in found[:2]] == PROMPTS
    plain = [one.load() for one in sample(load_base(base), PROMPTS, progress=False, **OPTIONS)]
    again = [one.load() for one in sample(pipeline, PROMPTS, progress=False, **OPTIONS)]
    for prompt in range(2):
        assert np.array_equal(at["base", 0, 0.0, prompt], plain[prompt])
        assert np.array_equal(again[prompt], plain[prompt])  # no adapter is left on the base
    pictures = {image.tobytes() for image in at.values()}
    assert len(pictures) == len(at)


def test_nothing_is_drawn_without_prompts(base, run):
    assert sample_strengths(load_base(base), {"lora": run}, []) == []


def test_a_strength_of_the_base_is_refused(base, run):
    with pytest.raises(ValueError, match="betas: must be above 0"):
        sample_strengths(load_base(base), {"lora": run}, PROMPTS, betas=(0.0, 1.0))
