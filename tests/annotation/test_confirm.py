"""What was found in a photograph becomes a mask only once it is confirmed."""

import json
from types import SimpleNamespace

import numpy as np
import pytest
from damaged import photograph
from PIL import Image

from fairhuman.boxes import iou
from fairhuman.data.annotation import AnnotateSettings, _photo, annotate
from fairhuman.data.review import write_page
from fairhuman.data.store import draw_boxes
from fairhuman.detectors import Detection, Face, Hand, _photograph
from fairhuman.detectors._confirm import Confirmer, confirmed
from fairhuman.images import read_mask

SIDE = 400


def apart(random, count):
    """Boxes of whole pixels of which no two touch."""
    cells = random.choice(25, count, replace=False)
    low = random.integers(2, 20, (count, 2)) + 80 * np.column_stack([cells % 5, cells // 5])
    high = low + random.integers(12, 58, (count, 2))
    return [tuple(map(float, box)) for box in np.hstack([low, high])]


def face(box, score=0.9):
    return Face(score, box, np.zeros((6, 2)))


def hand(box):
    (x0, y0, x1, y1), rest = box, np.zeros((19, 3))
    return Hand(0.9, "left", box, np.vstack([[(x0, y0, 0), (x1, y1, 0)], rest + [x0, y0, 0]]))


@pytest.mark.parametrize("seed", range(20))
def test_what_is_found_is_either_confirmed_or_not_whatever_the_order(seed):
    random = np.random.default_rng(seed)
    boxes = apart(random, 12)
    times = dict(zip(boxes, random.integers(1, 5, 12), strict=True))
    seen, trusted = set(boxes[:3]), boxes[3:5]
    found = [face(box) for box in boxes for _ in range(times[box])]
    looked = []

    def again(item):
        looked.append(item.box)
        return item.box in seen

    expected = {box for box in boxes if times[box] >= 3 or box in seen or box in trusted}
    for order in (found, [found[index] for index in random.permutation(len(found))]):
        sure, unsure = confirmed(order, trusted, again)
        assert {item.box for item in sure} == expected
        assert {item.box for item in unsure} == set(boxes) - expected
        assert len(sure) + len(unsure) == len(boxes)
    assert set(looked) == {box for box in boxes if times[box] < 3 and box not in trusted}


@pytest.mark.parametrize("seed", range(4))
def test_only_what_is_confirmed_becomes_a_mask(seed, tmp_path, monkeypatch):
    random = np.random.default_rng(seed)
    boxes = apart(random, 12)
    faces, no_faces, hands, no_hands = (boxes[start : start + 3] for start in (0, 3, 6, 9))
    found = Detection(
        SIDE, SIDE, tuple(map(face, faces)), (), tuple(map(hand, hands)),
        unconfirmed_faces=tuple(map(face, no_faces)), unconfirmed_hands=tuple(map(hand, no_hands)),
    )  # fmt: skip
    monkeypatch.setattr(_photo, "_detector", lambda *options: lambda pixels: found)
    pixels = random.integers(0, 255, (SIDE, SIDE, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "0.png")
    settings = AnnotateSettings(min_side=1, min_person=0, hand_padding=0, dilation=0, caption="people")
    source = SimpleNamespace(name="0.png", path=tmp_path / "0.png", key="0", problem="")
    entry = _photo.annotate_photograph(source, tmp_path, settings, {})
    for region, there, others in (("face", faces, no_faces), ("hand", hands, no_hands)):
        mask = read_mask(tmp_path / entry[f"{region}_mask_file_name"]).pixels > 0
        assert (mask == (draw_boxes(there, (SIDE, SIDE), 0) > 0)).all()
        assert not (mask & (draw_boxes(others, (SIDE, SIDE), 0) > 0)).any()
        assert {tuple(box) for box in entry[f"unconfirmed_{region}_boxes"]} == set(others)


def test_a_photograph_in_which_nothing_is_confirmed_says_so(tmp_path, monkeypatch):
    found = Detection(SIDE, SIDE, (), (), (), unconfirmed_faces=(face((9.0, 9.0, 50.0, 50.0)),))
    monkeypatch.setattr(_photo, "_detector", lambda *options: lambda pixels: found)
    Image.new("RGB", (SIDE, SIDE)).save(tmp_path / "0.png")
    source = SimpleNamespace(name="0.png", path=tmp_path / "0.png", key="0", problem="")
    entry = _photo.annotate_photograph(source, tmp_path, AnnotateSettings(min_side=1, caption="a table"), {})
    assert entry == {"original": "0.png", "kind": "filtered", "reason": "nobody found: 1 not confirmed"}


@pytest.fixture(scope="module")
def confirmer():
    made = Confirmer(0.5)
    yield made
    made.close()


def test_a_real_face_is_confirmed_and_a_flag_is_not(confirmer):
    """Faces as a mistaken detector might give them: boxes all over the photograph."""
    picture, there = photograph(), (171.0, 147.0, 366.0, 341.0)
    assert confirmer.face(picture, face(there))
    random = np.random.default_rng(0)
    drawn = random.uniform((0, 0, 30), (480, 560, 200), (25, 3))
    boxes = [(x, y, x + side, y + side) for x, y, side in drawn]
    elsewhere = [box for box in boxes if iou(box, there) == 0]
    assert len(elsewhere) >= 5
    for box in elsewhere:
        assert not confirmer.face(picture, face(box))
        assert not confirmer.hand(picture, hand(box))


def test_a_mistake_of_the_search_reaches_no_mask_with_any_number_of_workers(tmp_path, monkeypatch):
    """A detector that sees a face on the uniform too: the annotation is as without it, but for the list."""
    wrong = (60.0, 430.0, 190.0, 560.0)
    search = _photograph.FaceModel.__call__

    def mistaken(self, pixels, region):
        far_and_whole = self._options["model_selection"] and (region.x0, region.y0) == (0, 0)
        more = (face(wrong, 0.99),) if far_and_whole else ()
        return *more, *search(self, pixels, region)

    (tmp_path / "in").mkdir()
    photograph().save(tmp_path / "in" / "0.png")
    settings = AnnotateSettings(min_side=300, scales=1, caption="an officer")
    lines = []
    for name in ("right", "mistaken"):
        if name == "mistaken":
            monkeypatch.setattr(_photograph.FaceModel, "__call__", mistaken)
        _photo._detector.cache_clear()
        source = SimpleNamespace(name="0.png", path=tmp_path / "in" / "0.png", key="0", problem="")
        lines.append(_photo.annotate_photograph(source, tmp_path / name, settings, {}))
    _photo._detector.cache_clear()
    right, mistaken_line = lines
    assert mistaken_line.pop("unconfirmed_face_boxes") == [list(wrong)]
    assert right.pop("unconfirmed_face_boxes") == [] and right == mistaken_line
    assert right["face_boxes"]


def test_the_report_counts_and_the_page_shows_what_is_not_confirmed(tmp_path):
    (tmp_path / "in").mkdir()
    photograph().save(tmp_path / "in" / "0.png")
    settings = AnnotateSettings(min_side=300, scales=1, caption="an officer")
    folders = [tmp_path / f"out{workers}" for workers in (1, 2)]
    for workers, out in zip((1, 2), folders, strict=True):
        annotate(tmp_path / "in", out, settings, workers=workers, progress=False)
    texts = [(out / "metadata.jsonl").read_text() for out in folders]
    assert texts[0] == texts[1]
    entry = json.loads(texts[0])
    report = json.loads((folders[0] / "report.json").read_text())
    assert report["unconfirmed"] == {
        region: len(entry[f"unconfirmed_{region}_boxes"]) for region in ("face", "hand")
    }
    entry["unconfirmed_face_boxes"] = [[60, 430, 190, 560]]
    (folders[0] / "metadata.jsonl").write_text(json.dumps(entry) + "\n")
    page = write_page(folders[0]).read_text(encoding="utf-8")
    assert '"unconfirmed": {"face": [[60, 430, 190, 560]]' in page
