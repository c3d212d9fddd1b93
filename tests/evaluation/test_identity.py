"""A fingerprint changes with what decides an image, and with nothing else."""

import pytest
import torch

from fairhuman.evaluation import fingerprint
from fairhuman.models import tiny_pipeline


@pytest.fixture(scope="module")
def pipeline():
    return tiny_pipeline(seed=0)


def test_the_same_system_keeps_its_name(pipeline):
    assert fingerprint(pipeline, ["a man"], {"steps": 30}) == fingerprint(pipeline, ["a man"], {"steps": 30})
    assert fingerprint(pipeline) == fingerprint(tiny_pipeline(seed=0))


def test_weights_settings_and_scheduler_each_change_it(pipeline):
    names = [fingerprint(pipeline, "a"), fingerprint(pipeline, "b"), fingerprint(tiny_pipeline(seed=1), "a")]
    with torch.no_grad():
        next(pipeline.text_encoder.parameters())[0] += 1e-3
    names.append(fingerprint(pipeline, "a"))
    pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config, beta_end=0.02)
    names.append(fingerprint(pipeline, "a"))
    assert len(set(names)) == 5


def test_an_adapter_changes_it():
    from peft import LoraConfig

    pipeline = tiny_pipeline(seed=0)
    before = fingerprint(pipeline)
    pipeline.unet.add_adapter(LoraConfig(r=2, target_modules=["to_q"]))
    assert fingerprint(pipeline) != before


def test_a_network_beside_the_base_changes_it():
    from fairhuman.models.adapters import ControlNet

    pipeline = tiny_pipeline(seed=0)
    networks = [None, ControlNet(pipeline, seed=0), ControlNet(pipeline, seed=1)]
    assert len({fingerprint(pipeline, adapter=adapter) for adapter in networks}) == 3
