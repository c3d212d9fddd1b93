"""Table 1's systems load on any base, at the paper's β, and say where their weights come from."""

import pytest
import torch
from people import write_folder

from fairhuman.data import HumanFolder
from fairhuman.experiments.systems import SYSTEMS, load_system, with_suffix
from fairhuman.models import tiny_pipeline
from fairhuman.models.adapters import ADAPTERS, ControlNet, LoRA, load_lora
from fairhuman.sampling import condition_batch, sample, sample_with


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


def test_beta_is_that_of_plain_sampling_and_removal_brings_the_base_back(lora):
    options = {"steps": 2, "guidance": 1.0, "progress": False}
    base, other = tiny_pipeline(), tiny_pipeline()
    load_lora(other, lora)

    def pixels(scale):
        return sample_with(base, adapter, ["a person"], scale=scale, **options)[0].load().tobytes()

    alone = sample_with(base, None, ["a person"], **options)[0].load().tobytes()
    adapter = load_system("lora-mpd", base, lora)
    for scale in (0.4, 1.0):
        (plain,) = sample(other, ["a person"], adapter_scale=scale, **options)
        assert pixels(scale) == plain.load().tobytes() != alone
    assert pixels(0.0) == alone
    adapter.remove()
    assert sample(base, ["a person"], **options)[0].load().tobytes() == alone


def test_a_controlled_system_is_given_the_conditions_of_its_prompts(tmp_path):
    run, data = tmp_path / "run", tmp_path / "data"
    run.mkdir()
    network = ControlNet(tiny_pipeline())
    for name, parameter in network.parameters.items():
        if "controlnet_down" in name or "controlnet_mid" in name or "cond_embedding.conv_out" in name:
            parameter.data.add_(0.1 * torch.randn_like(parameter))
    network.save(run, {})
    write_folder(data, count=2)
    asked = HumanFolder(data, regions=(), conditions=("pose", "depth"))
    pipeline = tiny_pipeline()
    adapter = load_system("controlnet-mpd", pipeline, run)
    options = {"steps": 1, "guidance": 1.0, "progress": False, "scale": 0.5}
    made = sample_with(pipeline, adapter, ["a person"] * 2, asked=asked, batch=2, **options)
    swapped = [asked[1], asked[0]]
    other = sample_with(pipeline, adapter, ["a person"] * 2, asked=swapped, batch=1, **options)
    assert made[0].load().tobytes() != other[0].load().tobytes()  # another picture, another image
    shown = condition_batch(asked, [1, 0], ("pose", "depth"), 64)
    assert shown["pose"].shape == shown["depth"].shape == (2, 3, 64, 64)
    assert (condition_batch(swapped, [0, 1], ("pose",), 64)["pose"] == shown["pose"]).all()
    for few in (None, [asked[0]]):
        with pytest.raises(ValueError, match="asked: controlnet needs pose and depth, found"):
            sample_with(pipeline, adapter, ["a person"] * 2, asked=few)


def test_wrong_names_and_weights_are_refused(lora):
    with pytest.raises(ValueError, match="system: unknown name 'lora-mdp'; did you mean 'lora-mpd'"):
        load_system("lora-mdp", tiny_pipeline())
    with pytest.raises(ValueError, match="weights: the system 'base' is the base alone"):
        load_system("base", tiny_pipeline(), lora)


def test_the_suffix_is_added_once():
    once = with_suffix(["a man waving.", "a woman"])
    assert once == ["a man waving, realistic, high quality, 8k", "a woman, realistic, high quality, 8k"]
    assert with_suffix(once) == once
