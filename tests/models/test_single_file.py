"""SDXL bases in one file: written, read back by diffusers' own reader and by ours, and what is refused."""

import pytest
import torch
from diffusers import UNet2DConditionModel
from diffusers.loaders.single_file_utils import convert_ldm_unet_checkpoint
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from fairhuman.models import SDXL_UNET, TINY, Architecture, fuse, load_base, tiny_pipeline
from fairhuman.models._original import _unet, unet_names
from fairhuman.models._single_file import save_single_file
from fairhuman.models.adapters import LoRA

PARTS = ("unet", "vae", "text_encoder", "text_encoder_2")


def of_sdxls_shape():
    """Tiny, but with SDXL's levels and layers, attention in the autoencoder, and encoders of two widths."""
    from diffusers import AutoencoderKL
    from transformers import CLIPTextConfig, CLIPTextModelWithProjection

    pipeline = tiny_pipeline(seed=0)
    config = CLIPTextConfig.from_dict(
        pipeline.text_encoder_2.config.to_dict() | {"hidden_size": 48, "projection_dim": 48}
    )
    shape = {"block_out_channels": (16, 32, 32), "attention_head_dim": (1, 2, 2), "cross_attention_dim": 80}
    shape |= {"norm_num_groups": 4, "sample_size": 8, "projection_class_embeddings_input_dim": 48 + 6 * 256}
    shape |= {"transformer_layers_per_block": (1, 2, 3)}
    vae = dict(pipeline.vae.config) | {"mid_block_add_attention": True, "layers_per_block": 2}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        pipeline.register_modules(
            unet=UNet2DConditionModel(**SDXL_UNET | shape),
            vae=AutoencoderKL.from_config(vae),
            text_encoder_2=CLIPTextModelWithProjection(config).eval(),
        )
    return pipeline


@pytest.fixture(scope="module", params=["tiny", "sdxl's shape"])
def written(request, tmp_path_factory):
    """A pipeline, the folder of its parts, and its single file."""
    folder = tmp_path_factory.mktemp("single")
    pipeline = tiny_pipeline(seed=0) if request.param == "tiny" else of_sdxls_shape()
    pipeline.save_pretrained(folder / "parts")
    return pipeline, folder / "parts", save_single_file(pipeline, folder / "base.safetensors")


@pytest.fixture
def parts(written, monkeypatch):
    monkeypatch.setenv("FAIRHUMAN_SDXL", str(written[1]))
    return written[1]


def test_every_weight_comes_back_to_the_last_bit(written, parts):
    pipeline, _, file = written
    loaded = load_base(file)
    for name in PARTS:
        before, after = (getattr(one, name).state_dict() for one in (pipeline, loaded))
        assert before.keys() == after.keys()
        assert all(torch.equal(before[key], after[key]) for key in before), name


def test_it_samples_and_fuses_as_its_folder_does(written, parts, tmp_path):
    _, folder, file = written
    lora = LoRA(load_base(file), rank=2)
    with torch.no_grad():
        for tensor in lora.parameters.values():
            tensor.normal_(std=0.1, generator=torch.Generator().manual_seed(2))
    lora.save(tmp_path / "lora", {})
    fused = [
        load_base(fuse(tmp_path / "lora", tmp_path / name, base=base))
        for name, base in (("one.safetensors", file), ("folder", folder))
    ]
    states = [one.unet.state_dict() for one in fused]
    assert all(torch.equal(tensor, states[1][key]) for key, tensor in states[0].items())
    images = [
        one("a", num_inference_steps=2, output_type="np", generator=torch.Generator().manual_seed(0)).images
        for one in fused
    ]
    assert (images[0] == images[1]).all()


def test_the_names_are_sdxls():
    """Every tensor of the exact UNet has a name, from which diffusers' converter finds it again."""
    with torch.device("meta"):
        unet = UNet2DConditionModel(**SDXL_UNET)
    state = _unet(unet)
    assert len(state) == len(unet.state_dict()) == 1680
    assert unet_names(unet.config)["down_blocks.1.attentions.0"] == "input_blocks.4.1"
    assert "model.diffusion_model.output_blocks.5.2.conv.weight" in state
    back = convert_ldm_unet_checkpoint(state, dict(unet.config))
    assert back.keys() == unet.state_dict().keys()
    assert all(back[key].shape == tensor.shape for key, tensor in unet.state_dict().items())


@pytest.mark.parametrize(
    ("names", "family"),
    [
        (["cond_stage_model.transformer.text_model.x", "model.diffusion_model.y"], "Stable Diffusion 1"),
        (["cond_stage_model.model.x", "model.diffusion_model.y"], "Stable Diffusion 2"),
        (["model.diffusion_model.joint_blocks.0.x"], "Stable Diffusion 3"),
        (["model.diffusion_model.double_blocks.0.x"], "FLUX"),
        (["lora_unet_input_blocks_4_1.lora_down.weight"], "a LoRA"),
        (["unet.down_blocks.0.lora.down.weight"], "a LoRA"),
        (["first_stage_model.decoder.conv_in.weight"], "an autoencoder alone"),
        (["down_blocks.0.resnets.0.conv1.weight"], "a UNet alone"),
        (["conditioner.embedders.0.model.ln_final.weight"], "SDXL's refiner"),
        (["something.else"], "no tensor is"),
    ],
)
def test_another_family_is_refused_by_name(tmp_path, names, family):
    file = tmp_path / "other.safetensors"
    save_file({name: torch.zeros(1) for name in names}, file)
    with pytest.raises(ValueError, match=f"base: .*{family}"):
        load_base(file)


def test_what_is_damaged_or_incomplete_is_refused(written, parts, tmp_path):
    pipeline, folder, file = written
    state = load_file(file)
    for gone in ("model.diffusion_model.out.2.weight", "conditioner.embedders.1.model.ln_final.weight"):
        save_file(
            {key: tensor for key, tensor in state.items() if key != gone}, tmp_path / "part.safetensors"
        )
        with pytest.raises(ValueError, match="base: "):
            load_base(tmp_path / "part.safetensors")
    (tmp_path / "cut.safetensors").write_bytes(file.read_bytes()[:5000])
    with pytest.raises(ValueError, match="base: cannot read"):
        load_base(tmp_path / "cut.safetensors")
    (tmp_path / "old.ckpt").write_bytes(b"")
    with pytest.raises(ValueError, match=r"must be \.safetensors"):
        load_base(tmp_path / "old.ckpt")
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_base(tmp_path / "none.safetensors")


def test_configurations_of_another_size_are_refused(tmp_path, monkeypatch):
    file = save_single_file(tiny_pipeline(), tmp_path / "base.safetensors")
    tiny_pipeline(architecture=Architecture(**TINY.model_dump() | {"text_width": 64})).save_pretrained(
        tmp_path / "parts"
    )
    monkeypatch.setenv("FAIRHUMAN_SDXL", str(tmp_path / "parts"))
    with pytest.raises(ValueError, match="does not fit the configurations"):
        load_base(file)
    monkeypatch.setenv("FAIRHUMAN_SDXL", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="FAIRHUMAN_SDXL: must name a folder"):
        load_base(file)


def test_the_header_says_what_it_is(written):
    with safe_open(written[2], "pt") as content:
        assert content.metadata()["modelspec.architecture"] == "stable-diffusion-xl-v1-base"
