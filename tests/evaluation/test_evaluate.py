"""Anyone's images: everything that can be measured is, and nothing that cannot is passed over in silence."""

import json
import math

import numpy as np
import pandas as pd
import pytest
from people import write_folder
from PIL import Image
from typer.testing import CliRunner

from fairhuman.__main__ import app
from fairhuman.detectors import detect
from fairhuman.evaluation import kernel_distance
from fairhuman.evaluation.evaluate import EvaluateSettings, evaluate_folders, paired_sets, read_sets
from fairhuman.evaluation.evaluate._differences import differences
from fairhuman.evaluation.reader import AttributeReader

CAPTION = "A smiling woman in a red t-shirt waving, upper body"


def noise(folder, count, seed):
    """So many small images of noise, named by number."""
    folder.mkdir()
    for index, pixels in enumerate(
        np.random.default_rng(seed).integers(0, 256, (count, 32, 40, 3), dtype=np.uint8)
    ):
        Image.fromarray(pixels).save(folder / f"{index:02d}.png")
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("sets")
    return {
        name: noise(root / name, count, seed)
        for seed, (name, count) in enumerate({"one": 12, "two": 12, "reference": 14, "few": 4}.items())
    }


@pytest.fixture(scope="module")
def found(folders):
    return evaluate_folders([folders["one"], folders["two"]], [CAPTION] * 12, reference=folders["reference"])


def pick(found, **wanted):
    (row,) = (row for row in found["rows"] if all(row[name] == value for name, value in wanted.items()))
    return row


def test_the_numbers_are_those_of_the_metrics_themselves(found, folders):
    images = [sorted(folders[name].iterdir()) for name in ("reference", "two")]
    reader = AttributeReader.load()
    features = [reader.features([np.array(Image.open(path)) for path in paths]) for paths in images]
    row = pick(found, system="two", group="distance", subject="whole", metric="kernel")
    assert row["value"] == pytest.approx(kernel_distance(*features).value)
    rate = sum(bool(one.faces) for one in detect(images[1])) / 12
    assert pick(found, system="two", subject="face", metric="rate")["value"] == rate


def test_what_cannot_be_measured_is_empty_and_says_why(found):
    frechet = pick(found, system="one", subject="whole", metric="Fréchet")
    assert (
        math.isnan(frechet["value"]) and "needs at least 209 images a set, got 14 and 12" in frechet["note"]
    )
    hands = pick(found, system="one", group="distance", subject="hand", metric="kernel")
    assert math.isnan(hands["value"]) and "at least 10 images a set" in hands["note"]
    for name in ("hps_v2.1", "image_reward", "clip_score"):
        row = pick(found, system="one", subject=name)
        assert row["n"] == 0 and math.isnan(row["value"])
        assert "name a folder that holds these files, or allow download" in row["note"]
    for row in found["rows"]:
        assert row["note"] or not math.isnan(row["value"]) or row["metric"] == "confidence", row


def test_paired_systems_are_compared_and_share_the_risk(found):
    assert found["paired"]
    assert {(row["reference"], row["system"]) for row in found["differences"]} == {("one", "two")}
    levels = {row["level"] for row in found["differences"]}
    assert len(levels) == 1 and levels.pop() == pytest.approx(1 - 0.05 / len(found["differences"]))


def test_what_was_not_asked_for_is_not_compared():
    """The same difference would otherwise stand in two results, with two corrections."""
    random = np.random.default_rng(0)
    scores = pd.DataFrame(
        [{"system": system, "clip_score": random.normal()} for system in ("one", "two") for _ in range(20)]
    )
    found = differences({"one": None, "two": None}, None, None, {}, scores, level=0.9, seed=0)
    assert [(row["group"], row["level"]) for row in found] == [("preference", 0.9)]


def test_systems_of_other_prompts_are_not_compared(folders):
    assert not evaluate_folders([folders["one"], folders["few"]])["differences"]
    row = pick(evaluate_folders([folders["few"]]), subject="face", metric="confidence_with_misses")
    assert row["n"] == 4


def test_too_few_images_are_no_silent_number(folders):
    found = evaluate_folders([folders["few"]], reference=folders["reference"])
    row = pick(found, group="distance", subject="whole", metric="kernel")
    assert math.isnan(row["value"]) and "got 14 and 4" in row["note"]


def test_a_bad_file_leaves_all_systems_together(folders, tmp_path):
    worse = noise(tmp_path / "worse", 12, 9)
    (worse / "03.png").write_bytes(b"")
    Image.open(worse / "05.png").convert("CMYK").save(worse / "05.jpg")
    (worse / "05.png").unlink()
    sets = read_sets([folders["one"], worse], [CAPTION] * 12)
    assert sets.kept["one"] == sets.kept["worse"] == [0, 1, 2, *range(4, 12)]
    assert [path.stem for path in sets.images["one"]] == [path.stem for path in sets.images["worse"]]
    assert list(sets.intakes["worse"].refused.values()) == ["empty file"]
    alone = read_sets([folders["one"], worse, folders["few"]])
    assert not alone.paired and len(alone.images["one"]) == 12 and len(alone.images["worse"]) == 11


def test_samples_bring_their_prompts_and_annotations_say_what_to_expect(tmp_path):
    entries = write_folder(tmp_path / "set", count=3, size=(64, 64))
    sets = read_sets([tmp_path / "set"])
    assert sets.prompts == {"set": [entry["text"] for entry in entries]}
    found = evaluate_folders(
        [tmp_path / "set"], asked=tmp_path / "set", settings=EvaluateSettings(posed=True)
    )
    groups = {row["group"] for row in found["rows"]}
    assert groups == {"detection", "anatomy", "in place", "crops", "pose", "depth", "caption", "preference"}
    row = pick(found, group="pose", metric="coverage")
    assert row["n"] == sum(sum(point[2] == 2 for point in entry["keypoints"]) > 1 for entry in entries)
    expected = sum(abs(entry["face_yaw"]) < 45 for entry in entries)
    assert pick(found, group="in place", subject="face", metric="rate")["n"] == expected
    with pytest.raises(ValueError, match="asked: must describe every image, got 3 for 4 of 'more'"):
        evaluate_folders([noise(tmp_path / "more", 4, 0)], asked=tmp_path / "set")


def test_the_command_writes_a_table_and_a_file(folders, tmp_path):
    prompts, out = tmp_path / "prompts.txt", tmp_path / "found.json"
    prompts.write_text("\n".join([CAPTION] * 5))
    bad = noise(tmp_path / "bad", 5, 3)
    (bad / "02.png").write_text("no image")
    words = ["evaluate", str(bad), "--prompts", str(prompts), "--out", str(out), "--no-cache"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 1
    assert "face: rate" in done.output and "bad: 4 evaluated, 1 left out" in done.output
    assert "02.png: not an image" in done.output
    stored = json.loads(out.read_text())
    assert stored["files"]["bad"]["judged"] == 4 and len(stored["files"]["bad"]["refused"]) == 1
    assert stored["provenance"]["versions"]["mediapipe"]
    assert pick(stored, subject="face", metric="rate")["n"] == 4
    assert not list(tmp_path.glob("*.partial"))
    assert CliRunner().invoke(app, words).exit_code == 1  # in place of an earlier one


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["few", "--prompts", "PROMPTS"], "prompts: must be one per image, got 2 for 4 images"),
        (["nowhere"], "no such folder"),
        (["few", "few"], "must be folders of different names"),
        (["few", "--reference", "nowhere"], "no such folder"),
        (["few", "--posed"], "posed: needs --asked"),
        (["few", "--depth-model", "few"], "depth_model: needs posed images, got few without posed"),
        (["few", "--asked", "few", "--posed", "--depth-model", "few"], "depth_model: few holds no config"),
        (["few", "--out", "nowhere/a.json"], "out: no such folder"),
        (["few", "--out", "PROMPTS"], "out: must be a new file or an earlier evaluation, got .*prompts.txt"),
        (["few", "--weights", "hps=few"], "weights: unknown name 'hps'"),
        (["few", "--weights", "hps_v2.1"], "weights: must be METRIC=FOLDER"),
        (["few", "--weights", "clip_score=nowhere"], "weights: no such folder: nowhere"),
        (["few", "--workers", "0"], "workers: must be ≥ 1, got 0"),
        (["few", "--level", "1"], r"level: must be in \(0, 1\), got 1"),
    ],
)
def test_wrong_requests_are_refused(folders, tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(folders["few"].parent)
    (tmp_path / "prompts.txt").write_text("a\nb\n")
    words = [str(tmp_path / "prompts.txt") if word == "PROMPTS" else word for word in words]
    done = CliRunner().invoke(app, ["evaluate", "--no-cache", *words])
    assert (tmp_path / "prompts.txt").read_text() == "a\nb\n"
    assert isinstance(done.exception, (ValueError, OSError))
    with pytest.raises(type(done.exception), match=message):
        raise done.exception


def test_a_folder_of_bad_files_alone_is_refused(tmp_path):
    (tmp_path / "a.png").touch()
    with pytest.raises(ValueError, match=r"1 cannot be judged: .*a\.png: empty file"):
        read_sets([tmp_path])


def test_paired_files_must_all_be_good(folders, tmp_path):
    files = {name: sorted(folders[name].iterdir()) for name in ("one", "two")}
    sets = paired_sets(files, [CAPTION] * 12)
    assert sets.paired and sets.images == files
    with pytest.raises(ValueError, match=r"images: must be one per prompt \(3\), got {'one': 12, 'two': 12}"):
        paired_sets(files, [CAPTION] * 3)
    (tmp_path / "empty.png").touch()
    with pytest.raises(ValueError, match="empty.png: empty file"):
        paired_sets({"one": files["one"][:1], "two": [tmp_path / "empty.png"]}, [CAPTION])


def test_only_what_is_wanted_is_measured(folders):
    settings = EvaluateSettings(groups=["caption"])
    found = evaluate_folders([folders["few"]], [CAPTION] * 4, settings=settings)
    assert {row["group"] for row in found["rows"]} == {"caption"}
    with pytest.raises(ValueError, match="groups: unknown name 'captions'; did you mean 'caption'"):
        EvaluateSettings(groups=["captions"])
