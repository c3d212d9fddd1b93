"""Table 1's systems load on any base, at the paper's β, and say where their weights come from."""

import pytest
import torch

from fairhuman.evaluation.systems import SYSTEMS, load_system, with_suffix
from fairhuman.models import tiny_pipeline
from fairhuman.models.adapters import ADAPTERS, ControlNet, LoRA
from fairhuman.sampling import sample


def test_the_rows_and_their_scales_are_the_papers():
    assert [system.title for system in SYSTEMS.values()] == [
        "SDXL base", "MoLE", "FairHuman LoRA", "ControlNet-SDXL", "ControlNet-Union", "FairHuman ControlNet",
    ]  # fmt: skip
    assert SYSTEMS["lora-mpd"].scales == (0.3, 0.4, 0.5)
    assert SYSTEMS["controlnet-mpd"].scales == (0.4, 0.5, 0.6)
    assert [name for name, system in SYSTEMS.items() if "pose" in system.paper] == [
        name for name, system in SYSTEMS.items() if system.controlled
    ]


@pytest.mark.parametrize("name", [name for name, system in SYSTEMS.items() if system.kind])
def test_weights_are_asked_for_by_name(name):
    if SYSTEMS[name].kind not in ADAPTERS:
        pytest.skip(f"no adapter of the kind {SYSTEMS[name].kind}")
    with pytest.raises(FileNotFoundError, match=f"none were named; those of '{name}': "):
        load_system(name, tiny_pipeline())
    with pytest.raises(FileNotFoundError, match="there is no nowhere"):
        load_system(name, tiny_pipeline(), "nowhere")


@pytest.fixture
def lora(tmp_path):
    adapter = LoRA(tiny_pipeline(), rank=2)
    for parameter in adapter.parameters.values():
        parameter.data.add_(0.3)
    adapter.save(tmp_path, {})
    return tmp_path


def test_beta_zero_is_the_base_and_removal_brings_it_back(lora):
    options = {"steps": 2, "guidance": 1.0, "progress": False}
    pipeline = tiny_pipeline()
    (base,) = sample(pipeline, ["a person"], **options)
    loaded = load_system("lora-mpd", pipeline, lora)
    pixels = {}
    for scale in (0.0, 0.4):
        loaded.at(scale)
        (made,) = sample(loaded.pipeline, ["a person"], adapter_scale=scale, **options)
        pixels[scale] = made.load().tobytes()
    assert pixels[0.0] == base.load().tobytes() != pixels[0.4]
    loaded.remove()
    assert sample(pipeline, ["a person"], **options)[0].load().tobytes() == base.load().tobytes()


def test_a_controlled_system_takes_conditions(tmp_path):
    ControlNet(tiny_pipeline()).save(tmp_path, {})
    loaded = load_system("controlnet-mpd", tiny_pipeline(), tmp_path)
    conditions = {name: torch.zeros(1, 3, 64, 64) for name in ("pose", "depth")}
    assert loaded.at(0.6)(conditions)["controlnet_conditioning_scale"] == 0.6
    asked = []
    (made,) = sample(
        loaded.pipeline, ["a person"], steps=1, progress=False, size=64,
        further=lambda indices: asked.append(indices) or loaded.at(0.5)(conditions),
    )  # fmt: skip
    assert asked == [[0]] and made.load().size == (64, 64)
    assert load_system("base", tiny_pipeline()).at(1.0)(conditions) == {}


def test_wrong_names_and_weights_are_refused(lora):
    with pytest.raises(ValueError, match="system: unknown name 'lora-mdp'; did you mean 'lora-mpd'"):
        load_system("lora-mdp", tiny_pipeline())
    with pytest.raises(ValueError, match="weights: the system 'base' is the base alone"):
        load_system("base", tiny_pipeline(), lora)


def test_the_suffix_is_added_once():
    once = with_suffix(["a man waving.", "a woman"])
    assert once == ["a man waving, realistic, high quality, 8k", "a woman, realistic, high quality, 8k"]
    assert with_suffix(once) == once
