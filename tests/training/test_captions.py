"""Captions that change from draw to draw, and prompts longer than a text encoder."""

import os
import signal

import numpy as np
import pytest
import torch
from people import write_folder, write_metadata
from safetensors.torch import load_file

from fairhuman.data import HumanFolder, JointTransform
from fairhuman.models import encode_texts, load_base, prompt_arguments
from fairhuman.models.adapters import LoRA
from fairhuman.sampling import sample
from fairhuman.seeds import caption_generator
from fairhuman.training import Encodings, Examples, TrainSettings, encode_prompt, train
from fairhuman.training import _loop as loop
from fairhuman.training._captions import Captions
from fairhuman.training._kept import KeptEncodings

TAGS = ["a man", "hat", "waving", "blue shirt", "smiling"]
CHANGED = {
    "caption_dropout": 0.4, "shuffle_tags": True, "keep_tokens": 1, "trigger": "ohwx", "prompt_chunks": 2
}  # fmt: skip
LONG = " ".join("abcdefghij" * 6)
"""60 words of one token each; the tiny base takes 38 and CLIP 75."""


@pytest.fixture
def pipeline(base):
    return load_base(base)


@pytest.fixture
def tagged(tmp_path):
    entries = write_folder(tmp_path / "tagged", count=4, size=(64, 64))
    for place, entry in enumerate(entries):
        entry["text"] = ", ".join([f"person {place}", *TAGS])
    write_metadata(tmp_path / "tagged", entries)
    return tmp_path / "tagged"


def captions_of(examples, draws, index=0):
    return [
        examples.draw(index, torch.Generator().manual_seed(n), caption=caption_generator(0, n)).encoded
        for n in range(draws)
    ]


def test_tags_are_shuffled_behind_those_kept():
    captions = Captions(shuffle=True, keep=2)
    drawn = [captions.drawn(", ".join(TAGS), caption_generator(0, n)).split(", ") for n in range(60)]
    assert all(tags[:2] == TAGS[:2] and sorted(tags) == sorted(TAGS) for tags in drawn)
    assert len({tuple(tags) for tags in drawn}) == 6  # all orders of three
    assert Captions(shuffle=True, keep=9).drawn("a,b", caption_generator(0, 0)) == "a, b"


@pytest.mark.parametrize(
    ("caption", "expected"),
    [
        ("a man", "ohwx, a man"),
        ("a man, OHWX", "a man, OHWX"),
        ("ohwxs, a man", "ohwx, ohwxs, a man"),
        ("ohwx", "ohwx"),
    ],
)
def test_a_trigger_is_put_before_a_caption_that_lacks_it(caption, expected):
    assert Captions(trigger="ohwx").fixed(caption) == expected


def test_a_share_of_captions_is_dropped():
    dropped = [Captions(dropout=0.3).drawn("a man", caption_generator(1, n)) is None for n in range(2000)]
    assert np.mean(dropped) == pytest.approx(0.3, abs=4 * (0.3 * 0.7 / 2000) ** 0.5)


def test_long_prompts_are_chunks_each_encoded_by_itself(pipeline):
    """What a chunk becomes is what the pipeline makes of its text alone."""
    length = pipeline.tokenizer.model_max_length
    words = pipeline.tokenizer(LONG, add_special_tokens=False).input_ids
    pieces = [pipeline.tokenizer.decode(words[i : i + length - 2]) for i in (0, length - 2)]
    alone = [pipeline.encode_prompt(piece, do_classifier_free_guidance=False) for piece in pieces]
    tokens, pooled = encode_texts(pipeline, [LONG, "a man"], chunks=2)
    assert tokens.shape[:2] == (2, 2 * length)
    for place, (states, *_) in enumerate(alone):
        torch.testing.assert_close(tokens[0, place * length : (place + 1) * length], states[0])
    torch.testing.assert_close(pooled[0], alone[0][2][0])
    short, empty = (
        pipeline.encode_prompt(one, do_classifier_free_guidance=False)[0] for one in ("a man", "")
    )
    torch.testing.assert_close(tokens[1], torch.cat([short[0], empty[0]]))


def test_one_chunk_is_the_pipelines_encoding_to_the_bit(pipeline):
    texts = ["a man", LONG]
    tokens, _, pooled, _ = pipeline.encode_prompt(texts, do_classifier_free_guidance=False)
    found = encode_texts(pipeline, texts)
    assert torch.equal(found[0], tokens) and torch.equal(found[1], pooled)


@pytest.mark.parametrize("zeros", [True, False])
def test_a_dropped_caption_is_what_guidance_starts_from(pipeline, zeros):
    pipeline.register_to_config(force_zeros_for_empty_prompt=zeros)
    _, negative, _, pooled = pipeline.encode_prompt("a man", do_classifier_free_guidance=True)
    dropped = encode_prompt(pipeline, None)
    torch.testing.assert_close(dropped.tokens, negative[0])
    torch.testing.assert_close(dropped.pooled, pooled[0])
    assert zeros == (dropped.tokens.abs().max() == 0)
    given = prompt_arguments(pipeline, ["a man", LONG], chunks=3)
    twice = encode_texts(pipeline, [None], chunks=3)
    torch.testing.assert_close(given["negative_prompt_embeds"], twice[0].repeat(2, 1, 1))
    torch.testing.assert_close(given["negative_pooled_prompt_embeds"], twice[1].repeat(2, 1))


def test_a_long_prompts_end_is_seen_in_its_image(pipeline):
    """With as many chunks as it needs; and uncond has as many."""

    def image(prompt, **options):
        (drawn,) = sample(pipeline, [prompt], steps=2, size=64, progress=False, **options)
        return np.asarray(drawn.image)

    other = f"{LONG} dog"
    assert (image(LONG) == image(other)).all()
    assert (image(LONG, chunks=2) != image(other, chunks=2)).any()
    assert (image(LONG, chunks=2) != image(LONG, chunks=2, negative_prompt=other)).any()


def test_a_text_encoders_lora_keeps_its_strength_in_chunks(pipeline):
    lora = LoRA(pipeline, rank=2, text_encoders=True)
    with torch.no_grad():
        for parameter in lora.parameters.values():
            parameter.normal_(generator=torch.Generator().manual_seed(0))
    length = pipeline.tokenizer.model_max_length
    for scale in (0.0, 0.5, 1.0):
        expected = pipeline.encode_prompt("a man", do_classifier_free_guidance=False, lora_scale=scale)
        given = prompt_arguments(pipeline, ["a man"], chunks=2, scale=scale)
        torch.testing.assert_close(given["prompt_embeds"][:, :length], expected[0].detach())
        torch.testing.assert_close(given["pooled_prompt_embeds"], expected[2].detach())


@pytest.mark.parametrize("kept", ["memory", "disk", "nowhere"])
def test_what_is_kept_is_that_of_the_caption_drawn(pipeline, tagged, tmp_path, kept):
    captions, encodings = Captions("ohwx", shuffle=True, keep=2, dropout=0.3), Encodings()
    data, where = HumanFolder(tagged), KeptEncodings(tmp_path / "kept", {}) if kept == "disk" else None
    examples = Examples(pipeline, data, JointTransform(64), cache=kept != "nowhere", encodings=encodings,
                        kept=where, captions=captions, chunks=2)  # fmt: skip
    found = captions_of(examples, 12)
    seen = {one.caption for one in found}
    assert None in seen and len(seen) > 4
    assert all(text.startswith("ohwx, person 0, ") for text in seen - {None})
    for one in found:
        expected = encode_prompt(pipeline, one.caption, 2)
        assert torch.equal(one.text.tokens, expected.tokens) and torch.equal(one.text.pooled, expected.pooled)
    whole = examples.draw(0, torch.Generator().manual_seed(0)).encoded
    assert whole.caption == ", ".join(["ohwx", "person 0", *TAGS])
    assert torch.equal(whole.text.tokens, encode_prompt(pipeline, whole.caption, 2).tokens)
    assert len(encodings.texts) == (2 if kept == "memory" else 0)  # whole, and dropped


@pytest.mark.parametrize("kept", ["memory", "disk"])
def test_left_and_right_of_a_caption_follow_a_mirrored_image(pipeline, tmp_path, kept):
    entries = write_folder(tmp_path / "sided", count=1, size=(64, 64))
    entries[0]["text"] = "Left hand up, lit from the right, upright"
    write_metadata(tmp_path / "sided", entries)
    where = KeptEncodings(tmp_path / "kept", {}) if kept == "disk" else None
    for flip, words in ((1.0, "Right hand up, lit from the left, upright"), (0.0, entries[0]["text"])):
        examples = Examples(
            pipeline, HumanFolder(tmp_path / "sided"), JointTransform(64, flip=flip), kept=where
        )
        expected = encode_prompt(pipeline, words)
        for _ in range(2):  # made, then kept
            found = examples.draw(0, torch.Generator().manual_seed(0)).encoded
            assert found.caption == words
            assert torch.equal(found.text.tokens, expected.tokens)


def test_captions_draw_nothing_from_the_noise(values, trainer_of, tagged):
    plain, changed = (
        trainer_of(TrainSettings(**values | {"data": str(tagged)}, **more)).objectives.draw(3)
        for more in ({}, CHANGED)
    )
    for one, other in zip(plain, changed, strict=True):
        assert one.timestep == other.timestep and torch.equal(one.noise, other.noise)
        assert torch.equal(one.latents, other.latents) and one.encoded.caption != other.encoded.caption


@pytest.mark.parametrize("more", [{}, {"cache": False}, {"cache_folder": "kept"}, {"text_encoders": True}])
def test_an_interrupted_run_ends_with_the_same_bits(values, tagged, tmp_path, monkeypatch, more):
    """Wherever encodings are kept, and in other words than a run whose captions stay as they are."""
    monkeypatch.chdir(tmp_path)
    values |= {"data": str(tagged), "heldout": str(tagged), "heldout_draws": 1, "sample_count": 1}
    encoders = {"text_encoders": "text_encoders" in more}
    whole = train(TrainSettings(**values, **CHANGED, **encoders, sample_every=6))
    assert len(list((whole.directory / "samples").rglob("*.png"))) == 1
    advance, pending = loop.Trainer.advance, [2]

    def interrupted(self):
        if pending and self.step == pending[0]:
            os.kill(os.getpid(), signal.SIGTERM)
            pending.pop()
        return advance(self)

    monkeypatch.setattr(loop.Trainer, "advance", interrupted)
    settings = TrainSettings(**values | {"output": str(tmp_path / "cut")}, **CHANGED, **more)
    with pytest.raises(SystemExit):
        train(settings)
    plain = train(TrainSettings(**values | {"output": str(tmp_path / "plain")}, **more))
    weights, mine, other = (load_file(run.weights) for run in (whole, train(settings), plain))
    assert all(torch.equal(tensor, mine[name]) for name, tensor in weights.items())
    assert not all(torch.equal(tensor, other[name]) for name, tensor in weights.items())


def test_a_dropped_caption_reaches_no_text_encoder(values, trainer_of, tagged):
    settings = TrainSettings(**values | {"data": str(tagged)}, text_encoders=True, caption_dropout=0.999999)
    objectives = trainer_of(settings).objectives
    (part,) = objectives.parts(objectives.draw(0))
    assert part.batch.texts == (None, None) and not part.batch.tokens.any()
    expected = part.batch.predict(objectives.adapter.unet)
    torch.testing.assert_close(objectives.predict(part.batch), expected)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"caption_dropout": 1.0}, r"caption_dropout: must be in \[0, 1\), got 1.0"),
        ({"keep_tokens": 1}, "keep_tokens: is of no effect without shuffle_tags, got 1"),
        ({"trigger": " "}, "trigger: must not be empty, got ' '"),
        ({"prompt_chunks": 0}, "prompt_chunks: must be ≥ 1, got 0"),
    ],
)
def test_settings_of_captions_that_make_no_sense(change, words):
    with pytest.raises(ValueError, match=words):
        TrainSettings(data="people", output="run", **change)
