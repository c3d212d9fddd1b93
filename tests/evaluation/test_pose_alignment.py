"""Distances between poses are those of their joints, and a photograph's joints are MediaPipe's own."""

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from fairhuman.evaluation.pose_alignment import detect_poses, judge_poses, summarise_poses

# A photograph of a person that comes with Matplotlib: Grace Hopper, by the United States Navy.
PHOTOGRAPH = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"


def pose(count=17, visibility=2.0):
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.uniform(0, 100, (17, 2)), np.full(17, visibility)])
    points[:2, :2] = (50, 0), (50, 100)  # so that the body is 100 pixels high
    points[count:, 2] = 0
    return points


def test_a_shift_is_its_length():
    asked, found = pose(), pose(visibility=1.0)
    found[:, :2] += 3, 4
    summary = summarise_poses(judge_poses([asked] * 12, [found] * 12))
    assert summary["pixels"].value == pytest.approx(5)
    assert summary["share"].value == pytest.approx(0.05)
    assert summary["coverage"].value == summary["pck"].value == summary["pose_found"].value == 1
    found[:, :2] += 6, 8
    assert summarise_poses(judge_poses([asked], [found]))["pck"].value == 0


def test_joints_that_are_missing_count_as_misses():
    judged = judge_poses([pose(10), pose(), pose(0)], [pose(visibility=1.0), pose(5, 1.0), pose(5, 1.0)])
    assert judged.joints.tolist() == [10, 17, 0]
    assert judged.matched.tolist() == judged.right.tolist() == [10, 5, 0]
    assert summarise_poses(judged)["coverage"].value == pytest.approx(15 / 27)


def test_joints_are_mediapipes_own_and_nobody_is_nobody():
    found, nobody = detect_poses([PHOTOGRAPH, np.full((64, 64, 3), 200, np.uint8)])
    from mediapipe.python.solutions.pose import Pose

    with Pose(static_image_mode=True) as model:
        marks = model.process(np.array(Image.open(PHOTOGRAPH).convert("RGB"))).pose_landmarks.landmark
    for coco, number in ((0, 0), (5, 11), (6, 12), (2, 5)):  # nose, shoulders, right eye
        assert found[coco, :2] == pytest.approx([marks[number].x * 512, marks[number].y * 600], abs=1e-2)
        assert found[coco, 2] == 1
    assert found[15, 2] == 0  # an ankle, far below the picture
    assert not nobody.any()


def test_shapes_are_checked():
    with pytest.raises(ValueError, match="got 1 and 2"):
        judge_poses([pose()], [pose()] * 2)
    with pytest.raises(ValueError, match=r"asked\[0\]: must have shape \(17, 3\), got \(5, 3\)"):
        judge_poses([np.zeros((5, 3))], [pose()])
    with pytest.raises(ValueError, match=r"threshold: must be in \[0, 1\], got 2"):
        detect_poses([], threshold=2)
