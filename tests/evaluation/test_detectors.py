"""The wrapper adds nothing to what MediaPipe finds, and loses nothing."""

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from fairhuman.detectors import (
    Body,
    Hand,
    Palm,
    PhotographDetector,
    _search,
    detect,
    detect_bodies,
    match_regions,
)
from fairhuman.detectors._detect import FacesAndHands
from fairhuman.evaluation import detect_crops, evaluate_crops

# A photograph of a face that comes with Matplotlib: Grace Hopper, by the United States Navy.
PHOTOGRAPH = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"


@pytest.fixture(scope="module")
def found():
    return detect([PHOTOGRAPH])[0]


def test_faces_equal_mediapipes_own(found):
    from mediapipe.python.solutions.face_detection import FaceDetection

    pixels = np.array(Image.open(PHOTOGRAPH).convert("RGB"))
    for range_, faces in ((1, found.faces), (0, found.short_range_faces)):
        with FaceDetection(min_detection_confidence=0.5, model_selection=range_) as model:
            (theirs,) = model.process(pixels).detections
        (ours,) = faces
        box = theirs.location_data.relative_bounding_box
        assert ours.score == pytest.approx(theirs.score[0], abs=1e-6)
        assert ours.box[0] == pytest.approx(box.xmin * 512, abs=1e-3)
        assert ours.box[3] == pytest.approx((box.ymin + box.height) * 600, abs=1e-3)
        nose = theirs.location_data.relative_keypoints[2]
        assert ours.keypoints[2] == pytest.approx([nose.x * 512, nose.y * 600], abs=1e-3)


def test_the_box_holds_the_face(found):
    x0, y0, x1, y1 = found.faces[0].box
    right_eye, left_eye, nose, mouth = found.faces[0].keypoints[:4]
    assert 0 < x0 < right_eye[0] < nose[0] < left_eye[0] < x1 < 512
    assert 0 < y0 < right_eye[1] < nose[1] < mouth[1] < y1 < 600


def test_the_form_of_the_image_does_not_matter(found, tmp_path):
    photograph = Image.open(PHOTOGRAPH).convert("RGB")
    photograph.save(tmp_path / "photo.png")
    turned = tmp_path / "turned.png"
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn by 90° to show", as cameras write it
    photograph.transpose(Image.Transpose.ROTATE_90).save(turned, exif=exif)
    forms = [photograph, np.array(photograph), str(tmp_path / "photo.png"), turned]
    assert detect(forms) == [found] * 4


def test_grey_and_sixteen_bit_images_are_read(tmp_path):
    grey = Image.open(PHOTOGRAPH).convert("L")
    deep = tmp_path / "deep.png"
    Image.fromarray(np.asarray(grey).astype(np.uint16) * 257).save(deep)
    one, other = detect([grey, deep])
    assert one == other
    assert len(one.faces) == 1


@pytest.mark.parametrize("colour", [(0, 0, 0), (255, 255, 255), (224, 172, 105)])
def test_a_blank_image_holds_nobody(colour):
    blank = np.full((96, 128, 3), colour, dtype=np.uint8)
    (detection,) = detect([blank])
    assert (detection.width, detection.height) == (128, 96)
    assert detection.faces == detection.short_range_faces == detection.hands == ()


def test_a_mirrored_photograph_has_a_mirrored_face(found):
    (mirrored,) = detect([np.array(Image.open(PHOTOGRAPH).convert("RGB"))[:, ::-1]])
    left, right = mirrored.faces[0].keypoints[[1, 0], 0]
    assert 512 - left == pytest.approx(found.faces[0].keypoints[0, 0], abs=12)
    assert 512 - right == pytest.approx(found.faces[0].keypoints[1, 0], abs=12)


def test_what_came_before_does_not_matter(found):
    blank = np.zeros((64, 64, 3), dtype=np.uint8)
    assert detect([blank, PHOTOGRAPH, blank, PHOTOGRAPH])[1::2] == [found, found]


@pytest.fixture
def eager(monkeypatch):
    """Several processes even for few images."""
    monkeypatch.setattr(_search, "IMAGES_WORTH_A_PROCESS", 2)


def test_workers_change_nothing_but_the_time(eager):
    small = np.array(Image.open(PHOTOGRAPH).convert("RGB").resize((128, 150)))
    images = [small, np.zeros_like(small)] * 10
    alone, together = detect(images), detect(images, workers=2)
    assert alone == together
    assert sum(len(d.faces) for d in alone) == 10


@pytest.mark.parametrize("workers", [1, 2])
def test_a_damaged_file_among_good_ones_is_named(tmp_path, eager, workers):
    damaged = tmp_path / "damaged.png"
    damaged.write_bytes(b"\x89PNG\r\n\x1a\nnothing more")
    good = [np.zeros((16, 16, 3), dtype=np.uint8)] * 4
    with pytest.raises(ValueError, match=r"damaged\.png cannot be read as an image"):
        detect([*good, damaged], workers=workers)


@pytest.mark.parametrize(
    ("images", "options", "error", "message"),
    [
        (["/nowhere/a.png"], {}, FileNotFoundError, "no image at /nowhere/a.png"),
        ("a.png", {}, ValueError, "images: must be a sequence of images, got the single path 'a.png'"),
        ([np.zeros((4, 4), np.uint8)], {}, ValueError, r"images\[0\].* got uint8 of shape \(4, 4\)"),
        ([np.zeros((4, 4, 3))], {}, ValueError, "got float64"),
        ([None], {}, ValueError, "got NoneType"),
        ([], {"workers": 0}, ValueError, "workers: must be an integer of at least 1, got 0"),
        ([], {"threshold": 1.5}, ValueError, r"threshold: must be in \[0, 1\], got 1.5"),
    ],
)
def test_bad_input_is_named(images, options, error, message):
    with pytest.raises(error, match=message):
        detect(images, **options)


def test_what_was_found_before_is_not_looked_for_again(found, tmp_path, monkeypatch):
    photograph = np.array(Image.open(PHOTOGRAPH).convert("RGB"))
    kept = detect([PHOTOGRAPH], cache=tmp_path)
    monkeypatch.setattr(FacesAndHands, "__call__", None)  # looking again would fail
    again = detect([photograph], cache=tmp_path)  # the same pixels, without a file's name
    assert kept == again == [found]
    assert (again[0].faces[0].keypoints == found.faces[0].keypoints).all()
    assert detect([photograph], threshold=0.5, cache=tmp_path) == [found]  # the paper's
    for other in ({"threshold": 0.6}, {"images": [photograph[::-1]]}):
        with pytest.raises(TypeError):
            detect(**({"images": [photograph], "cache": tmp_path} | other))
    monkeypatch.setattr(FacesAndHands, "identity", lambda: "a later version")
    with pytest.raises(TypeError):
        detect([photograph], cache=tmp_path)


def test_a_damaged_entry_is_looked_for_again(found, tmp_path):
    detect([PHOTOGRAPH], cache=tmp_path)
    (entry,) = tmp_path.glob("*/*.json")
    whole = entry.read_text()
    for damage in (whole[:-20], "{}", "[1]", ""):
        entry.write_text(damage)
        assert detect([PHOTOGRAPH], cache=tmp_path) == [found]
        assert entry.read_text() == whole
    assert not list(tmp_path.glob("*/*.partial"))


def test_a_body_is_kept_with_all_its_landmarks(tmp_path):
    images = [PHOTOGRAPH, np.zeros((64, 64, 3), dtype=np.uint8)]
    body, nobody = detect_bodies(images, cache=tmp_path)
    assert nobody is None and (body.width, body.height) == (512, 600)
    again, still_nobody = detect_bodies(images, cache=tmp_path)
    assert still_nobody is None and again == body and (again.landmarks == body.landmarks).all()
    for entry in tmp_path.glob("*/*.json"):
        entry.write_text('{"size": [512, 600], "at": [[1, 2, 3]]}')
    assert detect_bodies(images, cache=tmp_path) == [body, None]


def test_keypoints_are_visible_occluded_or_outside():
    landmarks = np.zeros((33, 3))
    landmarks[[0, 2, 5, 7]] = [[10, 10, 0.7], [10, 10, 0.4], [-1, 10, 0.9], [10, 50, 0.9]]
    body = Body(40, 50, landmarks)
    assert body.keypoints()[:4, 2].tolist() == [2, 1, 0, 0]
    assert body.keypoints(least=0.3)[:4, 2].tolist() == [2, 2, 0, 0]
    assert (landmarks[0] == [10, 10, 0.7]).all()  # left as they were


def test_a_wrist_has_the_middle_of_the_hand_and_the_length_of_the_forearm():
    landmarks = np.zeros((33, 3))
    landmarks[[11, 12], 0] = 10, 30  # shoulders
    landmarks[[13, 15, 17, 19, 21], :2] = [[0, 0], [30, 40], [34, 40], [30, 44], [26, 36]]
    wrists = Body(100, 100, landmarks).wrists()
    assert wrists["left"] == (30, 40, 50)
    assert wrists["right"] == (0, 0, pytest.approx(14))  # no forearm is that short


def test_a_hand_without_landmarks_is_its_box():
    hand = Hand(None, None, (2.0, 4.0, 6.0, 12.0), None)
    assert hand.middle == (4, 8)
    assert hand.outline.min(axis=0).tolist() == [2, 4] and hand.outline.max(axis=0).tolist() == [6, 12]
    points = np.random.default_rng(0).uniform(0, 9, (21, 3))
    with_landmarks = Hand(0.9, "left", (0.0, 0.0, 9.0, 9.0), points)
    assert with_landmarks.middle == pytest.approx(points[:, :2].mean(axis=0))


def test_at_one_scale_a_photograph_shows_what_it_shows_as_a_whole(found):
    """Below 640 pixels nothing is shrunk, so both ways see the same."""
    detector = PhotographDetector(threshold=0.5, scales=1)
    seen = detector(np.array(Image.open(PHOTOGRAPH).convert("RGB")))
    detector.close()
    best = max(*found.faces, *found.short_range_faces, key=lambda face: face.score)
    assert seen.faces == (best,)  # both models' faces are one
    assert (seen.body.landmarks == detect_bodies([PHOTOGRAPH])[0].landmarks).all()


def test_only_what_lies_in_its_box_counts(found):
    x0, y0, x1, y1 = found.faces[0].box
    there, beside = (x0, y0, x1, y1), (x1, y0, x1 + 50, y1)
    matched = match_regions([found] * 3, [{"face": there}, {"face": beside}, {"left_hand": there}])
    assert [len(one.faces) for one in matched] == [1, 0, 0]
    assert matched[0].faces == found.faces
    hand = Hand(0.9, "left", (0.0, 0.0, 10.0, 10.0), np.full((21, 3), 5.0))
    palm = Palm(0.8, (2.0, 2.0, 6.0, 6.0))
    handed = replace(found, hands=(hand,), palms=(palm,))
    kept = match_regions([handed] * 2, [{"right_hand": (0, 0, 10, 10)}, {"face": (0, 0, 10, 10)}])
    assert [(len(one.hands), len(one.palms)) for one in kept] == [(1, 1), (0, 0)]
    with pytest.raises(ValueError, match="got 1 and 2"):
        match_regions([found], [{}, {}])


def test_a_face_too_small_to_be_found_is_found_in_its_crop():
    photograph = Image.open(PHOTOGRAPH).convert("RGB")
    scene = Image.new("RGB", (1024, 1024), (90, 110, 100))
    scene.paste(photograph.resize((51, 60)), (700, 300))
    face = (718, 309, 739, 333)  # where the face is, in the small copy
    boxes = [{"face": face, "left_hand": (5, 5, 9, 9), "right_hand": None}, {"face": None}]
    crops = detect_crops([scene, photograph], boxes)
    assert crops.places[["image", "region"]].to_numpy().tolist() == [[0, "face"]]
    assert crops.places.side.item() == 2 * 24
    table = evaluate_crops(crops).set_index(["detector", "metric"]).value
    assert not detect([scene])[0].short_range_faces
    assert table["face", "rate"] == table["face_short", "rate"] == 1
    assert table["face", "confidence"] == crops.detections[0].faces[0].score
    with pytest.raises(ValueError, match="got 2 and 1"):
        detect_crops([scene, photograph], boxes[:1])


def test_no_images_no_detections():
    assert detect([]) == []


def test_nothing_is_written_to_stderr():
    code = f"from fairhuman.detectors import detect; detect([{str(PHOTOGRAPH)!r}])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
