"""Annotations looked through: what a person strikes out on the page is what the data set loses."""

import json

import numpy as np
import pytest
from PIL import Image

from fairhuman.data import HumanFolder
from fairhuman.data.pose import draw_pose
from fairhuman.data.review import apply_review, read_decisions, write_page
from fairhuman.data.review._decisions import Decision
from fairhuman.data.store import draw_boxes

NAMES = [f"images/0{i}/0{i}.png" for i in range(4)]
FACES = [[10, 10, 30, 30], [25, 20, 50, 45]]  # they overlap
HANDS = [[60, 60, 80, 90], [5, 60, 25, 90]]
SIZE = 100


def points(count, seed):
    places = np.random.default_rng(seed).uniform(5, 95, (count, 2))
    return np.column_stack([places, np.full(count, 2.0)])


@pytest.fixture
def data(tmp_path):
    root = tmp_path / "data"
    body, hand = points(17, 0), points(21, 1)
    grids = {
        "file_name": np.full((SIZE, SIZE, 3), 120, np.uint8),
        "face_mask_file_name": draw_boxes(FACES, (SIZE, SIZE), 0),
        "hand_mask_file_name": draw_boxes(HANDS, (SIZE, SIZE), 0),
        "pose_file_name": draw_pose(body, hand, None, SIZE),
    }
    lines = []
    for name in NAMES:
        files = {key: name.replace("images", key.split("_")[0]) for key in grids} | {"file_name": name}
        for key, grid in grids.items():
            (root / files[key]).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(grid).save(root / files[key])
        lines.append({
            **files, "text": "two people", "width": SIZE, "height": SIZE, "face_box": FACES[1],
            "face_boxes": FACES, "hand_boxes": HANDS, "left_hand_box": HANDS[0], "right_hand_box": HANDS[1],
            "keypoints": body.tolist(), "left_hand_keypoints": hand.tolist(), "right_hand_keypoints": None,
        })  # fmt: skip
    (root / "metadata.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return root


def saved(tmp_path, struck):
    path = tmp_path / "review.json"
    path.write_text(json.dumps({"dataset": "any", "struck": struck}))
    return [path]


def contents(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


def test_what_is_struck_out_is_gone_and_nothing_else(data, tmp_path):
    before = contents(data)
    struck = {NAMES[0]: {"image": True}, NAMES[1]: {"face": [FACES[1]], "hand": [HANDS[0]]}}
    done = apply_review(data, read_decisions(saved(tmp_path, struck)))
    assert (done.images, done.boxes, done.left) == (1, 2, 3)
    records = HumanFolder(data, conditions=("pose",)).records
    assert [str(record.image.relative_to(data)) for record in records] == NAMES[1:]
    first = HumanFolder(data, conditions=("pose",))[0]
    # The other face keeps all of its own mask, also where both had covered it.
    assert np.array_equal(first.masks["face"], draw_boxes(FACES[:1], (SIZE, SIZE), 0))
    assert np.array_equal(first.masks["hand"], draw_boxes(HANDS[1:], (SIZE, SIZE), 0))
    assert first.boxes["face"] == tuple(FACES[0]) and first.boxes["left_hand"] is None
    assert "left_hand" not in first.keypoints
    assert np.array_equal(first.pose, draw_pose(points(17, 0), None, None, SIZE))
    after = contents(data)
    touched = {name for name in before if before[name] != after.get(name)}
    assert touched == {"metadata.jsonl"} | {
        name for name in before if name.endswith("/00/00.png")
    } | {f"{kind}/01/01.png" for kind in ("face", "hand", "pose")}  # fmt: skip
    assert json.loads((data / "rejected.jsonl").read_text())["kind"] == "struck out"


def test_applied_again_or_after_a_kill_it_is_the_same(data, tmp_path, monkeypatch):
    struck = {NAMES[0]: {"image": True}, NAMES[1]: {"face": FACES[:1], "pose": True}}
    decisions = read_decisions(saved(tmp_path, struck))
    copy = tmp_path / "copy"
    for name, content in contents(data).items():
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes(content)
    apply_review(copy, decisions)
    once = contents(copy)
    apply_review(copy, decisions)
    assert contents(copy) == once

    from fairhuman.data.review import _apply

    write = _apply.write_lines

    def killed(path, entries):
        if path.name == "metadata.jsonl":
            raise KeyboardInterrupt
        write(path, entries)

    monkeypatch.setattr(_apply, "write_lines", killed)
    with pytest.raises(KeyboardInterrupt):
        apply_review(data, decisions)
    monkeypatch.setattr(_apply, "write_lines", write)
    apply_review(data, decisions)
    assert contents(data) == once


@pytest.mark.parametrize(
    ("struck", "message"),
    [
        ({"../secret.png": {"image": True}}, "has no image '../secret.png'"),
        ({NAMES[0]: {"face": [[1, 2, 3, 4]]}}, r"has no face box \[1, 2, 3, 4\]"),
        ({NAMES[0]: {"face": [[1, 2, 3]]}}, "a box must be four numbers"),
        ({name: {"image": True} for name in NAMES}, "no image .* would be left"),
        (["a"], "has no saved decisions"),
    ],
)
def test_decisions_that_do_not_fit_change_nothing(data, tmp_path, struck, message):
    before = contents(data)
    with pytest.raises(ValueError, match=message):
        apply_review(data, read_decisions(saved(tmp_path, struck)))
    assert contents(data) == before


def test_a_page_is_refused_where_a_line_leaves_the_folder(data, tmp_path):
    (tmp_path / "outside.png").write_bytes((data / NAMES[0]).read_bytes())
    listing = data / "metadata.jsonl"
    listing.write_text(listing.read_text().replace(NAMES[2], "../outside.png", 1))
    with pytest.raises(ValueError, match=r"line 3: 'file_name' leaves the data set's folder"):
        write_page(data)
    assert not list(data.glob("review*"))


def test_nothing_is_drawn_or_deleted_where_a_line_leaves_the_folder(data, tmp_path):
    (tmp_path / "precious.png").write_bytes(b"mine")
    listing = data / "metadata.jsonl"
    listing.write_text(listing.read_text().replace("pose/00/00.png", "../precious.png", 1))
    for struck in ({"image": True}, {"pose": True}):
        with pytest.raises(ValueError, match="'pose_file_name' leaves the data set's folder"):
            apply_review(data, read_decisions(saved(tmp_path, {NAMES[0]: struck})))
    assert (tmp_path / "precious.png").read_bytes() == b"mine"


def test_a_caption_cannot_end_the_page_or_keep_it_from_ending(data):
    listing = data / "metadata.jsonl"
    caption = "a sign: <!--<script> and </script>\u2028"
    listing.write_text(listing.read_text().replace("two people", caption, 1), encoding="utf-8")
    page = write_page(data).read_text(encoding="utf-8")
    content = page.split('id="data">')[1].split("</script>")[0]
    assert "<" not in content
    assert json.loads(content)["entries"][0]["text"] == caption


def test_a_review_by_mouse_and_keyboard_is_kept_saved_and_applied(data, chromium, tmp_path):
    address = write_page(data).as_uri()

    def struck(page):
        return json.loads(page.input_value("#text"))["struck"]

    with chromium() as context:
        context.set_offline(True)
        page = context.pages[0]
        page.goto(address)
        tiles = page.locator(".tile")
        assert tiles.count() == len(NAMES)
        assert page.locator("svg image").evaluate_all(
            "(all) => Promise.all(all.map(async (shown) => { const image ="
            "new Image(); image.src = shown.href.baseVal; await image.decode(); return image.width; }))"
        ) == [SIZE] * 3 * len(NAMES)
        above = {"x": 9, "y": 3}  # where no other box lies
        tiles.nth(1).locator(".face.box").first.click(position=above)
        assert struck(page) == {NAMES[1]: {"image": False, "pose": False, "face": FACES[:1], "hand": []}}
        tiles.nth(1).locator(".hand.box").last.click(position=above)
        tiles.nth(1).locator(".hand.box").last.click(position=above)  # taken back
        for key in ("ArrowRight", "x", "ArrowRight", "p", "h", "Enter"):
            page.keyboard.press(key)
        assert tiles.count() == 1  # large
        expected = {
            NAMES[1]: {"image": False, "pose": False, "face": FACES[:1], "hand": []},
            NAMES[2]: {"image": True, "pose": False, "face": [], "hand": []},
            NAMES[3]: {"image": False, "pose": True, "face": [], "hand": HANDS},
        }
        assert struck(page) == expected
    with chromium() as context:  # closed and opened again
        page = context.pages[0]
        page.goto(address)
        assert struck(page) == expected
        with page.expect_download() as download:
            page.click("#save")
        file = tmp_path / download.value.suggested_filename
        assert file.name == "review.json"
        download.value.save_as(file)
        page.on("dialog", lambda dialog: dialog.accept())
        page.click("#forget")
        assert struck(page) == {} and page.evaluate("localStorage.getItem(slot)") == "{}"
    apply_review(data, read_decisions([file]))
    samples = HumanFolder(data, conditions=("pose",))
    assert [str(record.image.relative_to(data)) for record in samples.records] == [
        NAMES[0],
        NAMES[1],
        NAMES[3],
    ]
    assert np.array_equal(samples[1].masks["face"], draw_boxes(FACES[1:], (SIZE, SIZE), 0))
    assert not samples[2].masks["hand"].any() and not samples[2].pose.any()


def test_a_data_set_that_cannot_be_written_to_is_reviewed_elsewhere(data, tmp_path):
    before = contents(data)
    page = write_page(data, out=tmp_path / "pages")
    assert page == tmp_path / "pages/review.html" and f'"root": "{data.as_uri()}/"' in page.read_text()
    struck = {NAMES[0]: {"image": True}, NAMES[1]: {"face": [FACES[1]]}}
    decisions = read_decisions(saved(tmp_path, struck))
    with pytest.raises(ValueError, match="no face box"):
        apply_review(data, {NAMES[1]: Decision(face=frozenset({(1, 1, 2, 2)}))}, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()
    done = apply_review(data, decisions, tmp_path / "copy")
    assert contents(data) == before
    apply_review(data, decisions)
    assert (contents(tmp_path / "copy"), done.left) == (contents(data), 3)
    with pytest.raises(ValueError, match="out: must be a new folder, got .*copy, which exists"):
        apply_review(data, {}, tmp_path / "copy")
    assert write_page(data, out=tmp_path / "pages") == page
    page.write_text("my own page")
    with pytest.raises(ValueError, match="out: must not hold another review.html"):
        write_page(data, out=tmp_path / "pages")
