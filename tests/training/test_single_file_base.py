"""The commands on a base in one file: as on the folder that it was made from."""

import pytest
import torch
from safetensors.torch import load_file
from typer.testing import CliRunner

from fairhuman.__main__ import app
from fairhuman.models import load_base
from fairhuman.models._single_file import save_single_file


@pytest.fixture(scope="module")
def file(base, tmp_path_factory):
    return save_single_file(load_base(base), tmp_path_factory.mktemp("single") / "base.safetensors")


def command(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception is not None and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done.output


def test_training_and_sampling_end_as_on_the_folder(base, file, people, tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRHUMAN_SDXL", str(base))
    (tmp_path / "prompts.txt").write_text("a person\n")
    weights, images = [], []
    for name, place in (("file", file), ("folder", base)):
        run, drawn = tmp_path / f"run-{name}", tmp_path / f"images-{name}"
        settings = [f"--set={text}" for text in ("rank=2", "resolution=64", "batch_size=2", "seed=3")]
        command("train", "lora", "--data", people, "--output", run, "--base", place, "--steps", 2, *settings)
        command("sample", tmp_path / "prompts.txt", drawn, "--base", place, "--lora", run, "--steps", 2)
        weights.append(load_file(run / "pytorch_lora_weights.safetensors"))
        images.append(next(drawn.glob("images/*.png")).read_bytes())
    assert all(torch.equal(tensor, weights[1][key]) for key, tensor in weights[0].items())
    assert images[0] == images[1]


def test_without_configurations_nothing_is_written_and_the_error_says_where_they_come_from(
    file, people, tmp_path, monkeypatch
):
    monkeypatch.delenv("FAIRHUMAN_SDXL", raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path / "hub"))
    with pytest.raises(FileNotFoundError, match="environment variable FAIRHUMAN_SDXL"):
        command("train", "lora", "--data", people, "--output", tmp_path / "run", "--base", file)
    assert list(tmp_path.iterdir()) == []
