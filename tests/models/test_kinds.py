"""The table of adapter kinds: what is said there is what settings, commands and cards go by."""

import json
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from fairhuman.__main__ import app
from fairhuman.models.adapters import ADAPTERS, ATTENTION, TRANSFORMER, LoRA, MoLE, adapter_kind, kinds_with
from fairhuman.training import TrainSettings

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
    with pytest.raises(FileNotFoundError, match="holds no trained adapter"):
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
