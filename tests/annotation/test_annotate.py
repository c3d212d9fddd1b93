"""A folder of photographs becomes a training set: what is good is annotated, what is bad is listed."""

import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from damaged import FILTERED, ODD, UNREADABLE, heed_permissions, make_folder, photograph
from PIL import Image

from fairhuman.data import HumanFolder
from fairhuman.data.annotation import AnnotateSettings, annotate, merge
from fairhuman.models import tiny_pipeline
from fairhuman.training import TrainSettings, train

GOOD = 12
OPTIONS = ["--min-side", "300", "--max-pixels", "1000000", "--scales", "1", "--duplicate-distance", "-1",
           "--caption", "a person"]  # fmt: skip


def start(photographs, out, *more):
    words = [sys.executable, "-m", "fairhuman", "annotate", str(photographs), str(out), *OPTIONS, *more]
    return subprocess.Popen(
        words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, preexec_fn=heed_permissions
    )


def contents(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    root = tmp_path_factory.mktemp("photographs") / "in"
    make_folder(root, GOOD)
    return root


@pytest.fixture(scope="module")
def annotated(photographs):
    out = photographs.parent / "out"
    run = start(photographs, out)
    said, complaint = run.communicate()
    assert run.returncode == 1, complaint  # finished, but not every file could be read
    assert f"{GOOD + len(ODD)} kept, {len(FILTERED)} filtered" in said
    return out


def test_every_good_one_is_annotated(annotated):
    kept = {entry["original"] for entry in lines(annotated / "metadata.jsonl")}
    assert kept == {f"good/{index:04d}.jpg" for index in range(GOOD)} | ODD


def test_every_bad_one_is_listed_with_its_reason(annotated):
    listed = {entry["original"]: entry for entry in lines(annotated / "rejected.jsonl")}
    assert set(listed) == set(UNREADABLE) | set(FILTERED)
    for kind, names in (("unreadable", UNREADABLE), ("filtered", FILTERED)):
        for name, reason in names.items():
            assert listed[name]["kind"] == kind
            assert reason in listed[name]["reason"]


def test_the_report_counts_them(annotated):
    report = json.loads((annotated / "report.json").read_text())
    assert (report["kept"], report["unreadable"]) == (GOOD + len(ODD), len(UNREADABLE))
    assert report["filtered_why"] == dict.fromkeys(sorted(FILTERED.values()), 1)
    assert report["areas"]["face"]["images"] == GOOD + len(ODD)
    with Image.open(annotated / "contact_sheet.jpg") as sheet:
        assert sheet.width > 8 * 256


def test_killed_twice_and_resumed_it_is_the_same(annotated, photographs):
    out = photographs.parent / "killed"
    for least in (2, 5):
        run = start(photographs, out, "--workers", "2")
        deadline = time.monotonic() + 120
        journal = out / "journal.jsonl"
        while not journal.exists() or journal.read_bytes().count(b"\n") < least:
            assert run.poll() is None and time.monotonic() < deadline, "the run did not get there"
            time.sleep(0.005)
        run.send_signal(signal.SIGKILL)
        run.communicate()
    assert not (out / "metadata.jsonl").exists()
    with journal.open("a") as torn:
        torn.write('{"original": "good/00')
    run = start(photographs, out)
    run.communicate()
    assert run.returncode == 1
    assert contents(out) == contents(annotated)


def test_shares_make_the_same_as_one_run(annotated, photographs):
    out = photographs.parent / "shares"
    for index in (1, 3):
        start(photographs, out, "--shard", f"{index}/3").communicate()
    with pytest.raises(ValueError, match="journal-2-of-3.jsonl is missing"):
        merge(out)
    refused = start(photographs, out, "--shard", "1/4")
    assert "was started with 3 shards, got one of 4" in refused.communicate()[1]
    start(photographs, out, "--shard", "2/3").communicate()
    assert not (out / "metadata.jsonl").exists()
    merge(out)
    assert contents(out) == contents(annotated)


def test_the_face_of_a_photograph_is_found_and_masked(annotated):
    samples = {sample.text: sample for sample in HumanFolder(annotated)}
    sample = samples["an officer before a flag"]
    # By eye: brows to chin of Grace Hopper in the photograph of 512 × 600 pixels.
    eyes, mouth, flag, uniform = (270, 195), (280, 275), (30, 60), (256, 560)
    mask = sample.masks["face"]
    assert [int(mask[y, x]) for x, y in (eyes, mouth, flag, uniform)] == [255, 255, 0, 0]
    assert not sample.masks["hand"].any()
    nose = sample.keypoints["body"][0]
    assert eyes[1] < nose[1] < mouth[1] and sample.boxes["face"][0] < nose[0] < sample.boxes["face"][2]


def test_odd_ones_are_shown_upright_and_nothing_of_exif_is_kept(annotated):
    entries = {entry["original"]: entry for entry in lines(annotated / "metadata.jsonl")}
    with Image.open(annotated / entries["turned.jpg"]["file_name"]) as turned:
        assert turned.size == (512, 600)
        assert (
            not turned.getexif()
            and b"a camera" not in (annotated / entries["turned.jpg"]["file_name"]).read_bytes()
        )
        difference = np.asarray(turned, dtype=int) - np.asarray(photograph(), dtype=int)
    assert np.abs(difference).mean() < 3


def test_an_annotated_folder_trains(annotated, tmp_path):
    tiny_pipeline(seed=0).save_pretrained(tmp_path / "base")
    run = train(
        TrainSettings(
            data=str(annotated), base=str(tmp_path / "base"), output=str(tmp_path / "run"), rank=2,
            resolution=64, steps=2, batch_size=2,
        ),
        progress=False,
    )  # fmt: skip
    assert run.complete


def test_duplicates_leave_the_largest(tmp_path):
    (tmp_path / "in").mkdir()
    photograph().save(tmp_path / "in" / "large.png")
    photograph().resize((440, 515)).save(tmp_path / "in" / "a smaller one.jpg", quality=60)
    settings = AnnotateSettings(min_side=300, scales=1, caption="a person")
    done = annotate(tmp_path / "in", tmp_path / "out", settings, progress=False)
    assert (done.kept, done.duplicates) == (1, 1)
    assert lines(tmp_path / "out/metadata.jsonl")[0]["original"] == "large.png"
    assert lines(tmp_path / "out/rejected.jsonl")[0]["reason"] == "duplicate of large.png"
    assert len(list((tmp_path / "out/images").rglob("*.png"))) == 1


def test_names_of_folders_tell_repeats_and_words(tmp_path):
    for name in ("in/10_a man/a.jpg", "in/10_a man/b.jpg", "in/2024_holiday/c.jpg", "in/d.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        photograph().save(tmp_path / name)
    (tmp_path / "in/10_a man/b.txt").write_text("a man waving")
    settings = AnnotateSettings(min_side=300, scales=1, caption="a person", duplicate_distance=-1)
    for out, named in (("plain", False), ("named", True)):
        annotate(tmp_path / "in", tmp_path / out, settings.changed(folder_names=named), progress=False)
    plain, named = (
        [(line["text"], line.get("repeats", 1)) for line in lines(tmp_path / out / "metadata.jsonl")]
        for out in ("plain", "named")
    )
    assert plain == [("a person", 1), ("a man waving", 1), ("a person", 1), ("a person", 1)]
    assert named == [("a man", 10), ("a man waving", 10), ("holiday", 2024), ("a person", 1)]
    assert HumanFolder(tmp_path / "named").repeats.tolist() == [10, 10, 2024, 1]
    assert "folder_names" not in (tmp_path / "plain/annotation.json").read_text()


def test_what_is_not_ours_is_left_alone(photographs, annotated, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(ValueError, match=r"holds something else \(letter.txt\)"):
        annotate(photographs, tmp_path / "mine")
    with pytest.raises(ValueError, match="must not hold the photographs"):
        annotate(photographs, photographs.parent)
    before = contents(annotated)
    with pytest.raises(ValueError, match="min_side: must be 300, with which .* was started, got 301"):
        annotate(photographs, annotated, AnnotateSettings(min_side=301))
    with pytest.raises(FileNotFoundError, match="no such folder"):
        annotate(tmp_path / "absent", tmp_path / "out")
    assert contents(annotated) == before
    assert contents(tmp_path) == {"mine/letter.txt": b"dear"}


def test_a_table_of_captions_that_is_wrong_stops_before_any_work(photographs, tmp_path):
    table = tmp_path / "captions.csv"
    table.write_text("file_name,text\na.jpg,one\na.jpg,two\n")
    with pytest.raises(ValueError, match="line 3: names 'a.jpg' a second time"):
        annotate(photographs, tmp_path / "out", AnnotateSettings(captions=str(table)))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"min_side": 0}, "min_side: must be ≥ 1, got 0"),
        ({"min_person": 1.5}, r"min_person: must be in \[0, 1\]"),
        ({"scales": 6}, "scales: must be ≤ 5, got 6"),
        ({"mask": "circle"}, "mask: unknown name 'circle'"),
        ({"hand_padding": -1}, "hand_padding: must be ≥ 0, got -1"),
        ({"caption": " "}, "caption: must not be empty"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        AnnotateSettings(**changes)
