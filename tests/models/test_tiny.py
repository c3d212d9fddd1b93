"""The tiny pipeline and loading."""

import json

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline

from fairhuman.models import Architecture, load_base, tiny_pipeline


def _draw(pipeline):
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(3)
    return pipeline(
        ["a woman", "a man waving"], num_inference_steps=3, output_type="np", generator=generator
    ).images


def test_same_seed_same_weights():
    first, again, other = (tiny_pipeline(seed=s).unet.state_dict() for s in (1, 1, 2))
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not all(torch.equal(first[name], other[name]) for name in first)


def test_building_leaves_the_global_random_state():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    tiny_pipeline(seed=5)
    assert torch.equal(torch.rand(3), expected)


def test_saved_pipeline_draws_the_same_with_plain_diffusers(tmp_path):
    pipeline = tiny_pipeline(seed=0)
    images = _draw(pipeline)
    assert images.shape == (2, 64, 64, 3)
    assert np.isfinite(images).all()
    pipeline.save_pretrained(tmp_path)
    for loaded in (StableDiffusionXLPipeline.from_pretrained(tmp_path), load_base(tmp_path)):
        np.testing.assert_array_equal(_draw(loaded), images)


def test_a_base_of_fp16_files_alone_is_read(tmp_path):
    tiny_pipeline(seed=0).save_pretrained(tmp_path, variant="fp16")
    assert not (tmp_path / "unet" / "diffusion_pytorch_model.safetensors").exists()
    theirs = dict(load_base(tmp_path).unet.named_parameters())
    for name, parameter in tiny_pipeline(seed=0).unet.named_parameters():
        assert torch.equal(parameter, theirs[name])


def test_an_earlier_stable_diffusion_is_refused(tmp_path):
    tiny_pipeline(seed=0).save_pretrained(tmp_path)
    index = json.loads((tmp_path / "model_index.json").read_text())
    for name in ("text_encoder_2", "tokenizer_2", "force_zeros_for_empty_prompt"):
        index.pop(name, None)
    (tmp_path / "model_index.json").write_text(json.dumps(index | {"_class_name": "StableDiffusionPipeline"}))
    with pytest.raises(ValueError, match="lacks the part text_encoder_2"):
        load_base(tmp_path)


def test_missing_base_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"model_index\.json.*nowhere"):
        load_base(tmp_path / "nowhere")


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"image_size": 100}, "image_size: must be a multiple of 32, got 100"),
        (
            {"autoencoder_channels": (16, 32)},
            "autoencoder_channels: must name 4 levels .*, got .16, 32.",
        ),
        (
            {"unet_channels": (60, 128, 192)},
            "unet_channels: must be multiples of norm_groups = 8, got .60",
        ),
        ({"unet_channels": (64, 72, 192)}, "attention_head_dim = 32 after the first, got .64, 72"),
    ],
)
def test_impossible_sizes_are_refused(change, rule):
    with pytest.raises(ValueError, match=rule):
        Architecture(**change)
