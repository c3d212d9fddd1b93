"""Data sets on disk: the same files whatever the way there, readable, and nobody else's."""

import json
import multiprocessing
import os
import signal
import time

import numpy as np
import pytest
from PIL import Image
from synthetic import draw_badly, draw_nobody, draw_person, draw_slowly
from typer.testing import CliRunner

from fairhuman.__main__ import app
from fairhuman.data import HumanFolder
from fairhuman.humans import generate
from fairhuman.humans._record import file_names, mask_box, millimetres

COUNT, SIZE = 6, 64


def make(out, count=COUNT, **options):
    options = {"seed": 3, "size": SIZE, "progress": False, "renderer": draw_person} | options
    return generate(out, count, **options)


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def album(tmp_path_factory):
    return make(tmp_path_factory.mktemp("albums") / "whole")


def test_layout(album):
    expected = {name for index in range(COUNT) for name in file_names(index).values()}
    assert set(contents(album)) == expected | {"metadata.jsonl"}


def test_metadata_has_a_line_for_each_image_in_order(album):
    records = [json.loads(line) for line in (album / "metadata.jsonl").read_text().splitlines()]
    assert [record["index"] for record in records] == list(range(COUNT))
    assert {(record["seed"], record["preset"], record["width"], record["height"]) for record in records} == {
        (3, "studio", SIZE, SIZE)
    }
    assert all(list(record) == list(records[0]) for record in records)
    assert all(
        (album / record[key]).is_file() for record in records for key in record if key.endswith("file_name")
    )


def test_files_hold_what_was_rendered(album):
    record = json.loads((album / "metadata.jsonl").read_text().splitlines()[2])
    human = draw_person(np.random.default_rng([3, 2]), "studio", SIZE)
    assert (np.asarray(Image.open(album / record["file_name"])) == human.image).all()
    hands = np.asarray(Image.open(album / record["hand_mask_file_name"]))
    assert hands.dtype == np.uint8
    assert ((hands == 255) == (human.masks["left_hand"] | human.masks["right_hand"])).all()
    assert set(np.unique(hands)) == {0, 255}
    depth = np.asarray(Image.open(album / record["depth_file_name"]))
    assert np.abs(depth / 1000 - human.depth).max() <= 0.0005 + 1e-6
    assert ((depth == 0) == (human.depth == 0)).all()
    assert record["left_hand_box"] == mask_box(human.masks["left_hand"])
    np.testing.assert_allclose(record["keypoints"], human.keypoints, atol=0.0051)
    assert record["attributes"] == dict(human.attributes)
    assert record["camera"] == {"fx": 1.2 * SIZE, "fy": 1.2 * SIZE, "cx": SIZE / 2, "cy": SIZE / 2}


def test_two_workers_write_the_same_files(album, tmp_path):
    assert contents(make(tmp_path / "two", workers=2)) == contents(album)


@pytest.mark.slow
def test_two_workers_render_the_same_people(tmp_path):
    one, two = (make(tmp_path / str(n), 3, workers=n, renderer=None) for n in (1, 2))
    assert contents(one) == contents(two)


def test_same_seed_same_files_other_seed_other_files(album, tmp_path):
    assert contents(make(tmp_path / "again")) == contents(album)
    assert contents(make(tmp_path / "other", seed=4)) != contents(album)


def test_a_longer_data_set_begins_like_a_shorter_one(album, tmp_path):
    out = make(tmp_path / "grown", 2)
    make(out, 4)
    assert contents(make(out)) == contents(album)


def test_a_complete_data_set_is_left_alone(album):
    before = {path: path.stat().st_mtime_ns for path in album.rglob("*")}
    make(album, renderer=draw_badly)
    assert {path: path.stat().st_mtime_ns for path in album.rglob("*")} == before


def test_a_lost_file_is_drawn_again(album, tmp_path):
    out = make(tmp_path / "lossy")
    (out / "masks/hand/000003.png").unlink()
    assert contents(make(out)) == contents(album)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_killed_run_continues_to_the_same_files(album, tmp_path, workers):
    out = tmp_path / "killed"
    context = multiprocessing.get_context("spawn")
    run = context.Process(target=make, args=(out, 200), kwargs={"workers": workers, "renderer": draw_slowly})
    run.start()
    deadline = time.monotonic() + 60
    while len(list(out.glob(".partial/0*.json"))) < 3:
        assert time.monotonic() < deadline, "the run did not begin"
        time.sleep(0.01)
    os.kill(run.pid, signal.SIGKILL)
    run.join()
    assert not (out / "metadata.jsonl").exists()
    # Workers end with the process that started them, even if that was killed.
    before, done = -1, len(list(out.glob(".partial/0*.json")))
    while before != done:
        time.sleep(0.5)
        before, done = done, len(list(out.glob(".partial/0*.json")))
    assert 3 <= done < 200
    # Fewer images than the cut-off run aimed for are as good as any other number.
    assert contents(make(out)) == contents(album)


@pytest.mark.parametrize("moment", ["before the metadata", "after the metadata"])
def test_a_run_killed_at_its_end_continues_to_the_same_files(album, tmp_path, monkeypatch, moment):
    from fairhuman.humans import _folder

    def stop(*_):
        raise KeyboardInterrupt

    out = tmp_path / "late"
    with monkeypatch.context() as patch:
        if moment == "before the metadata":
            patch.setattr("fairhuman.humans._album.finish", stop)
        else:
            patch.setattr(_folder.shutil, "rmtree", stop)
        with pytest.raises(KeyboardInterrupt):
            make(out)
    assert (out / ".partial").is_dir()
    assert contents(make(out)) == contents(album)
    assert not (out / ".partial").exists()


def test_a_data_set_whose_extension_was_cut_off_is_still_one(album, tmp_path):
    out = make(tmp_path / "cut")
    lines = (out / "metadata.jsonl").read_bytes()

    def fail_at_eight(rng, preset, size):
        if len(list((out / "images").iterdir())) == 8:
            raise KeyboardInterrupt
        return draw_person(rng, preset, size)

    with pytest.raises(KeyboardInterrupt):
        make(out, 12, renderer=fail_at_eight)
    assert (out / "metadata.jsonl").read_bytes() == lines
    assert contents(make(out)) == contents(album)


def test_datasets_reads_it(album, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    out = tmp_path / "train"  # a folder's name must not make it a split
    make(out, 2, renderer=draw_nobody)
    make(out, 5)
    loaded = datasets.load_dataset("imagefolder", data_dir=str(out), cache_dir=str(tmp_path / "cache"))
    assert list(loaded) == ["train"]
    rows = loaded["train"]
    assert len(rows) == 5
    for column in ("image", "face_mask", "hand_mask", "foot_mask", "eyes_mask", "pose", "depth"):
        assert isinstance(rows.features[column], datasets.Image), column
    assert [row["face_box"] is None for row in rows] == [True, True, False, False, False]
    assert rows[3]["image"].size == (SIZE, SIZE)
    assert np.asarray(rows[3]["depth"]).max() > 255
    assert np.shape(rows[3]["keypoints"]) == (17, 3)
    assert rows[3]["attributes"]["gender"] in ("woman", "man")


def test_the_library_reads_it(album):
    folder = HumanFolder(album, regions=("face", "hand", "foot", "eyes"))
    assert len(folder) == COUNT
    sample = folder[1]
    assert set(sample.masks) == {"face", "hand", "foot", "eyes"}
    assert sample.boxes["left_hand"] is not None


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"count": 0}, "count: must be a whole number of at least 1, found 0"),
        ({"count": 2.5}, "count: .* found 2.5"),
        ({"size": 8}, "size: must be a whole number from 32 to 4096, found 8"),
        ({"size": 5000}, "size: .* from 32 to 4096, found 5000"),
        ({"seed": -1}, "seed: .* at least 0, found -1"),
        ({"workers": 0}, "workers: .* at least 1, found 0"),
        ({"preset": "studo"}, "preset: unknown name 'studo'; did you mean 'studio'"),
    ],
)
def test_values_out_of_range_are_named_and_nothing_is_written(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        make(tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"seed": 5}, "seed: must be 3, with which .* was started, got 5"),
        ({"preset": "world"}, "preset: must be 'studio'.* got 'world'"),
        ({"size": 128}, "size: must be 64.* got 128"),
        ({"count": 2}, "count: must be at least 6, as many as .*whole already holds, got 2"),
    ],
)
def test_another_data_set_is_refused(album, options, message):
    before = contents(album)
    with pytest.raises(ValueError, match=message):
        make(album, **options)
    assert contents(album) == before


def test_an_unfinished_other_data_set_is_refused(tmp_path):
    out = tmp_path / "out"
    with pytest.raises(RuntimeError, match="image 0 of seed 3, preset studio: a limb of no length"):
        make(out, renderer=draw_badly)
    with pytest.raises(ValueError, match="seed: must be 3, .*got 9"):
        make(out, seed=9)


@pytest.mark.parametrize("loss", ["an image", "the end", "the metadata"])
def test_images_of_another_renderer_are_not_mixed(album, tmp_path, monkeypatch, loss):
    from fairhuman.humans import _album, _folder

    out = tmp_path / "old"
    if loss == "the metadata":  # a run cut off at its fourth image
        monkeypatch.setattr(_album, "finish", lambda *_: None)
        make(out, 4)
        monkeypatch.undo()
    else:
        make(out, 4 if loss == "the end" else COUNT)
    if loss == "an image":
        (out / "pose/000001.png").unlink()
    monkeypatch.setattr(_folder, "RENDERER", 99)
    before = contents(out)
    with pytest.raises(ValueError, match="renderer: must be version .*, found 99; choose another folder"):
        make(out)
    assert contents(out) == before
    monkeypatch.undo()
    assert contents(make(out)) == contents(album)


def test_a_complete_data_set_of_another_renderer_is_left_alone(album, monkeypatch):
    from fairhuman.humans import _folder

    monkeypatch.setattr(_folder, "RENDERER", 99)
    before = contents(album)
    make(album, renderer=draw_badly)
    assert contents(album) == before


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("holiday.txt", "", r"out: .* holds something else \(holiday.txt\)"),
        (
            "metadata.jsonl",
            '{"file_name": "a.png"}\n',
            "metadata.jsonl, line 1, is not of a rendered",
        ),
        ("metadata.jsonl", "{oops\n", "metadata.jsonl, line 1, is not of a rendered"),
    ],
)
def test_a_folder_with_something_else_is_refused(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    before = contents(tmp_path)
    with pytest.raises(ValueError, match=message):
        make(tmp_path)
    assert contents(tmp_path) == before


def test_a_file_in_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("")
    with pytest.raises(ValueError, match="out: must be a folder, got .*, which is a file"):
        make(tmp_path / "out")


def test_a_failing_worker_names_the_image(tmp_path):
    with pytest.raises(RuntimeError, match="image 0 of seed 3"):
        make(tmp_path / "out", workers=2, renderer=draw_badly)


def test_the_command_takes_the_same_values(tmp_path):
    words = ["humans", str(tmp_path / "out"), "--count", "2", "--seed", "-1", "--workers", "1"]
    result = CliRunner().invoke(app, words)
    assert isinstance(result.exception, ValueError)
    assert "seed: must be a whole number of at least 0, found -1" in str(result.exception)
    assert not (tmp_path / "out").exists()


def test_depth_in_millimetres():
    metres = np.array([0.0, 0.0001, 1.2344, 1.2346, 70.0])
    assert millimetres(metres).tolist() == [0, 1, 1234, 1235, 65535]


def test_box_of_a_mask():
    mask = np.zeros((5, 7), dtype=bool)
    assert mask_box(mask) is None
    mask[2, 3] = mask[4, 6] = True
    assert mask_box(mask) == [3, 2, 7, 5]
