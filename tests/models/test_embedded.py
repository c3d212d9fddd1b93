"""The base as it is shipped."""

import json

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline

from fairhuman.humans._caption import brief_vocabulary
from fairhuman.models import EMBEDDED, Architecture, build_pipeline, load_base


@pytest.fixture(scope="module")
def pipeline():
    return load_base()


def test_plain_diffusers_draws_with_it():
    pipeline = StableDiffusionXLPipeline.from_pretrained(EMBEDDED)
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(0)
    image = pipeline(
        "A woman in a blue shirt waving, upper body",
        num_inference_steps=4,
        guidance_scale=2.0,
        generator=generator,
        output_type="np",
    ).images[0]
    assert image.shape == (256, 256, 3)
    assert np.isfinite(image).all()
    assert image.std() > 0.05


def test_every_word_of_a_caption_is_one_token(pipeline):
    for tokenizer in (pipeline.tokenizer, pipeline.tokenizer_2):
        for word in brief_vocabulary():
            pieces = tokenizer.tokenize(word)
            assert "".join(pieces).count("</w>") == len(pieces), word  # whole words and signs only


def test_the_caption_decides_what_is_drawn(pipeline):
    # One starting noise, two colours: a model that ignored its captions would draw the same twice.
    red, blue = (
        pipeline(
            f"A man in a {colour} shirt, upper body",
            num_inference_steps=8,
            guidance_scale=2.5,
            generator=torch.Generator().manual_seed(1),
            output_type="np",
        ).images[0][140:230, 80:176]
        for colour in ("red", "blue")
    )
    assert (red[..., 0] - red[..., 2]).mean() > (blue[..., 0] - blue[..., 2]).mean() + 0.2


def test_it_has_the_architecture_that_the_recipe_builds(pipeline):
    built = build_pipeline(Architecture(), ["woman"])
    for name in ("unet", "vae"):
        expected, found = (
            {key: value.shape for key, value in getattr(one, name).state_dict().items()}
            for one in (built, pipeline)
        )
        assert found == expected


def test_latents_are_normalised():
    vae = json.loads((EMBEDDED / "vae" / "config.json").read_text())
    assert vae["scaling_factor"] == 1.0
    assert vae["latent_channels"] == 16


def test_it_is_small_and_safe_and_names_no_path():
    files = [path for path in EMBEDDED.rglob("*") if path.is_file()]
    assert sum(path.stat().st_size for path in files) < 40e6
    assert {path.suffix for path in files} <= {".json", ".safetensors", ".md"}
    for path in files:
        if path.suffix == ".json":
            assert "/home" not in (text := path.read_text())
            assert "/work" not in text
            assert "/tmp" not in text
