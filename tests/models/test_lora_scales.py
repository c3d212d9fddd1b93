"""What a LoRA's file says of its strength must not be lost on the way to other tools and runs."""

import json

import pytest
import torch
from diffusers import StableDiffusionXLPipeline
from safetensors.torch import load_file, save_file

from fairhuman.models import fingerprint_base, fuse, load_base, tiny_pipeline
from fairhuman.models._original import original_unet_name, unet_names
from fairhuman.models._single_file import save_single_file
from fairhuman.models.adapters import LoRA, MoLE, convert_lora, load_lora
from fairhuman.models.adapters._lora import effective_alpha, read_lora


def saved(folder, **options):
    adapter = LoRA(tiny_pipeline(seed=0), rank=4, **options)
    with torch.no_grad():
        for tensor in adapter.parameters.values():
            tensor.add_(torch.randn(tensor.shape, generator=torch.Generator().manual_seed(1)), alpha=0.1)
    adapter.save(folder, {})
    return folder


def predicted(pipeline):
    draw = torch.Generator().manual_seed(0)
    condition = {"text_embeds": torch.randn(1, 32, generator=draw), "time_ids": torch.zeros(1, 6)}
    noisy, tokens = torch.randn(1, 4, 8, 8, generator=draw), torch.randn(1, 7, 64, generator=draw)
    with torch.no_grad():
        return pipeline.unet(noisy, 5, tokens, added_cond_kwargs=condition).sample


@pytest.mark.parametrize(("options", "scale"), [({"dora": True}, 1.0), ({"rslora": True, "alpha": 3.0}, 1.5)])
def test_dora_and_rslora_are_read_by_us_and_by_plain_diffusers(base, tmp_path, options, scale):
    lora = saved(tmp_path / "lora", **options)
    ours, plain = (
        tiny_pipeline(seed=0),
        StableDiffusionXLPipeline.from_pretrained(base, add_watermarker=False),
    )
    load_lora(ours, lora)
    plain.load_lora_weights(lora)
    layers = [module for module in ours.unet.modules() if hasattr(module, "scaling")]
    assert {layer.scaling["lora"] for layer in layers} == {scale}
    assert torch.equal(predicted(ours), predicted(plain))
    assert not torch.allclose(predicted(ours), predicted(load_base(base)), atol=1e-3)


def test_a_dora_is_no_expert(tmp_path):
    lora = saved(tmp_path / "lora", dora=True)
    with pytest.raises(ValueError, match="must be a plain LoRA, it is a DoRA"):
        MoLE(tiny_pipeline(seed=0), experts=(lora, lora))


def test_rslora_keeps_its_strength_in_kohyas_layout(base, tmp_path):
    lora = saved(tmp_path / "lora", rslora=True, alpha=4)
    kohya = convert_lora(lora, tmp_path / "kohya.safetensors", "kohya", base=base)
    alphas = {float(tensor) for name, tensor in load_file(kohya).items() if name.endswith(".alpha")}
    assert alphas == {8.0}  # 4 · √4
    outputs = []
    for place in (lora, kohya):
        pipeline = tiny_pipeline(seed=0)
        load_lora(pipeline, place)
        outputs.append(predicted(pipeline))
    assert torch.allclose(*outputs, atol=1e-6)
    assert read_lora(lora, tiny_pipeline(seed=0).unet)[1] == 8.0  # as MoLE's experts are read


@pytest.mark.parametrize(
    ("there", "here", "error"),
    [
        ({"rslora": True, "alpha": 4}, {"alpha": 4}, "has alpha 8, the settings 4"),
        ({"alpha": 4}, {"rslora": True, "alpha": 4}, "has alpha 4, the settings 8"),
        ({"dora": True}, {}, "also holds .*magnitude"),
        ({"targets": ("to_q", "to_k", "ff.net.2")}, {"targets": ("to_q", "to_k")}, "also holds .*ff.net.2"),
        ({"text_encoders": True}, {}, "set text_encoders to true"),
    ],
)
def test_a_start_of_another_strength_or_with_more_layers_is_refused(tmp_path, there, here, error):
    lora = saved(tmp_path / "lora", **there)
    with pytest.raises(ValueError, match=f"start: .*{error}"):
        LoRA(tiny_pipeline(seed=0), rank=4, start=lora, **here)


def test_a_start_of_the_same_strength_is_taken_however_it_is_said(tmp_path):
    lora = saved(tmp_path / "lora", rslora=True, alpha=4)
    adapter = LoRA(tiny_pipeline(seed=0), rank=4, alpha=8, start=lora)
    assert not torch.equal(predicted(adapter.pipeline), predicted(tiny_pipeline(seed=0)))


def test_alphas_of_single_layers_are_refused():
    with pytest.raises(ValueError, match="alpha_pattern must be empty"):
        effective_alpha({"unet.lora_alpha": 2, "unet.alpha_pattern": {"to_q": 16}}, "unet")
    assert effective_alpha({}, "unet") is None


def test_a_dora_at_strength_0_is_the_base_and_merges_at_1_alone(base, tmp_path):
    lora = saved(tmp_path / "lora", dora=True)
    pipeline = load_base(base)
    adapter = LoRA.load(pipeline, lora)
    full = predicted(pipeline)
    adapter.scale = 0.0
    assert torch.equal(predicted(pipeline), predicted(load_base(base)))
    adapter.scale = 1.0
    assert torch.equal(predicted(pipeline), full)
    with pytest.raises(ValueError, match="scale: must be 1 for a DoRA"):
        fuse(lora, tmp_path / "half", base=base, scale=0.5)
    assert not (tmp_path / "half").exists()


def test_layers_outside_the_transformers_have_sdxls_names():
    names = unet_names(tiny_pipeline(seed=0).unet.config)
    assert (
        original_unet_name("down_blocks.0.resnets.0.time_emb_proj", names) == "input_blocks.1.0.emb_layers.1"
    )
    assert original_unet_name("add_embedding.linear_1", names) == "label_emb.0.0"
    assert original_unet_name("something.else", names) is None


def test_kohya_files_with_rounded_alphas_are_read_and_others_named(base, tmp_path):
    file = convert_lora(saved(tmp_path / "lora"), tmp_path / "kohya.safetensors", "kohya", base=base)
    state = load_file(file)
    alphas = [name for name in state if name.endswith(".alpha")]
    mixed = state | {name: torch.tensor(0.1) for name in alphas}
    mixed |= {name: torch.tensor(0.1, dtype=torch.float16) for name in alphas[::2]}
    changes = {
        "mixed": mixed,
        "nan": state | {alphas[0].replace("alpha", "lora_up.weight"): torch.full((32, 4), float("nan"))},
        "emb": state | {"bundle_emb.word.string_to_param.*": torch.zeros(1, 32)},
    }
    for name, content in changes.items():
        save_file(content, tmp_path / f"{name}.safetensors")
    back = convert_lora(tmp_path / "mixed.safetensors", tmp_path / "back.safetensors", "diffusers", base=base)
    assert back.is_file()
    for name, error in (("nan", "finite weights"), ("emb", "brings an embedding")):
        with pytest.raises(ValueError, match=error):
            convert_lora(tmp_path / f"{name}.safetensors", tmp_path / "x.safetensors", "diffusers", base=base)


def test_a_single_file_says_what_its_schedule_is(tmp_path, monkeypatch):
    pipeline = tiny_pipeline(seed=0)  # predicts v, with zero terminal signal
    file = save_single_file(pipeline, tmp_path / "base.safetensors")
    plain = {"prediction_type": "epsilon", "rescale_betas_zero_snr": False}
    pipeline.scheduler = type(pipeline.scheduler).from_config(pipeline.scheduler.config, **plain)
    pipeline.save_pretrained(tmp_path / "parts")
    monkeypatch.setenv("FAIRHUMAN_SDXL", str(tmp_path / "parts"))
    config = load_base(file).scheduler.config
    assert (config.prediction_type, config.rescale_betas_zero_snr) == ("v_prediction", True)
    other = load_base(save_single_file(pipeline, tmp_path / "plain.safetensors")).scheduler.config
    assert (other.prediction_type, other.rescale_betas_zero_snr) == ("epsilon", False)


def test_the_parts_of_a_single_file_count_as_the_base(base, tmp_path, monkeypatch):
    file = save_single_file(tiny_pipeline(seed=0), tmp_path / "base.safetensors")
    monkeypatch.setenv("FAIRHUMAN_SDXL", str(base))
    before = fingerprint_base(file)
    tiny_pipeline(seed=0).save_pretrained(tmp_path / "parts")
    config = tmp_path / "parts/vae/config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"scaling_factor": 0.5}))
    monkeypatch.setenv("FAIRHUMAN_SDXL", str(tmp_path / "parts"))
    assert fingerprint_base(file) != before
