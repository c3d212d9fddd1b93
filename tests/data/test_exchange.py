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
    with pytest.raises(ValueError, match="layout: must be released or boxes or kohya, got 'coco'"):
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
        ({"workers": 0}, "workers: must be an integer of at least 1, got 0"),
        ({"max_pixels": 0}, "max_pixels: must be a whole number of at least 1, got 0"),
        ({"dilation": float("inf")}, "dilation: must be at least 0 and finite, got inf"),
        ({"region": "face"}, "region: is for the layout kohya, got 'face'"),
        ({"layout": "kohya", "region": "nose"}, "region: must be face or hand, got 'nose'"),
    ],
)
def test_what_is_wrong_is_said_before_anything_is_written(source, tmp_path, changes, message):
    export_folder(source, tmp_path / "boxes", "boxes")
    with pytest.raises(ValueError, match=message):
        import_folder(tmp_path / "boxes", tmp_path / "back", **{"layout": "boxes"} | changes)
    assert not (tmp_path / "back").exists()


def bad_line(**changes):
    entry = {"file_name": "images/000000.png", "text": "a woman", "face_boxes": [], "hand_boxes": []}
    return json.dumps(entry | changes).encode()


BAD_LINES = {
    b"{'no': JSON}": "line 1: not a JSON object",
    b"\xff\xfe": "line 2: not a JSON object",
    b"[" * 100_000: "line 3: not a JSON object",
    b'{"text": "nothing"}': "line 4: 'file_name' must name a file, got None",
    bad_line(file_name="a\ud83d.png"): "surrogates",
    bad_line(file_name="a\0"): "null",
    bad_line(text="half \ud83d"): "surrogates",
    bad_line(face_boxes=[[1, 1, float("inf"), 9]]): "four finite numbers",
    bad_line(face_boxes=[[1, 1, 10**400, 9]]): "four finite numbers",
}


def test_bad_lines_are_listed_and_the_rest_goes_on(source, tmp_path):
    export_folder(source, tmp_path / "boxes", "boxes")
    listing = tmp_path / "boxes/metadata.jsonl"
    good = listing.read_bytes()
    listing.write_bytes(b"\xef\xbb\xbf" + b"\n".join(BAD_LINES) + b"\n" + good)
    done = import_folder(tmp_path / "boxes", tmp_path / "back", "boxes", progress=False)
    assert (done.kept, done.unreadable) == (3, len(BAD_LINES))
    reasons = [line["reason"] for line in lines(tmp_path / "back/rejected.jsonl")]
    for expected in BAD_LINES.values():
        assert any(expected in reason for reason in reasons), expected
    assert len(HumanFolder(tmp_path / "back")) == 3


def test_a_checkerboard_is_no_mask_of_millions_of_faces(source, tmp_path):
    export_folder(source, tmp_path / "released", "released")
    board = np.indices((40, 56)).sum(0) % 2 == 0
    Image.fromarray(board).save(tmp_path / "released/mask_face/000001.png")
    done = import_folder(tmp_path / "released", tmp_path / "back", "released", progress=False)
    (rejected,) = lines(tmp_path / "back/rejected.jsonl")
    assert done.kept == 2 and rejected["reason"] == "mask_face must have at most 1000 parts, got 1120"


def test_a_trainer_s_folder_there_and_back(source, tmp_path):
    rewrite(source, 0, repeats=3)
    assert export_folder(source, tmp_path / "kohya", "kohya", regions=["face"]) == 3
    names = {str(path.relative_to(tmp_path / "kohya")) for path in (tmp_path / "kohya").rglob("*.*")}
    files = {f"{'3' if index == 0 else '1'}_people/00000{index}" for index in range(3)}
    assert names == {f"{file}{end}" for file in files for end in (".png", ".txt", "-masklabel.png")}
    (tmp_path / "kohya/1_people/000001.npz").write_bytes(b"a cache")
    with pytest.raises(ValueError, match="region: must say what masks are of"):
        import_folder(tmp_path / "kohya", tmp_path / "back", "kohya", progress=False)
    done = import_folder(tmp_path / "kohya", tmp_path / "back", "kohya", region="face", progress=False)
    assert (done.kept, done.unreadable) == (3, 0)
    with pytest.raises(ValueError, match="'hand_mask_file_name' is missing"):
        HumanFolder(tmp_path / "back")
    data = HumanFolder(tmp_path / "back", regions=["face"])
    assert {record.text: record.repeats for record in data.records} == {
        "person 0": 3, "person 1": 1, "person 2": 1
    }  # fmt: skip
    before = {sample.text: sample for sample in HumanFolder(source)}
    for sample in data:
        assert np.array_equal(sample.image, before[sample.text].image)
        assert np.array_equal(sample.masks["face"], before[sample.text].masks["face"])
        assert sample.boxes["face"] == before[sample.text].boxes["face"]


def test_words_of_a_folder_and_what_a_trainer_s_folder_lacks(source, tmp_path):
    images = sorted((source / "images").iterdir())
    folder = tmp_path / "kohya/10_sks woman"
    (tmp_path / "kohya/5_").mkdir(parents=True)
    folder.mkdir()
    for index, image in enumerate(images):
        (folder / f"{index}.png").write_bytes(image.read_bytes())
    (tmp_path / "kohya/5_/a.png").write_bytes(images[0].read_bytes())
    (folder / "0.caption").write_text("a woman\nwaves\n")
    (folder / "2.txt").write_bytes("à la fenêtre".encode("cp1252"))
    result = CliRunner().invoke(
        app, ["import", str(tmp_path / "kohya"), str(tmp_path / "a"), "--layout", "kohya"]
    )
    assert result.exit_code == 1, result.output
    found = {entry["original"]: entry for entry in lines(tmp_path / "a/metadata.jsonl")}
    captions = ["a woman waves", "sks woman", "à la fenêtre"]
    assert [found[f"10_sks woman/{index}.png"]["text"] for index in range(3)] == captions
    assert found["10_sks woman/2.png"]["converted"] == "caption not UTF-8, read as Windows-1252"
    assert [line["reason"][:10] for line in lines(tmp_path / "a/rejected.jsonl")] == ["no caption"]
    done = import_folder(tmp_path / "kohya", tmp_path / "b", "kohya", region="hand", progress=False)
    assert (done.kept, done.unreadable) == (0, 4)
    assert lines(tmp_path / "b/rejected.jsonl")[0]["reason"] == "no mask: 0-masklabel.png must lie beside it"


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
