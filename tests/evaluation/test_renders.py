"""The detectors see the rendered people, and see them by the regions that the masks name."""

import numpy as np
import pytest
from PIL import Image

from fairhuman.boxes import cut_square
from fairhuman.data import HumanFolder
from fairhuman.detectors import detect, match_regions
from fairhuman.evaluation import (
    compare_detection,
    evaluate_detection,
    expected_regions,
    kernel_distance_difference,
)
from fairhuman.evaluation.reader import MARGINS, AttributeReader
from fairhuman.experiments.degradation import blur_region
from fairhuman.humans import generate


@pytest.fixture(scope="module")
def renders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("renders")
    generate(folder, 20, seed=5, size=256)
    return HumanFolder(folder)


@pytest.fixture(scope="module")
def truth(renders):
    return expected_regions(renders.records)


@pytest.fixture(scope="module")
def found(renders):
    return detect([record.image for record in renders.records])


def spoiled(renders, region, sigma=16.0):
    """Every image with one region blurred, by default away."""
    return [blur_region(sample, region, sigma) for sample in renders]


def features(renders, images):
    """Of whole images, and of the heads and hands where they are."""
    reader = AttributeReader.load()
    views = {"whole": reader.features(images)}
    for view, names in {"head": ["face"], "hand": ["left_hand", "right_hand"]}.items():
        places = [(i, s.boxes[n]) for i, s in enumerate(renders) for n in names if s.boxes.get(n)]
        crops = [cut_square(images[i], box, MARGINS[view]) for i, box in places]
        views[view] = reader.features(crops, view)
    return views


def rate(detections, truth, detector):
    table = evaluate_detection(detections, truth)
    return table[(table.detector == detector) & (table.metric == "rate")].value.item()


def test_rendered_people_have_faces_and_hands(found, truth):
    assert truth.face_expected.sum() >= 6
    assert rate(found, truth, "face") >= 0.8
    assert rate(found, truth, "hand") >= 0.6


def test_hands_equal_mediapipes_own(renders, found):
    from mediapipe.python.solutions.hands import Hands

    seen = 0
    with Hands(static_image_mode=True, max_num_hands=2) as model:
        for record, ours in zip(renders.records, found, strict=True):
            theirs = model.process(np.array(Image.open(record.image).convert("RGB")))
            handed = theirs.multi_handedness or ()
            scores = sorted((hand.classification[0].score for hand in handed), reverse=True)
            assert [hand.handedness for hand in ours.hands] == pytest.approx(scores, abs=1e-6)
            best = max(range(len(handed)), key=lambda i: handed[i].classification[0].score, default=None)
            if best is not None:
                marks = theirs.multi_hand_landmarks[best].landmark
                points = [[mark.x * 256, mark.y * 256] for mark in marks]
                assert ours.hands[0].landmarks[:, :2] == pytest.approx(np.array(points), abs=1e-3)
                seen += 1
            # A hand comes from a palm, so there are no fewer of these.
            assert len(ours.palms) >= len(ours.hands)
    assert seen >= 6


def test_a_face_is_found_where_its_mask_is(renders, found, truth):
    inside = []
    for record, detection, expected in zip(renders.records, found, truth.face_expected, strict=True):
        if expected and detection.faces:
            x0, y0, x1, y1 = record.boxes["face"]
            x, y = detection.faces[0].keypoints[2]  # the nose
            inside.append(x0 <= x <= x1 and y0 <= y <= y1)
    assert np.mean(inside) >= 0.9


def test_without_faces_only_faces_are_lost(renders, found, truth):
    faceless = detect(spoiled(renders, "face"))
    assert rate(faceless, truth, "face") <= 0.3
    assert rate(faceless, truth, "hand") >= rate(found, truth, "hand") - 0.2
    loss = compare_detection(found, faceless, truth).set_index(["detector", "metric"])
    assert loss.supported["face", "rate"]
    assert loss.value["face", "rate"] < -0.5


def test_without_hands_only_hands_are_lost(renders, found, truth):
    handless = detect(spoiled(renders, "hand"))
    assert rate(handless, truth, "hand") <= 0.3
    assert rate(handless, truth, "face") >= rate(found, truth, "face") - 0.2


@pytest.mark.parametrize(("region", "own", "other"), [("face", "head", "hand"), ("hand", "hand", "head")])
def test_distances_of_a_region_grow_with_its_blur_alone(renders, region, own, other):
    clean = features(renders, [sample.image for sample in renders])
    grown = {"own": [], "other": []}
    for sigma in (0.0, 4.0, 8.0, 16.0):
        blurred = features(renders, spoiled(renders, region, sigma))
        for name, view in (("own", own), ("other", other)):
            grown[name].append(kernel_distance_difference(clean[view], clean[view], blurred[view]))
    values = {name: [change.value for change in changes] for name, changes in grown.items()}
    assert values["own"][0] == values["other"][0] == 0  # identical images
    assert values["own"] == sorted(values["own"])
    assert grown["own"][-1].excludes(0)
    assert values["other"][-1] < 0.2 * values["own"][-1]


def test_everything_grows_with_the_blur_of_everything(renders):
    clean = features(renders, [sample.image for sample in renders])
    steps = [features(renders, spoiled(renders, "whole", sigma)) for sigma in (2.0, 4.0, 8.0)]
    for view, own in clean.items():
        changes = [kernel_distance_difference(own, own, step[view]) for step in steps]
        assert 0 < changes[0].value < changes[1].value < changes[2].value
        assert changes[2].excludes(0)


def test_a_face_or_hand_at_another_persons_place_does_not_count(renders, found, truth):
    boxes = [record.boxes for record in renders.records]
    own, others = match_regions(found, boxes), match_regions(found, boxes[1:] + boxes[:1])
    assert rate(own, truth, "face") >= 0.9 * rate(found, truth, "face")
    assert rate(own, truth, "hand") >= 0.8 * rate(found, truth, "hand")
    assert rate(others, truth, "hand") < rate(own, truth, "hand") - 0.2
