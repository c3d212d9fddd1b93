"""Photographs to a LoRA, images before and after, and an evaluation, in one call."""

import json

import numpy as np
import pytest
from damaged import photograph
from PIL import Image
from typer.testing import CliRunner

from fairhuman.__main__ import app
from fairhuman.data.annotation import AnnotateSettings
from fairhuman.fitting import FitSettings, SampleSettings, fit
from fairhuman.models import tiny_pipeline

ANNOTATION = AnnotateSettings(min_side=300, scales=1, duplicate_distance=-1)
TRAINING = {"rank": 2, "resolution": 64, "steps": 2, "batch_size": 2, "learning_rate": 0.1}
SAMPLES = SampleSettings(count=2, steps=2, batch=2)


def test_the_whole_way(tmp_path):
    photographs = tmp_path / "in"
    photographs.mkdir()
    for index in range(3):
        photograph().crop((index, 0, 500 + index, 590)).save(photographs / f"{index}.jpg")
    table = tmp_path / "captions.csv"
    table.write_text("file_name,text\n" + "".join(f"./{index}.jpg,officer {index}\n" for index in range(3)))
    annotation = ANNOTATION.changed(captions=str(table))
    tiny_pipeline(seed=0).save_pretrained(tmp_path / "base")
    options = {"base": str(tmp_path / "base"), "annotation": annotation, "samples": SAMPLES,
               "training": TRAINING, "progress": False}  # fmt: skip
    done = fit(photographs, tmp_path / "out", **options)
    assert done.annotation.kept == 3 and done.run.complete and done.run.settings.strategy == "mpd"
    images = {
        name: [
            np.asarray(Image.open(path)) for path in sorted((tmp_path / "out" / name / "images").iterdir())
        ]
        for name in ("before", "after")
    }
    assert len(images["before"]) == 2
    # The LoRA is what differs: same prompts, same noise.
    assert all((a != b).any() for a, b in zip(images["before"], images["after"], strict=True))
    prompts = [json.loads(line)["text"] for line in (tmp_path / "out/before/metadata.jsonl").open()]
    assert prompts == ["officer 0", "officer 2"]
    stored = json.loads((tmp_path / "out/evaluation.json").read_text())
    assert {row["system"] for row in stored["rows"]} == {"before", "after"} and stored["paired"]
    files = {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    report = (tmp_path / "out/report.md").read_text()
    assert "| face found |" in report and "## Recommendations" in report
    assert all(str(one) in report for one in done.advice) and done.advice
    assert (tmp_path / "out/comparison-1.jpg").is_file()
    found = CliRunner().invoke(app, ["fit", str(tmp_path / "out/fit.yaml")])
    assert found.exit_code == 0 and report in found.output  # and nothing is made again
    assert files == {path: path.stat().st_mtime_ns for path in (tmp_path / "out").rglob("*.png")}
    again = FitSettings.from_yaml(tmp_path / "out/fit.yaml")
    assert again.training == TRAINING and again.samples == SAMPLES and again.annotation == annotation


def test_a_fit_yaml_takes_no_other_options(tmp_path):
    path = tmp_path / "fit.yaml"
    path.write_text(FitSettings(photographs=str(tmp_path / "none"), out=str(tmp_path / "out")).to_yaml())
    for words, message in (
        ([str(path), "--steps", "3"], f"steps: is set in {path}; change it there"),
        ([str(path)], f"photographs: no such folder: {tmp_path / 'none'}"),
        ([str(tmp_path)], "out: must be given, unless the first argument is a fit.yaml"),
    ):
        found = CliRunner().invoke(app, ["fit", *words])
        assert found.exit_code != 0 and message in str(found.exception) + found.output.replace("\n", " ")
    assert not (tmp_path / "out").exists()


def test_what_is_wrong_is_said_before_any_work(tmp_path):
    with pytest.raises(ValueError, match="training: 'data' is decided by fit"):
        fit(tmp_path, tmp_path / "out", training={"data": "x"})
    with pytest.raises(ValueError, match="did you mean 'steps'"):
        fit(tmp_path, tmp_path / "out", training={"step": 3})
    with pytest.raises(ValueError, match="count: must be ≥ 1, got 0"):
        SampleSettings(count=0)
    assert not (tmp_path / "out").exists()
