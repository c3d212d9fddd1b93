"""What the UNet is given in training is what the pipeline gives it when it samples."""

import numpy as np
import pytest
import torch
from people import write_folder, write_metadata
from safetensors.torch import load_file

from fairhuman.data import HumanFolder, JointTransform
from fairhuman.models import load_base
from fairhuman.training import (
    Encodings,
    Examples,
    TrainSettings,
    collate,
    encode_image,
    encode_prompt,
    train,
)
from fairhuman.training import _batches as batches


@pytest.fixture(scope="module")
def pipeline(base):
    return load_base(base)


def test_latents_are_in_the_pipelines_scale(pipeline):
    pixels = torch.rand(3, 64, 64) * 2 - 1
    latent = encode_image(pipeline.vae, pixels)
    assert latent.mean.shape == latent.deviation.shape == (4, 8, 8)
    encoded = pipeline.vae.encode(pixels[None]).latent_dist
    torch.testing.assert_close(latent.mean, encoded.mean[0] * pipeline.vae.config.scaling_factor)
    torch.testing.assert_close(latent.deviation, encoded.std[0] * pipeline.vae.config.scaling_factor)


def test_latents_with_means_and_deviations_of_their_own(base):
    pipeline = load_base(base)
    mean, std = [0.5, -1.0, 0.0, 2.0], [1.0, 2.0, 0.5, 4.0]
    pipeline.vae.register_to_config(latents_mean=mean, latents_std=std)
    pixels = torch.rand(3, 64, 64) * 2 - 1
    latent = encode_image(pipeline.vae, pixels).mean
    shape = (4, 1, 1)
    decoded = latent * torch.tensor(std).view(shape) / pipeline.vae.config.scaling_factor
    encoded = pipeline.vae.encode(pixels[None]).latent_dist.mean[0]
    torch.testing.assert_close(decoded + torch.tensor(mean).view(shape), encoded)


def test_prompts_are_encoded_as_the_pipeline_does(pipeline):
    texts = ["a person", "a woman in a blue shirt"]
    tokens, _, pooled, _ = pipeline.encode_prompt(texts, do_classifier_free_guidance=False)
    for place, text in enumerate(texts):
        embedding = encode_prompt(pipeline, text)
        torch.testing.assert_close(embedding.tokens, tokens[place])
        torch.testing.assert_close(embedding.pooled, pooled[place])


def test_what_a_long_caption_loses_is_said(pipeline, caplog):
    text = "a person with " + "one more hand and " * 30 + "a hat"
    tokens, _, pooled, _ = pipeline.encode_prompt(text, do_classifier_free_guidance=False)
    caplog.clear()
    embedding = encode_prompt(pipeline, text)
    torch.testing.assert_close(embedding.tokens, tokens[0])
    torch.testing.assert_close(embedding.pooled, pooled[0])
    length = pipeline.tokenizer.model_max_length
    assert len(caplog.messages) == 2  # one for each tokenizer
    assert all(message.startswith(f"caption cut to {length} tokens") for message in caplog.messages)
    assert all(message.endswith("and a hat'") for message in caplog.messages)


def test_encoding_is_the_same_inside_an_autocast(pipeline):
    """As when held-out losses of a run in half precision are measured."""
    pixels = torch.rand(3, 64, 64) * 2 - 1
    outside = encode_image(pipeline.vae, pixels), encode_prompt(pipeline, "a person")
    with torch.autocast("cpu", torch.bfloat16):
        inside = encode_image(pipeline.vae, pixels), encode_prompt(pipeline, "a person")
    for mine, other in zip(inside, outside, strict=True):
        assert all(torch.equal(*pair) for pair in zip(mine, other, strict=True))


def test_a_batch_is_noised_by_the_schedule(pipeline, people):
    examples = Examples(pipeline, HumanFolder(people), JointTransform(64), mask_mode="hard")
    drawn = [examples.draw(i, torch.Generator().manual_seed(i)) for i in range(3)]
    batch = collate(drawn, examples.scheduler)
    share = examples.scheduler.alphas_cumprod[batch.timesteps].view(3, 1, 1, 1)
    latents, noise = (torch.stack([getattr(e, name) for e in drawn]) for name in ("latents", "noise"))
    torch.testing.assert_close(batch.noisy, share.sqrt() * latents + (1 - share).sqrt() * noise)
    torch.testing.assert_close(batch.target, share.sqrt() * noise - (1 - share).sqrt() * latents)
    assert batch.predict(pipeline.unet).shape == batch.target.shape
    assert batch.time_ids.tolist() == [[64, 64, 0, 0, 64, 64]] * 3
    assert set(batch.masks["face"].unique().tolist()) <= {0.0, 1.0}


def test_what_one_run_encoded_another_takes_over(values, tmp_path, monkeypatch):
    """To the same bits as encoding it again."""
    calls = []
    for name in ("encode_image", "encode_prompt"):
        encode = getattr(batches, name)
        monkeypatch.setattr(batches, name, lambda *given, f=encode: calls.append(given) or f(*given))
    encodings, runs = Encodings(), {}
    for name, given in {"first": encodings, "second": encodings, "alone": None}.items():
        settings = TrainSettings(**values | {"output": str(tmp_path / name), "steps": 3, "flip": 0.5})
        before = len(calls)
        runs[name] = load_file(train(settings, encodings=given).weights), len(calls) - before
    assert runs["first"][1] == runs["alone"][1] > 0 == runs["second"][1]
    for weights, _ in runs.values():
        assert all(torch.equal(tensor, weights[name]) for name, tensor in runs["alone"][0].items())


def test_masks_follow_their_image(pipeline, people):
    """A flipped example has flipped masks and the latent of the flipped image."""
    data = HumanFolder(people)
    plain, flipped = (
        Examples(pipeline, data, JointTransform(64, flip=flip)).draw(0, torch.Generator().manual_seed(0))
        for flip in (0.0, 1.0)
    )
    torch.testing.assert_close(flipped.encoded.masks["hand"], plain.encoded.masks["hand"].flip(-1))
    image = torch.from_numpy(np.ascontiguousarray(data[0].image[:, ::-1])).permute(2, 0, 1) / 127.5 - 1
    torch.testing.assert_close(flipped.encoded.latent.mean, encode_image(pipeline.vae, image).mean)
    assert torch.equal(plain.noise, flipped.noise) and plain.timestep == flipped.timestep


def test_an_image_that_is_repeated_comes_more_often_in_an_epoch(values, tmp_path, trainer_of):
    entries = write_folder(tmp_path / "people", count=3, size=(64, 64))
    for entry, repeats in zip(entries, (2, 4, 6), strict=True):
        entry["repeats"] = repeats
    write_metadata(tmp_path / "people", entries)
    objectives = trainer_of(TrainSettings(**values | {"data": str(tmp_path / "people")})).objectives
    drawn = [one.encoded.caption for step in range(6) for one in objectives.draw(step)]
    assert all(drawn[epoch : epoch + 6].count(f"person {n}") == n + 1 for epoch in (0, 6) for n in range(3))
