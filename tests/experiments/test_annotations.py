"""Agreement of an annotation with itself and with detections that are known."""

import json

import numpy as np
import pytest
from PIL import Image

from fairhuman.data import HumanFolder
from fairhuman.detectors import Detection, Face, Hand
from fairhuman.experiments.annotations import CHECKS, judge_annotations, summarise_annotations

SIZE, FACE, HAND = 64, (24, 8, 40, 28), (44, 40, 54, 50)


def write_person(root, index):
    person = np.zeros((SIZE, SIZE), dtype=np.uint16)
    person[4:60, 16:56] = 2000
    masks = {"face": np.zeros((SIZE, SIZE), np.uint8), "hand": np.zeros((SIZE, SIZE), np.uint8)}
    for name, (x0, y0, x1, y1) in (("face", FACE), ("hand", HAND)):
        masks[name][y0:y1, x0:x1] = 255
    grids = {"images": np.zeros((SIZE, SIZE, 3), np.uint8), "depth": person, **masks}
    for folder, grid in grids.items():
        (root / folder).mkdir(exist_ok=True)
        Image.fromarray(grid).save(root / folder / f"{index}.png")
    keypoints = np.tile([30.0, 30.0, 2.0], (17, 1))
    keypoints[:3, :2] = [[32, 20], [28, 15], [36, 15]]
    hand = np.tile([49.0, 45.0, 2.0], (21, 1))
    return {
        "file_name": f"images/{index}.png", "text": "A person", "depth_file_name": f"depth/{index}.png",
        "face_mask_file_name": f"face/{index}.png", "hand_mask_file_name": f"hand/{index}.png",
        "face_box": FACE, "left_hand_box": HAND, "right_hand_box": None, "face_yaw": 10.0,
        "keypoints": keypoints.tolist(), "left_hand_keypoints": hand.tolist(),
        "right_hand_keypoints": np.zeros((21, 3)).tolist(),
    }  # fmt: skip


def read(root, entries):
    (root / "metadata.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    return HumanFolder(root, regions=("face", "hand"), conditions=("depth",))


def detection(face=None, hand=None):
    faces = () if face is None else (Face(0.9, face, np.zeros((6, 2))),)
    hands = () if hand is None else (Hand(0.9, "left", (0, 0, 1, 1), np.tile([*hand, 0.0], (21, 1))),)
    return Detection(SIZE, SIZE, faces, (), hands)


@pytest.fixture
def entries(tmp_path):
    return [write_person(tmp_path, index) for index in range(4)]


def test_detections_in_place_agree_and_others_do_not(tmp_path, entries):
    folder = read(tmp_path, entries)
    found = [
        detection(FACE, (49, 45)),
        detection((24, 18, 40, 28), (46, 41)),  # half of the face
        detection((0, 40, 16, 60), (10, 10)),  # neither is where it should be
        detection(),
    ]
    judged = judge_annotations(folder, found)
    assert judged.face_found.tolist() == [True, True, False, False]
    assert judged.hand_found.tolist() == [True, True, False, False]
    np.testing.assert_allclose(judged.face_iou, [1, 0.5, np.nan, np.nan])
    np.testing.assert_allclose(judged.face_height_ratio[:2], [1, 0.5])
    np.testing.assert_allclose(judged.face_shift[:2], [0, 0.25])
    shares = summarise_annotations(judged)
    assert set(shares) == set(CHECKS)
    assert (shares["face_found"].value, shares["face_found"].n) == (0.5, 4)
    assert (shares["face_boxes_agree"].value, shares["face_boxes_agree"].n) == (1, 2)
    assert shares["hand_points_inside"].value == shares["face_points_inside"].value == 1


def test_points_outside_their_masks_are_counted(tmp_path, entries):
    entries[1]["keypoints"][0] = [32, 31, 2]  # below the chin, more than a pixel
    entries[2]["keypoints"][0] = [32, 28.5, 2]  # within a pixel of the mask
    entries[3]["keypoints"][0] = [32, 50, 1]  # hidden: nothing to be said
    entries[0]["left_hand_keypoints"][5] = [2, 2, 2]
    entries[0]["left_hand_keypoints"][0] = [2, 2, 2]  # the wrist may lie in the forearm
    judged = judge_annotations(read(tmp_path, entries), [detection()] * 4)
    assert judged.face_points.tolist() == [3, 3, 3, 2]
    assert judged.face_points_inside.tolist() == [3, 2, 3, 2]
    assert judged.hand_points.tolist() == [20] * 4
    assert judged.hand_points_inside.tolist() == [19, 20, 20, 20]


def test_a_person_without_face_and_hands_raises_no_expectation(tmp_path, entries):
    for entry in entries:
        entry |= {
            "face_mask_file_name": None,
            "hand_mask_file_name": None,
            "face_box": None,
            "left_hand_box": None,
        }
    judged = judge_annotations(read(tmp_path, entries), [detection(FACE, (49, 45))] * 4)
    assert not judged[["face_expected", "hand_expected", "face_found", "hand_found"]].any(axis=None)
    assert np.isnan(summarise_annotations(judged)["face_found"].value)


def test_what_is_needed_is_named(tmp_path, entries):
    folder = read(tmp_path, entries)
    with pytest.raises(ValueError, match=r"detections: must be as many as images \(4\), got 1"):
        judge_annotations(folder, [detection()])
    with pytest.raises(ValueError, match="folder: must be read with .*depth"):
        judge_annotations(HumanFolder(tmp_path), [detection()] * 4)
