"""Every adapter behind the loop: it starts as it should, trains, and loads in plain diffusers."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from people import write_folder, write_metadata
from safetensors.torch import load_file, save_file

from fairhuman.data import HumanFolder, condition_image
from fairhuman.models import load_base, tiny_pipeline
from fairhuman.models.adapters import ControlNet, LoRA
from fairhuman.training import Examples, Run, TrainSettings, collate, load_lora, train
from fairhuman.training._setup import build_adapter


@pytest.fixture(scope="module")
def trained(base, people, tmp_path_factory):
    """Runs by the name of the adapter, each made once."""
    runs = {}

    def run(kind, **changes):
        name = "-".join([kind, *changes])
        if name not in runs:
            settings = TrainSettings(
                adapter=kind,
                data=people,
                base=base,
                output=tmp_path_factory.mktemp("adapters") / name,
                resolution=64,
                steps=3,
                batch_size=2,
                learning_rate=1e-2,
                seed=3,
                **changes,
            )
            runs[name] = train(settings)
        return runs[name]

    return run


@pytest.fixture(scope="module")
def batch(base, people):
    """Three noised images with their conditions."""
    settings = TrainSettings(data=people, output="run", resolution=64)
    examples = Examples(
        load_base(base), HumanFolder(people, conditions=("pose", "depth")), settings.transform
    )
    drawn = [examples.draw(i, torch.Generator().manual_seed(i)) for i in range(3)]
    return collate(drawn, examples.scheduler)


def images(pipeline, **arguments):
    made = pipeline(
        ["a man"] * 2,
        num_inference_steps=2,
        output_type="np",
        generator=[torch.Generator().manual_seed(i) for i in range(2)],
        **arguments,
    )
    return made.images


def test_a_control_net_starts_as_the_base(base, batch):
    pipeline = load_base(base)
    with torch.no_grad():
        before = batch.predict(pipeline.unet)
        adapter = ControlNet(pipeline)
        torch.testing.assert_close(adapter.predict(batch), before, rtol=0, atol=0)
    assert adapter.parameters and not any(p.requires_grad for p in pipeline.unet.parameters())


def test_the_condition_and_its_scale_matter(trained, base, batch):
    adapter = ControlNet.load(load_base(base), trained("controlnet").directory)
    with torch.no_grad():
        full = adapter.predict(batch)
        adapter.scale = 0.5
        half = adapter.predict(batch)
        adapter.scale = 0.0
        torch.testing.assert_close(adapter.predict(batch), batch.predict(adapter.unet))
        base = batch.predict(adapter.unet)
    assert (full - half).abs().max() > 1e-4 and (half - base).abs().max() > 1e-4


def test_a_control_net_loads_in_plain_diffusers(trained, base, batch):
    from diffusers import ControlNetModel, StableDiffusionXLControlNetPipeline

    run = trained("controlnet")
    network = ControlNetModel.from_pretrained(run.weights.parent)
    pipeline = StableDiffusionXLControlNetPipeline.from_pretrained(base, controlnet=network)
    shown = condition_image(*(batch.conditions[name][:2] for name in ("pose", "depth")))
    theirs = images(pipeline, image=shown, controlnet_conditioning_scale=0.7)
    adapter = ControlNet.load(load_base(base), run.directory)
    adapter.scale = 0.7
    first = {name: tensor[:2] for name, tensor in batch.conditions.items()}
    np.testing.assert_allclose(images(adapter.sampler(), **adapter.arguments(first)), theirs, atol=1e-5)
    assert np.abs(theirs - images(load_base(base))).max() > 1e-3


@pytest.mark.parametrize("kind", ["lora", "controlnet"])
def test_every_adapter_has_a_card(trained, kind):
    import yaml

    run = trained(kind)
    card = (run.weights.parent / "README.md").read_text()
    header = yaml.safe_load(card.split("---\n")[1])
    assert header["library_name"] == "diffusers" and kind in header["tags"]
    count = sum(tensor.numel() for tensor in load_file(run.weights).values())
    assert f"{count:,} parameters" in card
    assert f"| strategy | {run.settings.strategy} |" in card
    for path in (run.directory, Path(run.settings.base), Path(run.settings.data)):
        assert str(path.parent) not in card
    assert "base_model" not in header  # of a folder here, which no hub knows


@pytest.mark.parametrize("kind", ["lora", "controlnet"])
def test_a_trained_adapter_can_be_gone_on_from(trained, base, kind):
    run = trained(kind)
    values = {"adapter": kind, "data": run.settings.data, "output": "run", "base": str(base)}
    again = build_adapter(load_base(base), TrainSettings(**values, start=str(run.directory)))
    loaded = type(again).load(load_base(base), run.directory)
    for (name, mine), (_, theirs) in zip(
        again.parameters.items(), _all_parameters(loaded).items(), strict=True
    ):
        assert torch.equal(mine, theirs), name


def _all_parameters(adapter):
    if isinstance(adapter, LoRA):
        return {name: p for name, p in adapter.unet.named_parameters() if "lora" in name}
    return dict(adapter.network.named_parameters())


def test_what_a_kill_left_of_an_earlier_writing_is_removed(base, tmp_path):
    (tmp_path / ".pytorch_lora_weights.safetensors.partial").write_bytes(b"half")
    LoRA(load_base(base), rank=2).save(tmp_path, {})
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "README.md",
        "pytorch_lora_weights.safetensors",
    ]


def test_a_damaged_lora_is_named_and_leaves_the_one_before(trained, base, tmp_path):
    pipeline, damaged = load_base(base), tmp_path / "pytorch_lora_weights.safetensors"
    load_lora(pipeline, trained("lora").directory)
    damaged.write_bytes(b"no tensors at all")
    with pytest.raises(ValueError, match="LoRA: cannot read .*pytorch_lora_weights"):
        load_lora(pipeline, damaged)
    assert pipeline.get_active_adapters() == ["lora"]
    with pytest.raises(ValueError, match="LoRA: cannot read .*pytorch_lora_weights"):
        LoRA(load_base(base), start=damaged)
    save_file({"unet.conv_in.weight": torch.zeros(1)}, damaged)
    with pytest.raises(ValueError, match=r"must hold the weights of a LoRA, got \['unet.conv_in.weight'\]"):
        load_lora(pipeline, damaged)


def test_a_start_of_another_rank_is_refused(trained, values):
    start = str(trained("lora").directory)
    with pytest.raises(ValueError, match="does not fit a LoRA of rank 2 on these layers"):
        train(TrainSettings(**values, start=start))
    with pytest.raises(ValueError, match=r"has alpha 16\S*, the settings 8"):
        train(TrainSettings(**values | {"rank": 16}, alpha=8, start=start))


def test_a_control_net_for_another_base_is_refused(trained, tmp_path):

    from fairhuman.models import TINY

    other = tiny_pipeline(architecture=TINY.changed(unet_channels=(16, 64)))
    with pytest.raises(ValueError, match=r"trained for another base: block_out_channels is \[16, 32\]"):
        ControlNet.load(other, trained("controlnet").directory)
    with pytest.raises(FileNotFoundError, match="no such file"):
        ControlNet.load(other, tmp_path)


def test_a_lora_on_text_encoders_trains_them(trained, base):
    from diffusers import StableDiffusionXLPipeline

    run = trained("lora", text_encoders=True)
    state = load_file(run.weights)
    for part in ("unet", "text_encoder", "text_encoder_2"):
        up = ("lora_B.weight", "lora.up.weight", "lora_linear_layer.up.weight")  # zero at the start
        layers = [state[name] for name in state if name.startswith(f"{part}.") and name.endswith(up)]
        assert layers and any(tensor.abs().max() > 0 for tensor in layers), part
    theirs = StableDiffusionXLPipeline.from_pretrained(base)
    theirs.load_lora_weights(run.directory)
    ours = LoRA.load(load_base(base), run.directory)
    np.testing.assert_allclose(images(ours.pipeline), images(theirs), atol=1e-5)
    ours.remove()
    np.testing.assert_allclose(images(ours.pipeline), images(load_base(base)), atol=1e-5)
    assert str(base).encode() not in run.weights.read_bytes()  # a path of this machine says nothing


def test_conditions_are_dropped_image_by_image(values, people):
    given = {name: value for name, value in values.items() if name != "rank"}
    settings = TrainSettings(**given, adapter="controlnet")
    assert settings.condition_dropout == 0.3 and settings.conditions == ("pose", "depth")
    examples = Examples(
        load_base(settings.base), HumanFolder(people, conditions=settings.conditions), settings.transform
    )
    drawn = [
        examples.draw(i % len(examples), torch.Generator().manual_seed(i), dropout=0.3) for i in range(200)
    ]
    assert 0.2 < np.mean([example.dropped for example in drawn]) < 0.4
    batch = collate(drawn[:20], examples.scheduler)
    black = [not any(c[i].any() for c in batch.conditions.values()) for i in range(20)]
    assert black == [example.dropped for example in drawn[:20]]
    for i in range(20):  # what was dropped changes nothing else
        same = examples.draw(i % len(examples), torch.Generator().manual_seed(i))
        assert torch.equal(same.noise, drawn[i].noise) and same.timestep == drawn[i].timestep


def test_a_set_without_the_conditions_is_refused(values, tmp_path):
    entries = write_folder(tmp_path / "some", count=2, size=(64, 64))
    for entry in entries:
        del entry["depth_file_name"]
    write_metadata(tmp_path / "some", entries)
    given = {name: value for name, value in values.items() if name != "rank"}
    given |= {"data": str(tmp_path / "some"), "adapter": "controlnet", "steps": 1}
    with pytest.raises(ValueError, match="depth_file_name"):
        train(TrainSettings(**given))
    assert train(TrainSettings(**given, conditions=["pose"])).complete


def test_a_control_net_resumes_to_the_same_bits(trained, tmp_path, monkeypatch):
    from fairhuman.training import _loop as loop

    whole = trained("controlnet")
    values = json.loads(json.dumps(vars(whole.settings))) | {"output": str(tmp_path / "cut")}
    values |= {"conditions": ["pose", "depth"], "checkpoint_every": 1}
    advance = loop.Trainer.advance

    def cut(self):
        if self.step == 2:
            raise KeyboardInterrupt
        return advance(self)

    monkeypatch.setattr(loop.Trainer, "advance", cut)
    with pytest.raises(KeyboardInterrupt):
        train(TrainSettings(**values))
    monkeypatch.setattr(loop.Trainer, "advance", advance)
    resumed = load_file(train(TrainSettings(**values)).weights)
    for name, tensor in load_file(whole.weights).items():
        assert torch.equal(tensor, resumed[name]), name
    assert Run.open(tmp_path / "cut").complete


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            {"adapter": "controlnet", "rank": 4},
            "rank: is for the adapter lora or mole, not for controlnet, got 4",
        ),
        ({"adapter": "controlnet", "text_encoders": True}, "text_encoders: is for the adapter lora"),
        ({"adapter": "lora", "conditions": ["pose"]}, "conditions: is for the adapter controlnet"),
        ({"condition_dropout": 0.3}, "condition_dropout: is for the adapter controlnet"),
        ({"adapter": "controlnet", "condition_dropout": 1.0}, r"condition_dropout: must be in \[0, 1\)"),
        ({"adapter": "controlnet", "conditions": ["edges"]}, "conditions: must be among pose, depth"),
        ({"adapter": "controlnet", "conditions": []}, "conditions: must name at least one"),
        ({"adapter": "control"}, "did you mean 'controlnet'"),
    ],
)
def test_contradictions_are_refused(change, words):
    with pytest.raises(ValueError, match=words):
        TrainSettings(data="people", output="run", **change)
