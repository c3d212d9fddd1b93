"""The regions explorer shows what was detected, and moves by mouse and keyboard."""

import json

import numpy as np
import pytest
import traitlets
from people import write_folder
from PIL import Image

from fairhuman import explorers
from fairhuman.data import HumanFolder
from fairhuman.detectors import Detection, Face, Hand, Palm
from fairhuman.evaluation import expected_regions

pytest.importorskip("anywidget")
SIZE = (64, 48)  # height, width


def detection(face=None, hand=None):
    """What was found in an image of 96 × 128 pixels, twice the render's size."""
    faces = () if face is None else (Face(face, (20, 10, 52, 44), None),)
    near = () if face is None else (Face(0.6, (18, 8, 50, 40), None),)
    hands = () if hand is None else (Hand(hand, "left", (60, 80, 90, 120), None),)
    return Detection(96, 128, faces, near, hands, tuple(Palm(0.7, one.box) for one in hands))


@pytest.fixture(autouse=True)
def forgetful(monkeypatch):
    """Where another test left an explorer is no start of this one's."""
    monkeypatch.setattr("fairhuman.explorers._explorer._KEPT", {})


@pytest.fixture
def records(tmp_path):
    entries = write_folder(tmp_path, count=4, size=SIZE, seed=3)
    for entry, framing in zip(entries, ("near", "far", "near", "far"), strict=True):
        entry |= {"attributes": {"framing": framing}, "face_yaw": 0.0, "text": "Two </script> <b>hands</b>"}
    (tmp_path / "metadata.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return HumanFolder(tmp_path).records


def make(records, **start):
    draw = np.random.default_rng(0)
    images = {
        name: [draw.integers(0, 255, (128, 96, 3), np.uint8) for _ in records]
        for name in ("base", "lora-mpd")
    }
    found = {
        "base": [detection(0.9, 0.8), detection(), detection(face=0.7), detection(hand=0.95)],
        "lora-mpd": [detection(0.5 + 0.1 * i, 0.6 + 0.1 * i) for i in range(4)],
    }
    return explorers.RegionExplorer(images, found, records, **start)


def test_boxes_and_squares_are_shares_of_the_image(records):
    base = make(records).systems[0]["images"]
    found = {one["detector"]: one for one in base[0]["found"]}
    assert list(found) == ["face", "face_short", "hand", "palm"]
    assert found["face"]["box"] == pytest.approx([20 / 96, 10 / 128, 52 / 96, 44 / 128], abs=1e-4)
    assert found["hand"]["score"] == base[0]["scores"]["hand"] == 0.8
    x0, y0, x1, y1 = base[0]["squares"]["face"]  # twice the face's longer side, and square in pixels
    assert (x1 - x0) * 96 == pytest.approx(68, abs=0.1) == (y1 - y0) * 128
    assert base[1]["found"] == [] and base[1]["scores"] == {"face": 0.0, "hand": 0.0}
    # Where nothing was found: around the render's face, of half the size here.
    x0, y0, x1, y1 = base[1]["squares"]["face"]
    face = np.array(records[1].boxes["face"])
    assert x0 * SIZE[1] <= face[0] and face[2] <= x1 * SIZE[1] + 0.1
    assert y0 * SIZE[0] <= face[1] and face[3] <= y1 * SIZE[0] + 0.1


def test_areas_are_those_that_were_asked_for(records):
    truth = expected_regions(records)
    for region in ("face", "hand"):
        shown = make(records).captions
        assert [one["areas"][region] for one in shown] == truth[f"{region}_area"].tolist()
        assert [one["asked"][region] for one in shown] == truth[f"{region}_expected"].tolist()


def test_all_pictures_are_stored_within_the_limit_and_the_one_shown_at_full_size(records):
    small = make(records, limit=30_000)
    kept = [one["image"] for system in small.systems for one in system["images"]]
    assert len(kept) == 8 and sum(map(len, kept)) <= 30_000
    before = small.sharp["image"]
    assert small.sharp["at"] == ["lora-mpd", 0] and len(before) > len(small.systems[1]["images"][0]["image"])
    small.system, small.caption = "base", 2
    assert small.sharp["at"] == ["base", 2] and small.sharp["image"] != before
    with pytest.raises(ValueError, match="limit: 8 pictures"):
        make(records, limit=100)


def test_mouse_and_keys_move_it(records, chromium, tmp_path):
    explorer = make(records, region="face")
    file = tmp_path / "regions.html"
    file.write_text(explorer.page("Regions"), encoding="utf-8")
    order = sorted(range(4), key=lambda i: explorer.captions[i]["areas"]["face"])
    with chromium() as context:
        page, complaints = context.new_page(), []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda one: complaints.append(one.url) if one.url.startswith("http") else None)
        page.goto(file.as_uri())
        status, table = page.get_by_role("status"), page.locator("tbody tr[data-detector=face] td")

        def expect(caption, system):
            shown = explorer.systems[("base", "lora-mpd").index(system)]["images"][caption]
            best = shown["scores"]["face"]
            assert page.locator("select[name=caption]").input_value() == str(caption)
            assert page.locator("select[name=system]").input_value() == system
            assert table.last.inner_text() == (f"{best:.2f}" if best else "–")
            assert ("none is found" in status.inner_text()) == (best == 0)
            boxes = page.locator("[data-view=image] rect").count()
            assert boxes == len(shown["found"])
            assert page.locator(".ring").count() == 1

        expect(0, "lora-mpd")
        assert page.locator(".point").count() == 8
        # By mouse, to what was missed.
        page.locator('[data-at="base 1"] .target').click()
        expect(1, "base")
        assert "where the render has it" in page.locator("[data-view=face]").inner_text()
        # By keys: to the smallest, to the next, to the other system.
        axis = page.locator("svg.plot")
        axis.focus()
        for _ in range(4):
            page.keyboard.press("ArrowLeft")
        expect(order[0], "base")
        page.keyboard.press("ArrowRight")
        expect(order[1], "base")
        page.keyboard.press("ArrowDown")
        expect(order[1], "lora-mpd")
        assert axis.get_attribute("aria-valuenow") == "1"
        # A framing leaves its captions alone.
        page.select_option("select[name=framing]", "far")
        assert page.locator(".point").count() == 4
        assert page.locator("select[name=caption] option").count() == 2
        page.select_option("select[name='region on the axis']", "hand")
        assert "hand" in status.inner_text()
        assert complaints == []


def test_it_goes_on_where_it_was_left_when_its_cell_runs_again(records):
    first = make(records)
    first.caption, first.system, first.framing = 3, "base", "far"
    again = make(records)
    assert (again.caption, again.system, again.framing) == (3, "base", "far")
    assert again.sharp["at"] == ["base", 3]
    assert make(records, caption=1).caption == 1  # other starting values: another explorer


def test_what_a_notebook_stores_is_a_picture_and_makes_the_page_again(records):
    explorer = make(records)
    bundle, _ = explorer._repr_mimebundle_()
    assert bundle["image/png"].startswith("iVBOR")
    stored = bundle[explorers.MIME]
    assert explorers.fragment(stored["explorer"], stored["values"]) == explorer.fragment()
    assert explorer.fragment().count("</script>") == 2  # the caption's is no end of a script


@pytest.mark.parametrize(
    "wrong", [{"caption": 4}, {"caption": -1}, {"system": "sum"}, {"framing": "wide"}, {"region": "foot"}]
)
def test_values_out_of_range_are_refused(records, wrong):
    with pytest.raises(traitlets.TraitError, match=next(iter(wrong))):
        make(records, **wrong)


def test_images_that_do_not_fit_are_refused(records):
    one = Image.new("RGB", (96, 128))
    for images, found in (
        ({}, {}),
        ({"base": [one]}, {"base": [detection()] * 4}),
        ({"base": [one] * 4}, {}),
    ):
        with pytest.raises(ValueError, match="images: "):
            explorers.RegionExplorer(images, found, records)
