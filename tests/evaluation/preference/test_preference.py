"""Preference scores on small random weights in the published formats, against the networks by formula."""

import json
import math

import numpy as np
import pytest
import torch
from PIL import Image
from published import SIDE, Formula, image_reward_state, open_clip_state

from fairhuman.evaluation.evaluate._differences import differences
from fairhuman.evaluation.preference import (
    MissingWeights,
    load_scorer,
    preference_estimates,
    preference_scores,
)
from fairhuman.evaluation.preference._pixels import DEVIATION, MEAN, crop_centre, fit_and_pad

PROMPTS = ["ab", "b a", "c"]
CLIP_WORDS = {"a": 0, "b": 1, "c": 2, "a</w>": 3, "b</w>": 4, "c</w>": 5}
CLIP_WORDS |= {"<|startoftext|>": 6, "<|endoftext|>": 7}
BERT_WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "ab", "b", "a", "c"]
CLIP_TOKENS = [[6, 0, 4, 7], [6, 4, 3, 7], [6, 5, 7]]
BERT_TOKENS = [[2, 5, 3], [2, 6, 7, 3], [2, 8, 3]]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("weights")
    for name in ("hps_v2.1", "image_reward", "clip_score"):
        (root / name).mkdir()
    for name in ("hps_v2.1", "clip_score"):
        (root / name / "vocab.json").write_text(json.dumps(CLIP_WORDS))
        (root / name / "merges.txt").write_text("#version: 0.2\n")
    (root / "image_reward" / "vocab.txt").write_text("\n".join(BERT_WORDS))
    state = open_clip_state(len(CLIP_WORDS))
    torch.save({"epoch": 1, "state_dict": state}, root / "hps_v2.1" / "HPS_v2.1_compressed.pt")
    torch.save(image_reward_state(len(BERT_WORDS)), root / "image_reward" / "ImageReward.pt")
    write_clip(root / "clip_score")
    return {path.name: path for path in root.iterdir()}


def write_clip(folder):
    from transformers import CLIPConfig, CLIPModel

    size = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    ends = {"bos_token_id": 6, "eos_token_id": 7, "pad_token_id": 7}
    config = CLIPConfig(
        text_config=size | ends | {"vocab_size": 8, "max_position_embeddings": 9},
        vision_config=size | {"image_size": SIDE, "patch_size": 4},
        projection_dim=16,
    )
    CLIPModel(config).save_pretrained(folder)


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    shapes = [(30, 20, 3), (12, 12, 3), (17, 40, 3)]
    return [Image.fromarray(rng.integers(0, 256, shape, dtype=np.uint8)) for shape in shapes]


def test_hps_is_the_cosine_of_the_published_network(folders, images):
    state = open_clip_state(len(CLIP_WORDS))
    formula = Formula(state)
    expected = []
    for image, tokens in zip(images, CLIP_TOKENS, strict=True):
        seen = formula.clip_image(fit_and_pad(image, SIDE))
        read = formula.clip_text(torch.tensor(tokens))
        expected.append(float(seen @ read / seen.norm() / read.norm()))
    found = load_scorer("hps_v2.1", folders["hps_v2.1"]).score(images, PROMPTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)
    assert np.ptp(expected) > 1e-2  # the weights are not such that everything scores alike


def test_image_reward_is_the_published_network(folders, images):
    formula = Formula(image_reward_state(len(BERT_WORDS)))
    expected = [
        float(formula.reward(crop_centre(image, SIDE), torch.tensor(tokens)))
        for image, tokens in zip(images, BERT_TOKENS, strict=True)
    ]
    found = load_scorer("image_reward", folders["image_reward"]).score(images, PROMPTS)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)
    assert np.ptp(expected) > 1e-2


def test_clip_score_is_the_cosine_of_transformers_own_model(folders, images):
    from transformers import CLIPModel

    model = CLIPModel.from_pretrained(folders["clip_score"]).eval()
    expected = []
    for image, tokens in zip(images, CLIP_TOKENS, strict=True):
        with torch.no_grad():
            out = model(input_ids=torch.tensor([tokens]), pixel_values=crop_centre(image, SIDE)[None])
        expected.append(float(out.logits_per_image / model.logit_scale.exp().detach()))
    found = load_scorer("clip_score", folders["clip_score"]).score(images, PROMPTS)
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5)


@pytest.mark.parametrize("name", ["hps_v2.1", "image_reward", "clip_score"])
def test_a_score_depends_on_its_own_image_and_prompt_alone(folders, images, name):
    scorer = load_scorer(name, folders[name])
    together = scorer.score(images, PROMPTS, batch=3)
    backwards = scorer.score(images[::-1], PROMPTS[::-1], batch=2)[::-1]
    np.testing.assert_allclose(together, backwards, rtol=1e-4, atol=2e-5)


def test_a_crop_is_the_centre_of_pils_resize():
    rng = np.random.default_rng(1)
    pixels = rng.integers(0, 256, (31, 50, 3), dtype=np.uint8)
    resized = Image.fromarray(pixels).resize((int(14 * 50 / 31), 14), Image.Resampling.BICUBIC)  # 22 × 14
    expected = (np.asarray(resized)[:, 4:18] / 255 - MEAN) / DEVIATION
    np.testing.assert_allclose(crop_centre(pixels, 14).permute(1, 2, 0), expected, atol=1e-5)


def test_an_image_of_the_right_size_is_only_normalised():
    pixels = np.random.default_rng(2).integers(0, 256, (14, 14, 3), dtype=np.uint8)
    expected = (pixels / 255 - MEAN) / DEVIATION
    for prepare in (crop_centre, fit_and_pad):
        np.testing.assert_allclose(prepare(pixels, 14).permute(1, 2, 0), expected, atol=1e-5)


def test_fitting_keeps_the_whole_image_and_pads_with_black():
    rng = np.random.default_rng(3)
    pixels = rng.integers(0, 256, (40, 24, 3), dtype=np.uint8)
    rows, columns = antialiased_bicubic(40, 14), antialiased_bicubic(24, 8)
    resized = np.einsum("ai,ijc,bj->abc", rows, pixels / 255, columns)
    expected = np.zeros((14, 14, 3))
    expected[:, 3:11] = resized
    expected = (expected - MEAN) / DEVIATION
    np.testing.assert_allclose(fit_and_pad(pixels, 14).permute(1, 2, 0), expected, atol=1e-4)


def antialiased_bicubic(length, size):
    """Matrix that resizes: Keys' cubic with a = −1/2, widened by the scale, each row summing to 1."""
    scale = length / size
    matrix = np.zeros((size, length))
    for place in range(size):
        x = np.abs((np.arange(length) + 0.5 - (place + 0.5) * scale) / max(scale, 1.0))
        near, far = 1.5 * x**3 - 2.5 * x**2 + 1, -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2
        matrix[place] = np.where(x < 1, near, np.where(x < 2, far, 0))
        matrix[place] /= matrix[place].sum()
    return matrix


def test_absent_weights_leave_a_column_empty_and_say_how_to_get_them(
    folders, images, tmp_path, monkeypatch, caplog
):
    weights = folders | {"hps_v2.1": tmp_path}
    table = preference_scores({"base": images, "other": images[::-1]}, PROMPTS, weights=weights)
    assert table["hps_v2.1"].isna().all() and table[["image_reward", "clip_score"]].notna().all(None)
    assert "no file HPS_v2.1_compressed.pt" in caplog.text and "xswu/HPSv2" in caplog.text
    rows = {(row["system"], row["metric"]): row for row in preference_estimates(table)}
    assert rows["base", "hps_v2.1"]["n"] == 0 and rows["base", "image_reward"]["n"] == 3


def test_identical_systems_do_not_differ(folders, images):
    table = preference_scores(
        {"a": images * 2, "b": images * 2}, PROMPTS * 2, metrics=["clip_score"], weights=folders
    )
    undetected = {"a": [], "b": []}
    rows = differences(undetected, None, None, {}, table.assign(image_reward=np.nan), level=0.95, seed=0)
    (row,) = [row for row in rows if row["group"] == "preference"]  # absent scores have no difference
    assert row["value"] == pytest.approx(0, abs=1e-6) and not row["supported"]


def test_weights_that_are_not_the_models_are_refused(folders, tmp_path):
    state = open_clip_state(len(CLIP_WORDS))
    for name in ("vocab.json", "merges.txt"):
        (tmp_path / name).write_bytes((folders["hps_v2.1"] / name).read_bytes())
    file = tmp_path / "HPS_v2.1_compressed.pt"
    short = {name: value for name, value in state.items() if name != "visual.ln_post.bias"}
    for content, rule in (
        (short, "post_layernorm.bias"),
        (state | {"surplus": torch.ones(1)}, "surplus"),
        ({"weight": torch.ones(2)}, "not an open_clip checkpoint"),
        ({"state_dict": {"a": "text"}}, "mapping of names to tensors"),
        ({"state_dict": math.sqrt}, "plain tensors|mapping"),
    ):
        torch.save(content, file)
        with pytest.raises(ValueError, match=rule):
            load_scorer("hps_v2.1", tmp_path)
    file.write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match="HPS_v2.1_compressed.pt cannot be read"):
        load_scorer("hps_v2.1", tmp_path)


def test_weights_are_not_fetched_unasked(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(MissingWeights, match="is not in the hub's cache; it is part of THUDM/ImageReward"):
        load_scorer("image_reward")


def test_bad_input_is_named(folders, images):
    scorer = load_scorer("clip_score", folders["clip_score"])
    with pytest.raises(ValueError, match="one for each of 3 images, got 2"):
        scorer.score(images, PROMPTS[:2])
    with pytest.raises(ValueError, match=r"prompts\[1\]: must be a non-empty string"):
        scorer.score(images, ["a", " ", "b"])
    with pytest.raises(ValueError, match="did you mean 'hps_v2.1'"):
        load_scorer("hps_v2")
    with pytest.raises(ValueError, match="'base' has 2 for 3 prompts"):
        preference_scores({"base": images[:2]}, PROMPTS)
    assert scorer.score([], []).shape == (0,)


def test_it_agrees_with_open_clip_itself(folders):
    open_clip = pytest.importorskip("open_clip")  # needs torchvision, which the core does without
    state = open_clip_state(len(CLIP_WORDS))
    theirs = open_clip.CLIP(
        embed_dim=32,
        vision_cfg={"image_size": SIDE, "layers": 2, "width": 160, "head_width": 80, "patch_size": 4},
        text_cfg={"context_length": 9, "vocab_size": 8, "width": 128, "heads": 2, "layers": 2},
    ).eval()
    theirs.load_state_dict(state)
    pixels, tokens = torch.randn(2, 3, SIDE, SIDE), torch.tensor([[6, 0, 4, 7, 0, 0, 0, 0, 0]] * 2)
    with torch.no_grad():
        seen, read = theirs.encode_image(pixels), theirs.encode_text(tokens)
    expected = torch.nn.functional.cosine_similarity(seen, read)
    found = load_scorer("hps_v2.1", folders["hps_v2.1"]).rate(pixels, tokens, None)
    torch.testing.assert_close(found, expected, rtol=0, atol=2e-5)
