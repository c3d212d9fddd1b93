"""ControlNet-Union, T2I-Adapter and MoLE: as in plain diffusers, or against the layer written out."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from test_adapters import batch, images, trained  # noqa: F401 - fixtures

from fairhuman.data import condition_image
from fairhuman.models import SDXL_UNET, load_base
from fairhuman.models.adapters import (
    T2I,
    TRANSFORMER,
    ControlNetUnion,
    LoRA,
    MoLE,
    load_adapter,
)
from fairhuman.models.adapters._mole_layer import EXPERTS, GatedLinear
from fairhuman.training import TrainSettings, train
from fairhuman.training._setup import build_adapter

KINDS = ("controlnet-union", "t2i-adapter", "mole")


@pytest.mark.parametrize("kind", ["controlnet-union", "mole"])
def test_it_starts_as_the_base(base, batch, kind):  # noqa: F811
    pipeline = load_base(base)
    with torch.no_grad():
        before = batch.predict(pipeline.unet)
        adapter = {"controlnet-union": ControlNetUnion, "mole": MoLE}[kind](pipeline)
        torch.testing.assert_close(adapter.predict(batch), before, rtol=0, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_strength_zero_is_the_base_and_it_can_be_removed(trained, base, batch, kind):  # noqa: F811
    pipeline, run = load_base(base), trained(kind)
    with torch.no_grad():
        plain = batch.predict(pipeline.unet)
        adapter = load_adapter(pipeline, run.directory)
        full = adapter.predict(batch)
        adapter.scale = 0.5
        half = adapter.predict(batch)
        adapter.scale = 0.0
        torch.testing.assert_close(adapter.predict(batch), plain, rtol=0, atol=1e-6)
        adapter.scale = 1.0
        adapter.remove()
        torch.testing.assert_close(batch.predict(pipeline.unet), plain, rtol=0, atol=0)
    assert (full - half).abs().max() > 1e-4 and (half - plain).abs().max() > 1e-4


def test_a_union_loads_in_plain_diffusers(trained, base, batch):  # noqa: F811
    from diffusers import ControlNetUnionModel, StableDiffusionXLControlNetUnionPipeline

    run = trained("controlnet-union")
    network = ControlNetUnionModel.from_pretrained(run.weights.parent)
    pipeline = StableDiffusionXLControlNetUnionPipeline.from_pretrained(base, controlnet=network)
    first = {name: tensor[:2] for name, tensor in batch.conditions.items()}
    theirs = images(pipeline, control_image=[first["pose"], first["depth"]], control_mode=[0, 1])
    adapter = load_adapter(load_base(base), run.directory)
    np.testing.assert_allclose(images(adapter.sampler(), **adapter.arguments(first)), theirs, atol=1e-5)
    assert np.abs(theirs - images(load_base(base))).max() > 1e-3


def test_a_t2i_adapter_loads_in_plain_diffusers(trained, base, batch):  # noqa: F811
    from diffusers import StableDiffusionXLAdapterPipeline, T2IAdapter

    run = trained("t2i-adapter")
    network = T2IAdapter.from_pretrained(run.weights.parent)
    pipeline = StableDiffusionXLAdapterPipeline.from_pretrained(base, adapter=network)
    first = {name: tensor[:2] for name, tensor in batch.conditions.items()}
    shown = condition_image(first["pose"], first["depth"])
    theirs = images(pipeline, image=shown, adapter_conditioning_scale=0.8)
    adapter = load_adapter(load_base(base), run.directory)
    adapter.scale = 0.8
    np.testing.assert_allclose(images(adapter.sampler(), **adapter.arguments(first)), theirs, atol=1e-5)
    assert np.abs(theirs - images(load_base(base))).max() > 1e-3


def test_the_way_its_conditions_were_trained_is_remembered(values, base):
    given = {name: value for name, value in values.items() if name != "rank"}
    run = train(TrainSettings(**given | {"steps": 1}, adapter="t2i-adapter", conditions=["depth"]))
    assert load_adapter(load_base(base), run.directory).conditions == ("depth",)


def test_a_gated_layer_is_the_formula():
    torch.manual_seed(0)
    layer = GatedLinear(torch.nn.Linear(5, 3), (2, 4), (1.0, 2.0))
    for parameter in layer.parameters():
        torch.nn.init.normal_(parameter)
    x = torch.randn(2, 7, 5)
    expected = layer.base(x)
    for place, (name, scale) in enumerate(zip(EXPERTS, (1 / 2, 2 / 4), strict=True)):
        expert = layer.experts[name]
        answer = x @ expert.lora_A.weight.T @ expert.lora_B.weight.T
        local = torch.sigmoid(x @ layer.local_gate.weight[place] + layer.local_gate.bias[place])
        pooled = torch.sigmoid(answer.mean(1) @ expert.global_gate.weight[0] + expert.global_gate.bias)
        expected = expected + scale * answer * local[..., None] * pooled[:, None, None]
    torch.testing.assert_close(layer(x), expected)


def test_mole_on_sdxl_has_the_published_size():
    from diffusers import UNet2DConditionModel

    with torch.device("meta"):
        unet = UNet2DConditionModel(**SDXL_UNET)
        mole = MoLE(SimpleNamespace(unet=unet), rank=256)
    assert len(mole.layers) == 722
    sizes = {name: parameter.numel() for name, parameter in mole.parameters.items()}
    experts = {e: sum(n for name, n in sizes.items() if f"{e}.lora" in name) for e in EXPERTS}
    assert experts == {"face": 680_919_040, "hand": 680_919_040}
    assert round(2 * sum(experts.values()) / 2**20, 1) == 2597.5  # MiB in bfloat16
    gates = sum(n for name, n in sizes.items() if "gate" in name)
    assert round(2 * gates / 2**20, 1) == 10.2


@pytest.fixture(scope="module")
def second_stage(base, people, tmp_path_factory):
    """A LoRA for faces and one for hands, on all layers of the transformers."""
    runs = []
    for name, alpha in (("face", 1.0), ("hand", 2.0)):
        settings = TrainSettings(
            data=people,
            base=base,
            output=tmp_path_factory.mktemp("experts") / name,
            rank=4,
            alpha=alpha,
            targets=TRANSFORMER,
            resolution=64,
            steps=2,
            batch_size=2,
            learning_rate=1e-2,
            regions=[name],
        )
        runs.append(str(train(settings).directory))
    return runs


def test_the_third_stage_takes_both_experts_up(second_stage, base, batch):  # noqa: F811
    """With gates held open, both experts' updates add up."""
    pipeline = load_base(base)
    mole = MoLE(pipeline, experts=second_stage)
    assert (mole.ranks, mole.alphas) == ((4, 4), (1.0, 2.0))
    name, layer = next(iter(mole.layers.items()))
    with torch.no_grad():
        for gate in (layer.local_gate, *(e.global_gate for e in layer.experts.values())):
            gate.weight.zero_()
            gate.bias.fill_(50.0)
    x = torch.randn(1, 3, layer.base.in_features)
    expected = layer.base(x)
    for path in second_stage:
        lora = LoRA.load(load_base(base), path)
        expected = expected + lora.unet.get_submodule(name)(x) - layer.base(x)
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_gates_alone_can_be_trained(second_stage, values, base):
    given = {name: value for name, value in values.items() if name != "rank"} | {"steps": 2}
    run = train(TrainSettings(**given, adapter="mole", experts=second_stage, gates_only=True))
    before = MoLE(load_base(base), experts=second_stage, seed=0)
    after = load_adapter(load_base(base), run.directory)
    named = before._named()
    moved = {name for name, p in after._named().items() if not torch.equal(p, named[name])}
    assert moved and all("gate" in name for name in moved)


def test_a_mole_can_be_gone_on_from(trained, base):  # noqa: F811
    run = trained("mole")
    values = {"adapter": "mole", "data": run.settings.data, "output": "run", "base": str(base)}
    again = build_adapter(load_base(base), TrainSettings(**values, start=str(run.directory)))
    loaded = load_adapter(load_base(base), run.directory)._named()
    assert all(torch.equal(mine, loaded[name]) for name, mine in again.parameters.items())


def test_a_mole_of_another_rank_is_refused(trained, base):  # noqa: F811
    run = trained("mole")
    values = {"adapter": "mole", "data": run.settings.data, "output": "run", "base": str(base)}
    settings = TrainSettings(**values, rank=4, start=str(run.directory))
    with pytest.raises(ValueError, match="rank: must be that of start, whose experts have 16 and 16, got 4"):
        build_adapter(load_base(base), settings)


def test_experts_with_an_alpha_for_each_layer_are_refused(second_stage, base, tmp_path):
    """Their strength would be lost: MoLE has one for all layers."""
    (path,) = (file for file in Path(second_stage[0]).glob("*.safetensors"))
    state = load_file(path)
    names = [name for name in state if name.endswith("lora_A.weight")]
    layers = ["lora_" + name.removesuffix(".lora_A.weight").replace(".", "_") for name in names]
    kohya = {f"{layer}.lora_down.weight": state[name] for layer, name in zip(layers, names, strict=True)}
    kohya |= {
        f"{layer}.lora_up.weight": state[name.replace("lora_A", "lora_B")]
        for layer, name in zip(layers, names, strict=True)
    }
    kohya |= {f"{layer}.alpha": torch.tensor(1.0) for layer in layers}
    save_file(kohya, tmp_path / "kohya.safetensors")
    with pytest.raises(ValueError, match="must have one alpha for all layers.*convert --layout diffusers"):
        MoLE(load_base(base), experts=[tmp_path / "kohya.safetensors", second_stage[1]])


def test_what_does_not_fit_is_refused(trained, base, tmp_path):  # noqa: F811

    from fairhuman.models import TINY, tiny_pipeline

    other = tiny_pipeline(architecture=TINY.changed(unet_channels=(16, 64)))
    for kind in KINDS:
        with pytest.raises(ValueError, match="was trained for another base"):
            load_adapter(other, trained(kind).directory)
    with pytest.raises(FileNotFoundError, match="has no trained adapter"):
        load_adapter(other, tmp_path)
    with pytest.raises(ValueError, match="is a LoRA on other layers"):
        MoLE(load_base(base), experts=[trained("lora").directory] * 2)
    with pytest.raises(ValueError, match="'to_z'"):
        MoLE(load_base(base), targets=["to_z"])


@pytest.mark.parametrize("kind", KINDS)
def test_it_has_a_card(trained, kind):  # noqa: F811
    card = (trained(kind).weights.parent / "README.md").read_text()
    assert f"- {kind}\n" in card and "parameters, trained with" in card


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"experts": ["a", "b"]}, "experts: is for the adapter mole, not for lora"),
        ({"adapter": "mole", "experts": ["a"]}, "experts: must be two LoRAs"),
        ({"adapter": "mole", "experts": ["a", "b"], "start": "c"}, "start: must not be given where experts"),
        ({"adapter": "mole", "start": "c", "alpha": 2.0}, "alpha: must not be given where start is, got 2.0"),
        ({"adapter": "mole", "text_encoders": True}, "text_encoders: is for the adapter lora, not for mole"),
        ({"adapter": "t2i-adapter", "rank": 4}, "rank: is for the adapter lora or mole"),
        ({"adapter": "controlnet-union", "gates_only": True}, "gates_only: is for the adapter mole"),
    ],
)
def test_contradictions_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        TrainSettings(data="people", output="run", **change)


def test_t2i_is_as_diffusers_builds_it(base):
    assert T2I(load_base(base)).network.config.channels == [16, 32, 32, 32]
