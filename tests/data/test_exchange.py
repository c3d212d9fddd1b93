"""Data sets of other forms: what goes out and comes back is the same, and bad lines are named."""

import json
import re

import numpy as np
import pytest
from people import write_folder
from PIL import Image
from typer.testing import CliRunner

from fairhuman.__main__ import app
from fairhuman.data import HumanFolder
from fairhuman.data.exchange import _import, export_folder, import_folder
from fairhuman.regions import box_mask


@pytest.fixture
def source(tmp_path):
    root = tmp_path / "source"
    root.mkdir()
    write_folder(root, 3, (40, 56))
    return root


def lines(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def rewrite(folder, index, **changes):
    entries = lines(folder / "metadata.jsonl")
    entries[index] |= changes
    (folder / "metadata.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))


def test_the_released_layout_there_and_back(source, tmp_path):
    assert export_folder(source, tmp_path / "released", "released") == 3
    entry = lines(tmp_path / "released/metadata.jsonl")[0]
    assert set(entry) == {"image", "conditioning_image", "mask_hand", "mask_face", "text_english"}
    with Image.open(tmp_path / "released" / entry["mask_face"]) as mask:
        assert mask.mode == "RGB" and mask.size == (56, 40)
    done = import_folder(tmp_path / "released", tmp_path / "back", "released", progress=False)
    assert (done.kept, done.unreadable) == (3, 0)
    before = {sample.text: sample for sample in HumanFolder(source)}
    after = {sample.text: sample for sample in HumanFolder(tmp_path / "back", conditions=("pose",))}
    assert set(after) == set(before)
    for text, sample in after.items():
        assert np.array_equal(sample.image, before[text].image)
        for region in ("face", "hand"):
            assert np.array_equal(sample.masks[region], before[text].masks[region])
        assert sample.boxes["face"] == before[text].boxes["face"]


def test_boxes_there_and_back(source, tmp_path):
    export_folder(source, tmp_path / "boxes", "boxes")
    import_folder(tmp_path / "boxes", tmp_path / "back", "boxes", dilation=0, progress=False)
    before = {sample.text: sample for sample in HumanFolder(source)}
    for sample in HumanFolder(tmp_path / "back"):
        box = before[sample.text].boxes["face"]
        assert sample.boxes["face"] == box
        assert np.array_equal(sample.masks["face"] > 0, box_mask([box], (40, 56))[0].numpy() > 0)


def test_categories_of_other_names_and_other_things(source, tmp_path):
    export_folder(source, tmp_path / "boxes", "boxes")
    rewrite(tmp_path / "boxes", 0, objects={"bbox": [[1, 2, 10, 10], [0, 0, 56, 40], [30, 5, 100, 4]],
                                            "category": [7, 3, 8]})  # fmt: skip
    result = CliRunner().invoke(app, [
        "import", str(tmp_path / "boxes"), str(tmp_path / "back"), "--layout", "boxes", "--dilation", "0",
        "--category", "7=hand", "--category", "8=face",
    ])  # fmt: skip
    assert result.exit_code == 0, result.output
    entry = next(e for e in lines(tmp_path / "back/metadata.jsonl") if e["text"] == "person 0")
    assert (entry["hand_boxes"], entry["face_boxes"]) == ([[1, 2, 11, 12]], [[30, 5, 56, 9]])


@pytest.mark.parametrize(
    ("layout", "changes", "reason"),
    [
        ("released", {"image": "../secret.png"}, "line 2: 'image' leaves the data set's folder"),
        ("released", {"mask_face": "mask_face/absent.png"}, "No such file"),
        ("released", {"text_english": " "}, "line 2: 'text_english' must be a caption"),
        ("released", {"mask_hand": "wide.png"}, "mask_hand is 5 × 9 .* its image 40 × 56"),
        ("boxes", {"objects": {"bbox": [[1, 1, 0, 4]], "categories": ["face"]}}, "must have an extent"),
        ("boxes", {"objects": {"bbox": [[1, 1, 2, 4]], "categories": []}}, "as many 'categories' as boxes"),
        ("boxes", {"objects": {"bbox": [[1, 1, float("inf"), 4]], "categories": ["face"]}}, "four finite"),
        ("boxes", {"objects": {"bbox": None, "categories": []}}, "'bbox' must be a list of boxes, got None"),
        ("boxes", {"face_boxes": None, "hand_boxes": []}, "'face_boxes' must be a list of boxes, got None"),
        ("boxes", {"objects": None}, "needs 'face_boxes' and 'hand_boxes', or 'objects'"),
    ],
)
def test_a_bad_line_is_left_out_with_its_reason(source, tmp_path, layout, changes, reason):
    (tmp_path / "secret.png").write_bytes((source / "images/000000.png").read_bytes())
    export_folder(source, tmp_path / "other", layout)
    Image.new("RGB", (9, 5)).save(tmp_path / "other/wide.png")
    rewrite(tmp_path / "other", 1, **changes)
    done = import_folder(tmp_path / "other", tmp_path / "back", layout, progress=False)
    assert (done.kept, done.unreadable) == (2, 1)
    (rejected,) = lines(tmp_path / "back/rejected.jsonl")
    assert re.search(reason, rejected["reason"])
    assert len(list((tmp_path / "back/images").rglob("*.png"))) == 2


def test_nothing_is_overwritten_and_nothing_is_half_written(source, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/letter.txt").write_text("dear")
    with pytest.raises(ValueError, match="mine exists"):
        export_folder(source, tmp_path / "mine", "boxes")
    with pytest.raises(ValueError, match="holds something else"):
        import_folder(source, tmp_path / "mine", "boxes")
    with pytest.raises(ValueError, match="layout: must be released or boxes, got 'coco'"):
        export_folder(source, tmp_path / "new", "coco")
    rewrite(source, 2, hand_mask_file_name="../../elsewhere.png")
    with pytest.raises(ValueError, match="line 3: 'hand_mask_file_name' leaves the data set's folder"):
        export_folder(source, tmp_path / "new", "released")
    (source / "metadata.jsonl").write_text("no json\n")
    with pytest.raises(ValueError, match="line 1: not a JSON object"):
        import_folder(source, tmp_path / "new", "boxes")
    assert {path.name for path in tmp_path.iterdir()} == {"mine", "source"}
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["letter.txt"]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"workers": 0}, "workers: must be a whole number of at least 1, got 0"),
        ({"max_pixels": 0}, "max_pixels: must be a whole number of at least 1, got 0"),
        ({"dilation": float("inf")}, "dilation: must be at least 0 and finite, got inf"),
        ({}, "line 4: not a JSON object"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(source, tmp_path, changes, message):
    export_folder(source, tmp_path / "boxes", "boxes")
    if not changes:
        with (tmp_path / "boxes/metadata.jsonl").open("ab") as listing:
            listing.write(b"{'no': JSON}\n")
    with pytest.raises(ValueError, match=message):
        import_folder(tmp_path / "boxes", tmp_path / "back", "boxes", progress=False, **changes)
    assert not (tmp_path / "back").exists()


def test_an_image_named_twice_is_there_twice_also_after_a_kill(source, tmp_path, monkeypatch):
    export_folder(source, tmp_path / "boxes", "boxes")
    rewrite(tmp_path / "boxes", 2, file_name="images/000000.png")

    def run(out):
        import_folder(tmp_path / "boxes", tmp_path / out, "boxes", progress=False)
        return [(entry["original"], entry["text"]) for entry in lines(tmp_path / out / "metadata.jsonl")]

    whole = run("whole")
    assert [text for _, text in whole] == ["person 0", "person 2", "person 1"]
    work, calls = _import._import_line, []

    def killed(*arguments):
        calls.append(arguments)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return work(*arguments)

    monkeypatch.setattr(_import, "_import_line", killed)
    with pytest.raises(KeyboardInterrupt):
        run("killed")
    monkeypatch.setattr(_import, "_import_line", work)
    assert run("killed") == whole
