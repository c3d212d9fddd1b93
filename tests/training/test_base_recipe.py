"""Training of the base, on a data set and networks of no size."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from PIL import Image
from safetensors.torch import load_file

from fairhuman.models import TINY, build_autoencoder, load_base
from fairhuman.training.base import (
    AutoencoderSettings,
    BaseSettings,
    DenoiserSettings,
    load_training,
    train_base,
    training_curves,
    views_seen,
)
from fairhuman.training.base._autoencoder import mirror_error, roughness, transformed
from fairhuman.training.base._corpus import Corpus, to_pixels
from fairhuman.training.base._crops import draw_views, resized
from fairhuman.training.base._denoiser import spread_timesteps
from fairhuman.training.base._latents import encode_corpus, normalise_latents, reduced_autoencoder
from fairhuman.training.base._recipe import started_autoencoder

WORDS = ("a", "red", "square")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("squares")
    (folder / "images").mkdir()
    rng = np.random.default_rng(0)
    lines = []
    for index in range(6):
        pixels = np.full((64, 64, 3), rng.integers(0, 255, 3), np.uint8)
        pixels[20:40, 20:40] = rng.integers(0, 255, 3)
        name = f"images/{index:06d}.png"
        Image.fromarray(pixels).save(folder / name)
        lines.append(
            {"file_name": name, "text": "a red square", "face_box": [20, 20, 40, 40], "left_hand_box": None}
        )
    (folder / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.fixture(scope="module")
def halves(data, tmp_path_factory):
    """The same squares at half the size."""
    folder = tmp_path_factory.mktemp("halves")
    (folder / "images").mkdir()
    for path in (data / "images").iterdir():
        Image.open(path).resize((32, 32)).save(folder / "images" / path.name)
    lines = [json.loads(line) for line in (data / "metadata.jsonl").open()]
    for line in lines:
        line["face_box"] = [value // 2 for value in line["face_box"]]
    (folder / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def _settings(data, output, **denoiser):
    chosen = {"steps": 6, "batch_size": 2, "warmup": 2, "decay": 2, "optimizer": "muon"} | denoiser
    return BaseSettings(
        data=str(data),
        output=str(output),
        architecture=TINY,
        autoencoder=AutoencoderSettings(
            steps=6, whole_steps=2, crop=32, crops=2, whole_images=1, warmup=2, decay=2
        ),
        refinement=AutoencoderSettings(steps=2, whole_steps=1, crop=32, crops=2, warmup=0, decay=1),
        denoiser=DenoiserSettings(**chosen),
        checkpoint_every=2,
    )


class _Killed(Exception):
    pass


@pytest.mark.parametrize("part", ["autoencoder", "denoiser"])
def test_a_training_that_was_cut_off_ends_with_the_same_bits(data, tmp_path, monkeypatch, part):
    whole = train_base(_settings(data, tmp_path / "whole"), WORDS, progress=False)
    module = __import__(f"fairhuman.training.base._{part}", fromlist=["rate"])
    schedule = module.rate

    def dies(step, *rest):
        if step == 3:  # one step after a checkpoint, whose work is lost
            raise _Killed
        return schedule(step, *rest)

    settings = _settings(data, tmp_path / "cut")
    with monkeypatch.context() as patched, pytest.raises(_Killed):
        patched.setattr(module, "rate", dies)
        train_base(settings, WORDS, progress=False)
    cut = train_base(settings, WORDS, progress=False)
    for name in ("unet", "vae"):
        expected, found = (
            load_file(path / name / "diffusion_pytorch_model.safetensors") for path in (whole, cut)
        )
        assert all(torch.equal(expected[key], found[key]) for key in expected), name
    steps = [json.loads(line)["step"] for line in (tmp_path / "cut" / part / "log.jsonl").open()]
    assert steps == list(range(6))


def test_the_trained_pipeline_loads_and_another_run_is_refused(data, tmp_path):
    settings = _settings(data, tmp_path / "run", optimizer="adamw")
    folder = train_base(settings, WORDS, progress=False)
    plain = StableDiffusionXLPipeline.from_pretrained(folder)
    assert {part.dtype for part in plain.components.values() if hasattr(part, "dtype")} == {torch.float32}
    pipeline = load_base(folder)
    assert pipeline.tokenizer.tokenize("a red square") == ["a</w>", "red</w>", "square</w>"]
    image = pipeline("a red square", num_inference_steps=2, output_type="np").images
    assert np.isfinite(image).all()
    assert "/" not in (folder / "unet" / "config.json").read_text()  # no path of the machine
    changed = settings.changed(seed=1)
    with pytest.raises(ValueError, match="seed: must be 0, .* got 1"):
        train_base(changed, WORDS, progress=False)


def test_a_training_can_be_judged_while_it_goes_on(data, tmp_path):
    with pytest.raises(FileNotFoundError, match="holds no checkpoint of a UNet"):
        load_training(tmp_path)
    folder = train_base(_settings(data, tmp_path / "run"), WORDS, progress=False)
    pipeline, step = load_training(tmp_path / "run", WORDS)
    assert step == 6
    for name in ("unet", "vae", "text_encoder"):
        kept = getattr(load_base(folder), name).state_dict()
        for key, value in getattr(pipeline, name).state_dict().items():
            torch.testing.assert_close(
                value, kept[key], rtol=1e-3, atol=1e-4
            )  # the export is in half precision


def test_longer_is_another_run_once_the_decay_has_begun(data, tmp_path):
    settings = _settings(data, tmp_path / "run")
    train_base(settings, WORDS, progress=False)
    with pytest.raises(ValueError, match="denoiser.steps: must be 6, .* got 9"):
        train_base(_settings(data, tmp_path / "run", steps=9), WORDS, progress=False)


def test_a_start_keeps_the_encoder_and_goes_on_from_its_unet(data, tmp_path):
    first = train_base(_settings(data, tmp_path / "first"), WORDS, progress=False)
    refinement = AutoencoderSettings(
        steps=2, whole_steps=1, crop=32, crops=2, warmup=0, decay=1, decoder_only=True
    )
    settings = _settings(data, tmp_path / "second", steps=1, warmup=0, decay=0, learning_rate=1e-7)
    settings = settings.changed(
        start=str(first),
        refinement=refinement,
        denoiser=settings.denoiser.changed(muon_learning_rate=1e-7),
    )
    second = train_base(settings, WORDS, progress=False)
    before, after = (
        load_file(path / "vae" / "diffusion_pytorch_model.safetensors") for path in (first, second)
    )
    kept = [key for key in before if key.startswith(("encoder.", "quant_conv."))]
    assert kept
    assert all(torch.equal(before[key], after[key]) for key in kept)
    assert any(not torch.equal(before[key], after[key]) for key in before if key.startswith("decoder."))
    before, after = (
        load_file(path / "unet" / "diffusion_pytorch_model.safetensors") for path in (first, second)
    )
    for key, value in before.items():  # one step of no length
        torch.testing.assert_close(after[key], value, atol=1e-3, rtol=1e-2)
    bigger = TINY.changed(unet_channels=tuple(2 * width for width in TINY.unet_channels))
    with pytest.raises(ValueError, match="start: unet of .* must be of the architecture's size"):
        train_base(
            settings.changed(architecture=bigger, output=str(tmp_path / "other")),
            WORDS,
            progress=False,
        )
    assert not (tmp_path / "other").exists()


def test_normalised_latents_have_unit_deviation_and_decode_to_the_same(data):
    torch.manual_seed(0)
    vae = build_autoencoder(TINY)
    corpus = Corpus.read(data, 64)
    pixels = to_pixels(corpus.images)
    with torch.no_grad():
        before = vae.decode(vae.encode(pixels).latent_dist.mean).sample
        deviation = vae.encode(pixels).latent_dist.std
        latents = encode_corpus(vae, corpus)
        scale = latents.std(dim=(0, 2, 3)).view(1, -1, 1, 1)
        normalised = normalise_latents(vae, latents)
        posterior = vae.encode(pixels).latent_dist
        after = vae.decode(posterior.mean).sample
    torch.testing.assert_close(normalised.mean(dim=(0, 2, 3)), torch.zeros(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(normalised.std(dim=(0, 2, 3)), torch.ones(4), atol=1e-4, rtol=0)
    torch.testing.assert_close(posterior.mean, normalised, atol=1e-3, rtol=1e-3)
    torch.testing.assert_close(posterior.std * scale, deviation, atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(after, before, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("kind", ["run", "autoencoder", "base"])
def test_an_autoencoder_goes_on_from_a_run_from_itself_alone_or_from_a_base(data, tmp_path, kind):
    pipeline = train_base(_settings(data, tmp_path / "first"), WORDS, progress=False)
    start = {"run": tmp_path / "first", "autoencoder": pipeline / "vae", "base": pipeline}[kind]
    nothing = AutoencoderSettings(steps=0, whole_steps=0, warmup=0, decay=0)
    settings = _settings(data, tmp_path / "second").changed(
        autoencoder_start=str(start), autoencoder=nothing, refinement=nothing
    )
    second = train_base(settings, WORDS, progress=False)
    before, after = (load_base(folder).vae for folder in (pipeline, second))
    pixels = to_pixels(Corpus.read(data, 64).images)
    with torch.no_grad():  # the same pictures; latents are normalised once more
        shown = [vae.decode(vae.encode(pixels).latent_dist.mean).sample for vae in (before, after)]
    torch.testing.assert_close(shown[1], shown[0], atol=0.02, rtol=0)


def test_reduced_channels_are_principal_components_at_unit_deviation(data):
    torch.manual_seed(0)
    vae, corpus = build_autoencoder(TINY), Corpus.read(data, 64)
    with torch.no_grad():
        vae.post_quant_conv.bias.normal_()
        vae.quant_conv.bias.normal_()
    latents = encode_corpus(vae, corpus)
    every = build_autoencoder(TINY)
    reduced_autoencoder(vae, latents, every)
    components = encode_corpus(every, corpus)
    covariance = torch.cov(components.movedim(1, -1).reshape(-1, 4).T)
    torch.testing.assert_close(covariance, torch.eye(4), atol=2e-3, rtol=0)
    with torch.no_grad():  # all components together lose nothing
        torch.testing.assert_close(
            every.decode(components).sample, vae.decode(latents).sample, atol=1e-3, rtol=1e-3
        )
    few = build_autoencoder(TINY.changed(latent_channels=2))
    reduced_autoencoder(vae, latents, few)
    torch.testing.assert_close(encode_corpus(few, corpus), components[:, :2], atol=1e-3, rtol=1e-3)


def test_crops_cover_the_boxes_they_are_laid_on(data):
    corpus = Corpus.read(data, 64)
    settings = AutoencoderSettings(crop=32, crops=16, region_share=1.0, region_weight=3.0)
    pixels, weights, _ = draw_views(corpus, settings, seed=0, step=0)
    assert pixels.shape == (16, 3, 32, 32)
    assert (weights == 3).flatten(1).sum(dim=1).tolist() == [400] * 16  # the whole 20 × 20 box
    again, _, _ = draw_views(corpus, settings, seed=0, step=0)
    assert torch.equal(pixels, again)
    other, _, _ = draw_views(corpus, settings, seed=0, step=1)
    assert not torch.equal(pixels, other)


def test_views_of_half_the_size_show_twice_as_much(data):
    corpus = Corpus.read(data, 64)
    whole = {"steps": 1, "whole_steps": 1, "warmup": 0, "decay": 0, "whole_images": 4}
    full, _, _ = draw_views(corpus, AutoencoderSettings(**whole), seed=0, step=0)
    half, weights, _ = draw_views(corpus, AutoencoderSettings(**whole, half_share=1.0), seed=0, step=0)
    assert half.shape == (4, 3, 32, 32) and weights.shape == (4, 1, 32, 32)
    torch.testing.assert_close(resized(full, 32), half)


def test_a_transformation_moves_latents_pixels_and_weights_alike():
    draw = torch.Generator().manual_seed(0)
    ramp = torch.arange(8.0).expand(2, 4, 8, 8)
    pixels = ramp[:, :1].repeat_interleave(8, -1).repeat_interleave(8, -2)
    seen = set()
    for _ in range(40):
        latents, shown, weights = transformed(ramp, pixels, pixels, 0.8, draw)
        side = latents.shape[-1]
        assert 4 <= side <= 8 and shown.shape[-1] == weights.shape[-1] == 8 * side
        torch.testing.assert_close(shown, weights)
        blocks = torch.nn.functional.avg_pool2d(shown, 8)
        torch.testing.assert_close(latents[:, :1], blocks, atol=0.3, rtol=0)
        seen.add((side, bool(latents[0, 0, 0, 0] > latents[0, 0, 0, -1])))
    assert len({side for side, _ in seen}) >= 4 and len({flipped for _, flipped in seen}) == 2


def test_a_mirror_error_is_none_for_an_encoder_that_mirrors_and_two_for_unrelated_codes():
    means = torch.randn(8, 4, 16, 16, generator=torch.Generator().manual_seed(0))

    class Encoder:
        def __init__(self, codes):
            self.codes = codes

        def encode(self, views):
            posterior = SimpleNamespace(mean=self.codes[: len(views)])
            return SimpleNamespace(latent_dist=posterior)

    views = torch.zeros(8, 3, 128, 128)
    assert mirror_error(Encoder(means.flip(-1)), views, means).item() == pytest.approx(0, abs=1e-12)
    other = torch.randn(8, 4, 16, 16, generator=torch.Generator().manual_seed(1))
    assert mirror_error(Encoder(other), views, means).item() == pytest.approx(2, abs=0.1)


def test_smooth_latents_are_less_rough_than_noise():
    noise = torch.randn(4, 2, 16, 16, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(noise[..., :4, :4], scale_factor=4, mode="bilinear")
    assert roughness(smooth).item() < 0.15 * roughness(noise).item()
    assert roughness(torch.ones(1, 2, 8, 8)).item() == 0


def test_a_corpus_of_two_sizes_trains_both_and_can_be_stopped(data, halves, tmp_path):
    settings = _settings(data, tmp_path / "run", small_share=0.5, small_share_later=0.5)
    settings = settings.changed(small=str(halves))
    assert train_base(settings, WORDS, progress=False, minutes=0) is None
    assert train_base(settings, WORDS, progress=False, minutes=0) is None
    folder = train_base(settings, WORDS, progress=False)
    lines = [json.loads(line) for line in (tmp_path / "run" / "denoiser" / "log.jsonl").open()]
    assert [line["step"] for line in lines] == list(range(6))
    assert {line["size"] for line in lines} == {32, 64}
    assert views_seen(tmp_path / "run" / "denoiser") == sum(line["images"] for line in lines)
    whole = train_base(settings.changed(output=str(tmp_path / "whole")), WORDS, progress=False)
    expected, found = (
        load_file(path / "unet" / "diffusion_pytorch_model.safetensors") for path in (whole, folder)
    )
    assert all(torch.equal(expected[key], found[key]) for key in expected)


def test_the_log_is_summarised_without_losing_steps_or_time(data, tmp_path):
    settings = _settings(data, tmp_path / "run")
    train_base(settings, WORDS, progress=False)
    curves = training_curves(tmp_path / "run", points=4)
    assert curves["denoiser"]["steps"] == 6
    assert [row["step"] for row in curves["denoiser"]["curve"]] == [2, 3, 4, 6]
    lines = [json.loads(line) for line in (tmp_path / "run" / "denoiser" / "log.jsonl").open()]
    assert curves["denoiser"]["minutes"] == pytest.approx(sum(line["seconds"] for line in lines) / 60)
    assert curves["denoiser"]["curve"][1]["loss"] == pytest.approx(lines[2]["loss"], abs=1e-5)
    decoder = settings.refinement.changed(decoder_only=True)
    start = str(tmp_path / "run" / "pipeline")
    later = settings.changed(start=start, output=str(tmp_path / "later"), refinement=decoder)
    train_base(later, WORDS, progress=False)
    joined = training_curves(tmp_path / "run", tmp_path / "later", points=4)["denoiser"]
    alone = training_curves(tmp_path / "run", points=4)["denoiser"]
    assert joined["steps"] == 12 and joined["continued"] == [6]
    assert [row["step"] for row in joined["curve"]] == [2, 3, 4, 6, 8, 9, 10, 12]
    assert joined["curve"][:4] == alone["curve"]
    assert joined["minutes"] > joined["curve"][4]["minutes"] > alone["minutes"]


def test_timesteps_of_a_batch_cover_the_schedule():
    draw = torch.Generator().manual_seed(0)
    timesteps = spread_timesteps(8, 1000, draw)
    assert sorted((timesteps // 125).tolist()) == list(range(8))
    assert spread_timesteps(8, 1000, draw).tolist() != timesteps.tolist()


@pytest.mark.parametrize(
    ("values", "rule"),
    [
        ({"denoiser": {"optimiser": "muon"}}, "unknown name 'optimiser'; did you mean 'optimizer'"),
        ({"denoiser": {"optimizer": "mun"}}, "did you mean 'muon'"),
        ({"autoencoder": {"crop": 50}}, "autoencoder.crop: must be a positive multiple of 8, got 50"),
        ({"autoencoder": {"steps": 2.5}}, "must be int, got 2.5"),
        ({"denoiser": {"steps": 10}}, "warmup \\+ decay: must be at most steps = 10"),
        (
            {"start": "embedded", "refinement": {"steps": 9, "warmup": 0, "decay": 0, "whole_steps": 0}},
            "refinement: must have decoder_only with a start",
        ),
        ({"precision": "half"}, "precision: unknown name 'half'"),
        ({"architecture": {"image_size": 100}}, "architecture.image_size: must be a multiple of 32, got 100"),
    ],
)
def test_bad_settings_are_named(values, rule):
    with pytest.raises((ValueError, TypeError), match=rule):
        BaseSettings.from_mapping({"data": "d", "output": "o", **values})


def test_the_shipped_recipe_is_valid_and_its_second_run_goes_on_with_the_first(request):
    folder = request.config.rootpath / "params" / "models"
    first = BaseSettings.from_yaml(folder / "embedded.yaml", data="d", output="o")
    second = BaseSettings.from_yaml(folder / "embedded-continued.yaml", data="d", output="o")
    assert second.architecture == first.architecture
    assert second.start and second.seed != first.seed  # the same seed would repeat the first run's draws


def test_the_recipe_in_training_goes_on_from_the_weights_that_are_kept(request):
    folder = request.config.rootpath / "params" / "models"
    runs = [
        BaseSettings.from_yaml(folder / f"{name}.yaml", data="d", output="o")
        for name in ("everyday-autoencoder", "everyday-detail", "everyday-wide", "everyday")
    ]
    assert all(run.architecture == runs[0].architecture for run in runs)
    kept = started_autoencoder(str(folder / "everyday"))
    assert kept.config.latent_channels == runs[-1].architecture.latent_channels
    assert kept.dtype == torch.float32
