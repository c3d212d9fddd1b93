"""The commands train lora and sample: from files to files, and one line for what is wrong."""

import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from typer.testing import CliRunner

from fairhuman.__main__ import app, extra_with, main
from fairhuman.models import load_base
from fairhuman.models.adapters import load_adapter
from fairhuman.sampling import sample, sample_with
from fairhuman.training import Run, load_lora


def invoke(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def run(base, people, tmp_path_factory):
    output = tmp_path_factory.mktemp("commands") / "run"
    settings = output.parent / "settings.yaml"
    settings.write_text(f"data: {people}\nbase: {base}\noutput: nowhere\nresolution: 64\nsteps: 3\n")
    done = invoke("train", "lora", settings, "--output", output, "--strategy", "ls", "--set", "rank=2")
    assert done.exit_code == 0, done.output
    return Run.open(output)


def test_changes_take_precedence_over_the_file(run):
    assert run.complete
    assert (run.settings.strategy, run.settings.rank, run.settings.steps) == ("ls", 2, 3)


def test_sample_from_a_prompt_file(run, base, tmp_path):
    prompts = tmp_path / "prompts.txt"
    prompts.write_text("a man\na woman\na person\n")
    words = ("--base", base, "--adapter", run.directory, "--scale", 0.5, "--steps", 1, "--limit", 2)
    done = invoke("sample", prompts, tmp_path / "out", *words, "--seed", 1, "--seed", 2)
    assert done.exit_code == 0, done.output
    lines = [json.loads(line) for line in (tmp_path / "out/metadata.jsonl").read_text().splitlines()]
    assert [(line["text"], line["seed"]) for line in lines] == [
        ("a man", 1),
        ("a woman", 1),
        ("a man", 2),
        ("a woman", 2),
    ]
    assert {line["adapter"] for line in lines} == {str(run.directory)}
    assert len({line["adapter_content"] for line in lines}) == 1
    other = invoke("sample", prompts, tmp_path / "out", "--base", base, "--steps", 1, "--limit", 2)
    assert isinstance(other.exception, ValueError) and "was started" in str(other.exception)


def test_images_of_an_adapter_trained_anew_are_not_mixed(run, base, tmp_path):
    shutil.copytree(run.directory, tmp_path / "run")
    words = ["--base", base, "--adapter", tmp_path / "run", "--steps", 1]
    (tmp_path / "prompts.txt").write_text("a man\n")
    assert invoke("sample", tmp_path / "prompts.txt", tmp_path / "out", *words).exit_code == 0
    state = load_file(run.weights)
    changed = {name: tensor * 2 for name, tensor in state.items()}
    with safe_open(run.weights, framework="pt") as file:
        save_file(changed, tmp_path / "run" / run.weights.name, metadata=file.metadata())
    again = invoke("sample", tmp_path / "prompts.txt", tmp_path / "out", *words)
    assert "adapter_content: must be" in str(again.exception)


def test_sample_with_conditions_of_a_data_set(base, people, tmp_path):
    words = ("--data", people, "--base", base, "--steps", 1, "--set", "resolution=64")
    done = invoke("train", "t2i-adapter", *words, "--output", tmp_path / "t2i")
    assert done.exit_code == 0, done.output
    shared = (people / "metadata.jsonl", tmp_path / "out", "--base", base, "--steps", 1, "--limit", 2)
    given = ("--adapter", tmp_path / "t2i", "--guidance", 1.5)
    for wrong, words in (
        ((), "needs pose and depth, got none"),
        (("--conditions", tmp_path), "metadata.jsonl"),
    ):
        assert words in str(invoke("sample", *shared, *given, *wrong).exception)
    assert "without conditions" in str(invoke("sample", *shared, "--conditions", people).exception)
    assert not (tmp_path / "out").exists()
    done = invoke("sample", *shared, *given, "--conditions", people)
    assert done.exit_code == 0, done.output
    assert len(list((tmp_path / "out/images").iterdir())) == 2


def test_a_fused_lora_draws_what_the_unfused_one_does(run, base, tmp_path):
    done = invoke("fuse", run.directory, tmp_path / "fused", "--base", base, "--scale", 0.5)
    assert done.exit_code == 0, done.output
    options = {"num_inference_steps": 2, "output_type": "np"}

    def image(pipeline, **further):
        made = pipeline("a man", generator=torch.Generator().manual_seed(0), **options, **further)
        return made.images[0]

    fused, unfused = load_base(tmp_path / "fused"), load_base(base)
    plain = image(unfused)
    load_lora(unfused, run.directory)
    expected = image(unfused, cross_attention_kwargs={"scale": 0.5})
    np.testing.assert_allclose(image(fused), expected, atol=1e-5)
    assert np.abs(expected - plain).max() > 1e-4
    kinds = [type(module) for module in fused.unet.modules()]
    assert kinds == [type(module) for module in load_base(base).unet.modules()]  # nothing more to compute
    card = (tmp_path / "fused/README.md").read_text()
    assert "merged" in card and str(base.parent) not in card
    again = invoke("fuse", run.directory, tmp_path / "fused", "--base", base)
    assert "must be absent or an empty folder" in str(again.exception)


def test_the_strength_counts_once(run, base):
    pipeline = load_base(base)
    adapter = load_adapter(pipeline, run.directory)
    how = {"steps": 2, "guidance": 1.0, "progress": False, "scheduler": "keep"}
    ours = sample_with(pipeline, adapter, ["a man"], scale=0.5, **how)[0].load()
    plain = load_base(base)
    load_lora(plain, run.directory)
    theirs = sample(plain, ["a man"], adapter_scale=0.5, **how)[0].load()
    assert np.array_equal(np.asarray(ours), np.asarray(theirs))
    half = sample(plain, ["a man"], adapter_scale=0.25, **how)[0].load()
    assert not np.array_equal(np.asarray(ours), np.asarray(half))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("fuse", "nowhere", "out"), "has no trained adapter"),
        (("fuse", "nowhere", "out", "--scale", "nan"), "scale: must be finite, got nan"),
        (("train", "controlnet", "--data", "d", "--output", "o", "--set", "rank=4"), "not for controlnet"),
        (
            ("train", "lora", "--set", "adapter=mole"),
            "adapter: must be lora in this command, got 'mole'",
        ),
        (("train", "lora", "--set", "steps"), "--set: must be NAME=VALUE"),
        (("train", "lora", "--data", "nowhere"), "'output' is missing"),
        (("train", "lora", "absent.yaml"), "absent.yaml"),
        (("train", "lora", "--data", "d", "--output", "o", "--set", "lerning_rate=1"), "'learning_rate'"),
        (("sample", "absent.txt", "out"), "no such file: absent.txt"),
    ],
)
def test_what_is_wrong_is_said(words, message):
    assert message in str(invoke(*words).exception)


def test_a_file_for_another_adapter_is_refused(tmp_path):
    (tmp_path / "settings.yaml").write_text("adapter: controlnet\ndata: d\noutput: o\n")
    done = invoke("train", "lora", tmp_path / "settings.yaml")
    assert str(done.exception) == "adapter: must be lora in this command, got 'controlnet'"


def test_a_user_sees_one_line_and_no_traceback(tmp_path):
    words = [sys.executable, "-m", "fairhuman", "sample", "absent.txt", "out"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr.strip().splitlines() == ["fairhuman: prompts: no such file: absent.txt"]
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("module", "extra"),
    [("diffusers.utils", "diffusion"), ("anny", "humans"), ("mediapipe", "annotation"), ("warp", "humans")],
)
def test_a_missing_module_names_the_extra_that_brings_it(module, extra):
    assert extra_with(module) == f"; pip install 'fairhuman[{extra}]'"
    assert extra_with("nowhere") == ""


def test_a_missing_module_is_one_line(tmp_path, monkeypatch, capsys):
    (tmp_path / "prompts.txt").write_text("a person\n")
    monkeypatch.setitem(sys.modules, "fairhuman.sampling", None)
    monkeypatch.setattr(
        sys, "argv", ["fairhuman", "sample", str(tmp_path / "prompts.txt"), str(tmp_path / "i")]
    )
    with pytest.raises(SystemExit, match="2"):
        main()
    assert capsys.readouterr().err.strip().startswith("fairhuman: import of fairhuman.sampling")
