"""The table of adapter kinds: what is said there is what settings, commands and cards go by."""

import json
import subprocess
import sys

import pytest
import torch
from people import write_folder
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from fairhuman.__main__ import app
from fairhuman.models import load_base, tiny_pipeline
from fairhuman.models.adapters import (
    ADAPTERS,
    ATTENTION,
    TRANSFORMER,
    Adapter,
    LoRA,
    MoLE,
    adapter_kind,
    fingerprint_adapters,
    kinds_with,
    load_adapter,
)
from fairhuman.models.adapters._card import write_card
from fairhuman.training import Run, TrainSettings

GIVEN = {"data": "people", "output": "run"}


@pytest.mark.parametrize("kind", ADAPTERS)
def test_a_kind_says_what_it_is(kind):
    adapter = ADAPTERS[kind]
    assert adapter.kind == kind
    for words in (adapter.title, adapter.summary, adapter.weights, adapter.usage):
        assert words
    compile(adapter.usage, kind, "exec")


@pytest.mark.parametrize("kind", ADAPTERS)
def test_settings_have_the_options_of_every_kind_and_their_defaults(kind):
    settings = TrainSettings(**GIVEN, adapter=kind)
    assert settings.adapter_options.keys() == ADAPTERS[kind].options().keys()
    for option, default in ADAPTERS[kind].options().items():
        assert default is None or settings.adapter_options[option] == default, option


def test_layers_and_conditions_are_those_of_the_kind():
    assert TrainSettings(**GIVEN).targets == ATTENTION
    assert TrainSettings(**GIVEN, adapter="mole").targets == TRANSFORMER
    assert TrainSettings(**GIVEN).conditions == () == TrainSettings(**GIVEN, adapter="controlnet").targets
    assert TrainSettings(**GIVEN, adapter="controlnet").conditions == ("pose", "depth")


def test_options_name_their_kinds():
    assert kinds_with("rank") == ("lora", "mole")
    assert kinds_with("start") == tuple(ADAPTERS)
    assert kinds_with("steps") == ()


@pytest.mark.parametrize("kind", ADAPTERS)
def test_weights_in_a_run_s_folder_are_recognised(kind, tmp_path):
    file = tmp_path / ADAPTERS[kind].weights
    file.parent.mkdir(exist_ok=True)
    file.touch()
    assert adapter_kind(tmp_path) is ADAPTERS[kind]


def test_other_places_of_weights_are_recognised(tmp_path):
    (tmp_path / "any_name.safetensors").touch()
    assert adapter_kind(tmp_path / "any_name.safetensors") is LoRA
    (tmp_path / MoLE.weights).touch()
    assert adapter_kind(tmp_path / MoLE.weights) is MoLE
    for name in ("ControlNetModel", "ControlNetUnionModel", "T2IAdapter"):
        folder = tmp_path / name
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps({"_class_name": name}))
        assert adapter_kind(folder).network_class == name
    (folder / "config.json").write_text(json.dumps({"_class_name": "UNet2DConditionModel"}))
    with pytest.raises(FileNotFoundError, match="has no trained adapter"):
        adapter_kind(folder)


def test_every_kind_has_a_command():
    shown = CliRunner().invoke(app, ["train", "--help"])
    assert shown.exit_code == 0
    for kind in (*ADAPTERS, "base", "reader"):
        assert kind in shown.output
        assert CliRunner().invoke(app, ["train", kind, "--help"]).exit_code == 0


@pytest.mark.parametrize(
    ("module", "absent"), [("fairhuman.__main__", "torch"), ("fairhuman.training", "diffusers")]
)
def test_what_is_not_needed_is_not_loaded(module, absent):
    code = f"import sys, {module}; sys.exit({absent!r} in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


class Brightness(Adapter):
    """A kind that nobody else knows: one number per channel, added to the prediction."""

    kind = "brightness"
    title = "Brightness"
    summary = "a number per channel"
    weights = "brightness.safetensors"
    usage = "pass"

    def __init__(self, pipeline, *, rank=16, seed=0, start=None):
        pipeline.unet.requires_grad_(False)
        self.pipeline, self.scale = pipeline, 1.0
        self.shift = torch.nn.Parameter(torch.zeros(1, pipeline.unet.config.out_channels, 1, 1))

    @classmethod
    def load(cls, pipeline, path, conditions=None):
        adapter = cls(pipeline)
        adapter.shift.data = load_file(path / cls.weights)["shift"]
        return adapter

    @property
    def parameters(self):
        return {"shift": self.shift}

    @property
    def scale(self):
        return self._scale

    @scale.setter
    def scale(self, value):
        self._scale = value

    def predict(self, batch):
        return batch.predict(self.unet) + self.scale * self.shift

    def save(self, folder, facts):
        write_card(folder, self, facts)
        save_file({"shift": self.shift.detach()}, folder / self.weights)
        return folder / self.weights

    def sampler(self):
        return self.pipeline

    def remove(self):
        """Nothing was changed."""


def test_a_new_kind_needs_its_class_and_its_entry_alone(tmp_path, monkeypatch):
    """Settings, their checks, the command, the run, its card, its fingerprint and its loading follow."""
    monkeypatch.setitem(ADAPTERS, "brightness", Brightness)
    write_folder(tmp_path / "people", count=2, size=(64, 64))
    tiny_pipeline(seed=0).save_pretrained(tmp_path / "base")
    with pytest.raises(ValueError, match="targets: is for the adapter lora or mole, not for brightness"):
        TrainSettings(**GIVEN, adapter="brightness", targets=["to_q"])
    words = ["--data", tmp_path / "people", "--base", tmp_path / "base", "--output", tmp_path / "run"]
    words += ["--steps", 2, "--set", "resolution=64", "--set", "batch_size=2", "--set", "rank=3"]
    done = CliRunner().invoke(app, ["train", "brightness", *map(str, words)])
    assert done.exit_code == 0, done.output
    run = Run.open(tmp_path / "run")
    assert run.complete and run.settings.adapter_options == {"rank": 3, "start": None}
    assert "# Brightness for" in (run.directory / "README.md").read_text()
    loaded = load_adapter(load_base(tmp_path / "base"), run.directory)
    assert isinstance(loaded, Brightness) and loaded.shift.abs().max() > 0
    assert fingerprint_adapters([run.directory], "brightness") != fingerprint_adapters([], "brightness")
