"""LoRA files of kohya's layout: the same weights, names, scale and images on the other side."""

import pytest
import torch
from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from fairhuman.models import SDXL_UNET, tiny_pipeline
from fairhuman.models.adapters import LoRA, convert_lora, load_lora
from fairhuman.models.adapters._kohya import _kohya_names


@pytest.fixture(scope="module")
def lora(tmp_path_factory):
    """A LoRA's folder; its alpha differs from its rank, so that a lost scale shows."""
    adapter = LoRA(tiny_pipeline(seed=0), rank=4, alpha=2, text_encoders=True)
    with torch.no_grad():
        for tensor in adapter.parameters.values():
            tensor.normal_(generator=torch.Generator().manual_seed(1))
    return adapter.save(tmp_path_factory.mktemp("lora"), {}).parent


def test_there_and_back_is_the_same_to_the_last_bit(base, lora, tmp_path):
    there = convert_lora(lora, tmp_path / "kohya.safetensors", "kohya", base=base)
    back = convert_lora(there, tmp_path / "back.safetensors", "diffusers", base=base)
    before, after = load_file(lora / "pytorch_lora_weights.safetensors"), load_file(back)
    assert before.keys() == after.keys()
    assert all(torch.equal(tensor, after[name]) for name, tensor in before.items())


def test_plain_diffusers_draws_the_same_image_from_each(base, lora, tmp_path):
    kohya = convert_lora(lora, tmp_path / "kohya.safetensors", "kohya", base=base)
    back = convert_lora(kohya, tmp_path / "back.safetensors", "diffusers", base=base)
    pipeline, images = StableDiffusionXLPipeline.from_pretrained(base, add_watermarker=False), []
    pipeline.set_progress_bar_config(disable=True)
    for file in (lora / "pytorch_lora_weights.safetensors", kohya, back, None):
        pipeline.unload_lora_weights()
        if file is not None:
            pipeline.load_lora_weights(file.parent, weight_name=file.name)
        noise = torch.Generator().manual_seed(0)
        images.append(pipeline("a", num_inference_steps=2, output_type="np", generator=noise).images)
    assert (images[0] == images[1]).all() and (images[0] == images[2]).all()
    assert abs(images[0] - images[3]).max() > 0.01


def test_our_own_loader_reads_both(base, lora, tmp_path):
    kohya = convert_lora(lora, tmp_path / "kohya.safetensors", "kohya", base=base)
    scales = []
    for place in (lora, kohya):
        pipeline = tiny_pipeline(seed=0)
        load_lora(pipeline, place)
        scales.append({m.scaling["lora"] for m in pipeline.unet.modules() if hasattr(m, "scaling")})
    assert scales == [{0.5}, {0.5}]


def test_a_file_has_kohyas_keys_and_metadata(base, lora, tmp_path):
    file = convert_lora(lora, tmp_path / "kohya.safetensors", "kohya", base=base)
    state = load_file(file)
    name = "lora_unet_middle_block_1_transformer_blocks_0_attn1_to_out_0"
    assert {f"{name}.{end}" for end in ("lora_down.weight", "lora_up.weight", "alpha")} <= state.keys()
    assert state[f"{name}.alpha"] == 2.0 and state[f"{name}.alpha"].shape == ()
    with safe_open(file, "pt") as content:
        told = content.metadata()
    assert (told["ss_network_dim"], told["ss_network_alpha"]) == ("4", "2")
    assert told["ss_network_module"] == "networks.lora"


def test_sdxls_names_are_those_of_kohyas_files():
    """The number of its attention layers, and some names as sd-scripts derives them from its own UNet."""
    with torch.device("meta"):
        names = _kohya_names({"unet": UNet2DConditionModel(**SDXL_UNET)})
    attention = [name for (_, module), name in names.items() if ".attn" in module]
    assert len(attention) == len(set(attention)) == 560
    assert "lora_unet_input_blocks_4_1_transformer_blocks_0_attn1_to_q" in attention
    assert "lora_unet_output_blocks_5_1_transformer_blocks_1_attn2_to_out_0" in attention
    assert names["unet", "mid_block.attentions.0.proj_in"] == "lora_unet_middle_block_1_proj_in"


def test_a_kohya_file_with_diffusers_names_and_without_alpha_is_read(base, lora, tmp_path):
    state = load_file(convert_lora(lora, tmp_path / "kohya.safetensors", "kohya", base=base))
    old = {
        name.replace("middle_block_1_", "mid_block_attentions_0_"): tensor
        for name, tensor in state.items()
        if name.startswith("lora_unet_middle") and not name.endswith("alpha")
    }
    save_file(old, tmp_path / "old.safetensors")
    back = convert_lora(tmp_path / "old.safetensors", tmp_path / "back.safetensors", "diffusers", base=base)
    assert all(name.startswith("unet.mid_block.attentions.0.") for name in load_file(back))
    pipeline = tiny_pipeline(seed=0)
    load_lora(pipeline, back)
    assert {m.scaling["lora"] for m in pipeline.unet.modules() if hasattr(m, "scaling")} == {1.0}


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (lambda s, n: s | {f"{n}.dora_scale": torch.ones(4)}, "it is a DoRA"),
        (lambda s, n: s | {f"{n}.lora_mid.weight": torch.ones(4)}, "it is a LoCon"),
        (lambda s, n: s | {f"{n}.hada_w1_a": torch.ones(4)}, "it is a LoHa"),
        (lambda s, n: {k: v for k, v in s.items() if k != f"{n}.lora_up.weight"}, "two matrices per layer"),
        (lambda s, n: s | {f"{n}.alpha": torch.tensor(3.0)}, "one alpha for all layers"),
        (lambda s, n: s | {f"{n}.lora_down.weight": torch.ones(4, 8, 1, 1)}, "linear layers alone"),
        (lambda s, n: s | {"lora_unet_other.alpha": torch.tensor(2.0)}, "a layer that the base lacks"),
        (lambda s, n: s | {f"{n}.lora_down.weight": torch.ones(3, 8)}, "one rank for all layers"),
        (
            lambda s, n: {f"{n}.lora_down.weight": torch.ones(0, 8), f"{n}.lora_up.weight": torch.ones(8, 0)},
            r"\[0\]",
        ),
        (
            lambda s, n: {k: 0 * v if k.endswith("alpha") else v for k, v in s.items()},
            "finite alpha, got .0.0",
        ),
        (lambda s, n: s | {f"{n}.alpha": torch.tensor(float("nan"))}, "finite alpha, got"),
        (lambda s, n: s | {f"{n}.alpha": torch.ones(2)}, "for each layer alone, got .1.0, 1.0. for"),
        (
            lambda s, n: {k: v.to(torch.int8) for k, v in s.items()},
            "must hold float32, float16, bfloat16, got",
        ),
        (lambda s, n: {k: v.to(torch.float8_e4m3fn) for k, v in s.items()}, "must hold float32, float16"),
        (lambda s, n: {}, "must hold the weights of a LoRA, got none"),
    ],
)
def test_what_is_no_plain_lora_is_refused_and_nothing_written(base, lora, tmp_path, change, error):
    file = convert_lora(lora, tmp_path / "kohya.safetensors", "kohya", base=base)
    layer = "lora_unet_middle_block_1_transformer_blocks_0_attn1_to_q"
    save_file(change(load_file(file), layer), file)
    with pytest.raises(ValueError, match=error):
        convert_lora(file, tmp_path / "out.safetensors", "diffusers", base=base)
    assert not (tmp_path / "out.safetensors").exists()


@pytest.mark.parametrize(
    ("told", "error"),
    [
        ("{", "must have a JSON object as lora_adapter_metadata, got '{'"),
        ("[1]", "must have a JSON object as lora_adapter_metadata"),
        ('{"unet.lora_alpha": "2", "unet.r": 4}', "must have a number as unet.lora_alpha, got '2'"),
        ('{"unet.lora_alpha": -2, "unet.r": 4}', "must have a positive, finite alpha"),
        ('{"unet.lora_alpha": NaN, "unet.r": 4}', "must have a positive, finite alpha"),
    ],
)
def test_a_head_that_cannot_be_read_is_refused(base, lora, tmp_path, told, error):
    unet = {
        name: t
        for name, t in load_file(lora / "pytorch_lora_weights.safetensors").items()
        if name.startswith("unet.")
    }
    save_file(unet, tmp_path / "odd.safetensors", metadata={"lora_adapter_metadata": told})
    with pytest.raises(ValueError, match=error):
        convert_lora(tmp_path / "odd.safetensors", tmp_path / "out.safetensors", "kohya", base=base)
    assert not (tmp_path / "out.safetensors").exists()


def test_what_cannot_be_meant_is_refused(base, lora, tmp_path):
    kohya = convert_lora(lora, tmp_path / "kohya.safetensors", "kohya", base=base)
    with pytest.raises(ValueError, match="has the layout 'kohya' already"):
        convert_lora(kohya, tmp_path / "again.safetensors", "kohya", base=base)
    with pytest.raises(ValueError, match="out: must be a new file"):
        convert_lora(lora, kohya, "kohya", base=base)
    with pytest.raises(ValueError, match="out: must be a new file"):
        convert_lora(lora, tmp_path / "folder", "kohya", base=base)
    with pytest.raises(ValueError, match="layout: must be one of kohya, diffusers"):
        convert_lora(lora, tmp_path / "x.safetensors", "a1111", base=base)
    with pytest.raises(FileNotFoundError, match="no such file"):
        convert_lora(tmp_path / "none", tmp_path / "x.safetensors", "kohya", base=base)
    with pytest.raises(ValueError, match="must fit the base"):
        convert_lora(lora, tmp_path / "x.safetensors", "kohya")  # made for a smaller base
