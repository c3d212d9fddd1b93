"""Samples depend on prompt, index and seed alone; folders are resumed, never mixed."""

import json

import numpy as np
import pytest
from PIL import Image

from fairhuman.models import tiny_pipeline
from fairhuman.sampling import read_prompts, sample
from fairhuman.seeds import sample_generator

PROMPTS = ["a man", "a woman", "a person waving"]


@pytest.fixture(scope="module")
def pipeline():
    return tiny_pipeline(seed=0)


def pixels(samples):
    return np.stack([np.asarray(item.load(), dtype=float) for item in samples])


def make(pipeline, prompts=PROMPTS, out=None, **options):
    return sample(pipeline, prompts, out, **({"steps": 2, "guidance": 2.0} | options))


def test_the_batch_makes_no_difference(pipeline):
    first, second = make(pipeline, batch=1, seeds=(0, 5)), make(pipeline, batch=4, seeds=(0, 5))
    assert [(s.seed, s.prompt_index, s.text) for s in first] == [
        (seed, i, text) for seed in (0, 5) for i, text in enumerate(PROMPTS)
    ]
    # Float rounding may differ between batch sizes, and then one step of 8 bits here and there.
    assert np.abs(pixels(first) - pixels(second)).max() <= 1


def test_every_prompt_and_seed_has_its_own_noise():
    import torch

    noises = [torch.randn(8, generator=sample_generator(seed, i)) for seed in (0, 1, 2) for i in (0, 1, 2)]
    assert all(not torch.equal(a, b) for k, a in enumerate(noises) for b in noises[:k])
    assert torch.equal(noises[5], torch.randn(8, generator=sample_generator(1, 2)))


def test_the_order_of_seeds_makes_no_difference(pipeline):
    forward, backward = make(pipeline, seeds=(0, 5)), make(pipeline, seeds=(5, 0))
    np.testing.assert_allclose(pixels(forward)[:3], pixels(backward)[3:], atol=1)


def test_half_precision_is_near_and_not_the_same(pipeline):
    whole, half = pixels(make(pipeline)), pixels(make(pipeline, precision="bf16"))
    assert 0 < np.abs(whole - half).mean() < 8  # of 255


def test_the_pipeline_is_left_as_it_was(pipeline):
    scheduler = pipeline.scheduler
    pipeline.set_progress_bar_config(leave=False)
    make(pipeline, PROMPTS[:1])
    assert pipeline.scheduler is scheduler
    assert pipeline._progress_bar_config == {"leave": False}


def test_a_folder_is_an_image_folder(pipeline, tmp_path):
    from datasets import load_dataset

    made = make(pipeline, out=tmp_path / "out", seeds=(1,), negative_prompt="blurry")
    data = load_dataset("imagefolder", data_dir=str(tmp_path / "out"), split="train", cache_dir=str(tmp_path))
    assert data["text"] == PROMPTS
    assert {row["seed"] for row in data} == {1}
    np.testing.assert_array_equal(pixels(made)[2], np.asarray(data[2]["image"], dtype=float))
    np.testing.assert_array_equal(pixels(made), pixels(make(pipeline, seeds=(1,), negative_prompt="blurry")))


def test_a_folder_is_resumed(pipeline, tmp_path):
    whole = pixels(make(pipeline, out=tmp_path, batch=1))
    (tmp_path / "images/000001-0.png").unlink()
    (tmp_path / "metadata.jsonl").unlink()
    kept = (tmp_path / "images/000002-0.png").stat().st_mtime_ns
    again = make(pipeline, out=tmp_path, batch=1)
    np.testing.assert_array_equal(pixels(again), whole)
    assert (tmp_path / "images/000002-0.png").stat().st_mtime_ns == kept
    assert len((tmp_path / "metadata.jsonl").read_text().splitlines()) == 3


@pytest.mark.parametrize(
    "change",
    [{"steps": 3}, {"guidance": 3.0}, {"seeds": (7,)}, {"adapter_scale": 0.5}, {"precision": "bf16"}],
)
def test_a_folder_of_other_samples_is_refused(pipeline, tmp_path, change):
    make(pipeline, PROMPTS[:1], tmp_path)
    before = Image.open(tmp_path / "images/000000-0.png").tobytes()
    with pytest.raises(ValueError, match=f"{next(iter(change))}: must be .* was started"):
        make(pipeline, PROMPTS[:1], tmp_path, **change)
    assert Image.open(tmp_path / "images/000000-0.png").tobytes() == before


def test_a_folder_of_a_system_that_said_more_is_refused(pipeline, tmp_path):
    make(pipeline, PROMPTS[:1], tmp_path, origin={"adapter": "runs/mpd"})
    with pytest.raises(ValueError, match="adapter: must be 'runs/mpd', .* got None"):
        make(pipeline, PROMPTS[:1], tmp_path)


def test_a_folder_that_was_hardly_begun_is_taken_up(pipeline, tmp_path):
    """A kill before the settings are whole leaves no images, and no folder that would be refused."""
    (tmp_path / ".sampling.json.partial").write_text('{"steps": 2, "gui')
    assert len(make(pipeline, PROMPTS[:1], tmp_path)) == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["images", "metadata.jsonl", "sampling.json"]


def test_a_folder_of_something_else_is_refused(pipeline, tmp_path):
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(ValueError, match="something else"):
        make(pipeline, out=tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["diary.txt"]


def test_adapter_scale_goes_from_base_to_lora(pipeline):
    """β = 0 is the base (Eq. 12), and a fused LoRA is the LoRA."""
    import torch
    from peft import LoraConfig

    own = tiny_pipeline(seed=0)
    base = pixels(make(own))
    own.unet.add_adapter(
        LoraConfig(r=2, target_modules=["to_q", "to_v"], init_lora_weights="gaussian"), "lora"
    )
    with torch.no_grad():
        for name, parameter in own.unet.named_parameters():
            if "lora_B" in name:
                parameter.normal_(generator=torch.Generator().manual_seed(1))
    full = pixels(make(own))
    assert np.abs(full - base).max() > 8
    np.testing.assert_allclose(pixels(make(own, adapter_scale=0.0)), base, atol=1)
    half = pixels(make(own, adapter_scale=0.5))
    assert np.abs(half - full).max() > 2 and np.abs(half - base).max() > 2
    np.testing.assert_allclose(pixels(make(own)), full, atol=1)  # the scale does not stick
    own.fuse_lora()
    np.testing.assert_allclose(pixels(make(own)), full, atol=2)


@pytest.mark.parametrize(
    ("prompts", "change", "word"),
    [
        ([], {}, "prompts"),
        ("woman", {}, "prompts: must be a list of prompts, got the string 'woman'"),
        (["a man", " "], {}, r"prompts\[1\]"),
        (PROMPTS, {"seeds": ()}, "seeds"),
        (PROMPTS, {"seeds": (1, 1)}, "seeds"),
        (PROMPTS, {"seeds": (-1,)}, "seeds"),
        (PROMPTS, {"steps": 0}, "steps"),
        (PROMPTS, {"batch": 0}, "batch"),
        (PROMPTS, {"size": 60}, "size: must be a positive multiple of 16"),
        (PROMPTS, {"scheduler": "unpic"}, "did you mean 'unipc'"),
        (PROMPTS, {"precision": "bf61"}, "did you mean 'bf16'"),
        (PROMPTS, {"guidance": float("nan")}, "guidance"),
    ],
)
def test_bad_values_leave_nothing(pipeline, tmp_path, prompts, change, word):
    with pytest.raises(ValueError, match=word):
        make(pipeline, prompts, tmp_path / "out", **change)
    assert not (tmp_path / "out").exists()


def test_prompt_files(tmp_path):
    lines = tmp_path / "prompts.txt"
    lines.write_text("a man\n\n  a woman in blüe \n")
    assert read_prompts(lines) == ["a man", "a woman in blüe"]
    listing = tmp_path / "metadata.jsonl"
    listing.write_text(json.dumps({"text": "a man", "file_name": "x.png"}) + "\n\n")
    assert read_prompts(listing) == ["a man"]


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("p.txt", b"\n \n", "has none"),
        ("p.txt", b"\xff\xfe\x00", "UTF-8"),
        ("p.jsonl", b'{"text": "a"}\nnonsense\n', "line 2"),
        ("p.jsonl", b'{"prompt": "a"}\n', "line 1"),
        ("p.jsonl", b'{"text": ""}\n', "non-empty"),
    ],
)
def test_bad_prompt_files(tmp_path, name, content, words):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=words):
        read_prompts(tmp_path / name)
    with pytest.raises(FileNotFoundError):
        read_prompts(tmp_path / "absent.txt")
