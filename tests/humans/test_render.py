"""What a rendered person's annotations must satisfy, whatever was drawn."""

from __future__ import annotations

import colorsys
import functools
import json
from pathlib import Path

import numpy as np
import pytest

from fairhuman.humans import (
    HAND_KEYPOINTS,
    OUTSIDE,
    PRESETS,
    REGION_PARTS,
    VISIBLE,
    HumanImage,
    Part,
    render_human,
)
from fairhuman.humans._colours import CLOTH
from fairhuman.humans._record import RENDERER

SIZE, COUNT = 96, 14
EVERY = [(preset, index) for preset in PRESETS for index in range(COUNT)]


@functools.cache
def person(preset: str, index: int) -> HumanImage:
    return render_human(np.random.default_rng([31, index]), preset, SIZE)


def everyone(preset: str | None = None) -> list[HumanImage]:
    return [person(name, index) for name, index in EVERY if preset in (None, name)]


def block_means(image: np.ndarray) -> np.ndarray:
    """(8, 8, 3) mean colours."""
    side = len(image) // 8
    return image.reshape(8, side, 8, side, 3).mean((1, 3))


def unproject(human: HumanImage, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """World points of pixels, from the depth map."""
    camera, z = human.camera, human.depth[rows, columns].astype(float)
    x = (columns + 0.5 - camera.cx) / camera.fx * z
    y = (rows + 0.5 - camera.cy) / camera.fy * z
    return np.stack([x, y, z], -1) @ camera.rotation + camera.position


@pytest.mark.parametrize("preset", PRESETS)
def test_same_chance_same_picture(preset):
    again = render_human(np.random.default_rng([31, 3]), preset, SIZE)
    first = person(preset, 3)
    np.testing.assert_array_equal(again.image, first.image)
    np.testing.assert_array_equal(again.depth, first.depth)
    np.testing.assert_array_equal(again.keypoints, first.keypoints)
    assert again.attributes == first.attributes
    assert (render_human(np.random.default_rng([31, 4]), preset, SIZE).image != first.image).any()


@pytest.mark.parametrize("preset", PRESETS)
def test_a_renderer_of_this_version_draws_these_pictures(preset):
    """What a version draws must not change: raise `RENDERER` and store the new means of 8x8 blocks."""
    stored = json.loads(Path(__file__).with_name("pictures.json").read_text())
    assert stored["renderer"] == RENDERER
    for index, means in enumerate(stored[preset]):
        # Another processor rounds differently: half a level in the mean of 144 pixels, not more.
        np.testing.assert_allclose(block_means(person(preset, index).image), means, atol=0.5)


@pytest.mark.parametrize(("preset", "index"), EVERY)
def test_shapes_and_ranges(preset, index):
    human = person(preset, index)
    assert human.image.shape == (SIZE, SIZE, 3)
    assert human.image.dtype == np.uint8
    assert human.parts.max() < len(Part)
    assert human.keypoints.shape == (17, 3)
    assert human.left_hand.shape == human.right_hand.shape == (len(HAND_KEYPOINTS), 3)
    assert set(human.masks) == set(REGION_PARTS)
    assert -180 < human.face_yaw <= 180
    assert human.preset == preset
    assert human.image.std() > 5  # a picture, not a blank


@pytest.mark.parametrize(("preset", "index"), EVERY)
def test_masks_agree_with_parts_and_do_not_overlap(preset, index):
    human = person(preset, index)
    for name, parts in REGION_PARTS.items():
        share = human.coverage[name]
        assert share.min() >= 0
        assert share.max() <= 1
        inside = np.isin(human.parts, parts)
        assert not (human.masks[name] & (human.parts == Part.BACKGROUND)).any()
        assert (share[inside] > 0).all()
        np.testing.assert_allclose(share * 9, np.rint(share * 9), atol=1e-4)
    apart = ("face", "left_hand", "right_hand", "left_foot", "right_foot")
    assert sum(human.masks[name].astype(int) for name in apart).max() <= 1
    assert (human.coverage["eyes"] <= human.coverage["face"] + 1e-6).all()


@pytest.mark.parametrize(("preset", "index"), EVERY)
def test_visible_keypoints_lie_in_their_masks(preset, index):
    human = person(preset, index)
    face = human.coverage["face"] + np.isin(human.parts, (Part.HEAD, Part.HAIR))
    checks = [(human.keypoints[:3], face)]
    checks += [
        (human.left_hand[1:], human.coverage["left_hand"]),
        (human.right_hand[1:], human.coverage["right_hand"]),
    ]
    missed = total = 0
    for points, share in checks:
        for x, y, v in points:
            if v != VISIBLE:
                continue
            row, column = int(y), int(x)
            near = share[max(row - 2, 0) : row + 3, max(column - 2, 0) : column + 3]
            total += 1
            missed += not (near > 0).any()
    # A joint in the knuckle of a bent finger can be nearer to another finger: one in twenty.
    assert missed <= max(1, 0.05 * total)


@pytest.mark.parametrize(("preset", "index"), EVERY)
def test_keypoints_project_and_depth_agrees_with_the_camera(preset, index):
    human = person(preset, index)
    projected = human.camera.project(human.keypoints_camera)
    np.testing.assert_allclose(projected, human.keypoints[:, :2], rtol=1e-4, atol=0.01)
    for (x, y, v), z in zip(human.keypoints, human.keypoints_camera[:, 2], strict=True):
        inside = 0 <= x < SIZE and 0 <= y < SIZE
        assert (v != OUTSIDE) == inside
        if v != VISIBLE:
            continue
        row, column = int(y), int(x)
        around = human.depth[max(row - 1, 0) : row + 2, max(column - 1, 0) : column + 2]
        around = around[around > 0]
        # The surface lies in front of the joint inside it, by no more than a trunk's depth.
        if len(around):
            assert np.abs(around - z).min() < 0.22


def test_depth_is_metric():
    """Both eyes, unprojected from the depth map, are as far apart as a person's."""
    seen = 0
    for human in everyone():
        if human.attributes["framing"] != "face close-up" or abs(human.face_yaw) > 25:
            continue
        rows, columns = np.nonzero(human.parts == Part.EYES)
        points = unproject(human, rows, columns)
        middle = human.keypoints[0, 0]
        if min((columns < middle).sum(), (columns > middle).sum()) < 4:
            continue
        left, right = points[columns > middle].mean(0), points[columns < middle].mean(0)
        seen += 1
        assert 0.050 < np.linalg.norm(left - right) < 0.078
    assert seen >= 1


@pytest.mark.parametrize(("preset", "index"), EVERY)
def test_face_is_the_front_of_the_head(preset, index):
    human = person(preset, index)
    rows, columns = np.nonzero(np.isin(human.parts, REGION_PARTS["face"]) & (human.depth > 0))
    if len(rows) < 12:
        return
    world = unproject(human, rows, columns)
    eyes = (human.keypoints_camera[1:3].astype(float) @ human.camera.rotation + human.camera.position).mean(0)
    away = np.linalg.norm(world - eyes, axis=1)
    assert np.quantile(away, 0.99) < 0.165  # from chin to hairline, ear to ear


@pytest.mark.parametrize(("preset", "index"), EVERY)
def test_everyone_is_dressed(preset, index):
    human = person(preset, index)
    to_world = lambda points: points.astype(float) @ human.camera.rotation + human.camera.position  # noqa: E731
    joints = to_world(human.keypoints_camera)
    shoulder, hip = joints[5:7, 2].min(), joints[11:13, 2].mean()
    rows, columns = np.nonzero((human.parts == Part.TORSO) & (human.depth > 0))
    bare = unproject(human, rows, columns)
    assert (bare[:, 2] > shoulder - 0.12).all()  # only at the neckline
    rows, columns = np.nonzero((human.parts == Part.LEGS) & (human.depth > 0))
    legs = unproject(human, rows, columns)
    if len(legs):
        assert legs[:, 2].max() < hip - 0.08


def test_no_garment_leaves_the_trunk_bare():
    from fairhuman.humans._body import Piece, topology
    from fairhuman.humans._wardrobe import HEMS, SLEEVES, Outfit, dress

    shape = topology()
    middle = shape.canonical[shape.faces].mean(1)
    trunk = (shape.piece == Piece.BODY) & (shape.paint[shape.faces, 1].max(1) < 0.05)
    trunk &= (middle[:, 2] > -0.05) & (middle[:, 2] < 0.42)
    assert trunk.sum() > 500
    for sleeve in SLEEVES.values():
        for hem in HEMS.values():
            for skirt in (False, True):
                outfit = Outfit(sleeve=sleeve, hem=hem, skirt=skirt)
                keep, _ = dress(outfit, shape.canonical, np.zeros_like(shape.canonical), shape)
                assert not (keep & trunk).any()


def test_shirt_colour_is_the_colour_seen():
    checked = 0
    for human in everyone("studio"):
        name = human.attributes["shirt_color"]
        hue, saturation, _ = colorsys.rgb_to_hsv(*CLOTH[name])
        pixels = human.image[human.parts == Part.TOP]
        if saturation < 0.5 or len(pixels) < 60:
            continue
        seen, *_ = colorsys.rgb_to_hsv(*(np.median(pixels, axis=0) / 255))
        assert abs((seen - hue + 0.5) % 1 - 0.5) < 0.07, name
        checked += 1
    assert checked >= 3


def test_pose_is_the_pose_seen():
    checked = set()
    for human in everyone():
        points, pose = human.keypoints_camera, human.attributes["pose"]
        up = human.camera.rotation[:, 2]  # the world's up in camera space
        height = points @ up
        raised = height[9:11] > height[5:7] - 0.05  # wrists against shoulders
        if pose == "arms raised":
            assert raised.all()
        elif pose in ("waving", "one arm raised"):
            assert raised.sum() == 1
        elif pose in ("standing", "walking"):
            assert (height[9:11] < height[11:13] + 0.12).all()
        elif pose == "hands on hips":
            assert (np.linalg.norm(points[9:11] - points[11:13], axis=1) < 0.34).all()
        elif pose == "palms together":
            assert np.linalg.norm(points[9] - points[10]) < 0.12
        elif pose == "hand on chest":
            knuckles = np.stack([human.left_hand_camera[9], human.right_hand_camera[9]])
            aside = (knuckles - points[5:7].mean(0)) @ (points[5] - points[6])
            low, high = height[11:13].mean() + 0.2, height[5:7].mean()
            level = (knuckles @ up > low) & (knuckles @ up < high)
            assert (level & (np.abs(aside) < 0.15 * np.linalg.norm(points[5] - points[6]))).any()
        elif pose == "hand on chin":
            joints = np.concatenate([human.left_hand_camera, human.right_hand_camera])
            assert np.linalg.norm(joints - points[0], axis=1).min() < 0.10  # from the nose
        elif pose == "showing both hands":
            assert (height[9:11] > height[5:7] - 0.25).all()
        elif pose == "arms crossed":
            across = points[6, :] - points[5, :]
            assert (points[9] - points[10]) @ across > 0  # the left wrist is on the right
        else:
            continue
        checked.add(pose)
    assert len(checked) >= 4


def test_gesture_is_the_gesture_seen():
    extended = {"open palm": (1, 1, 1, 1), "fist": (0, 0, 0, 0), "pointing": (1, 0, 0, 0)}
    extended |= {"two fingers": (1, 1, 0, 0), "three fingers": (1, 1, 1, 0), "four fingers": (1, 1, 1, 1)}
    extended |= {"rock sign": (1, 0, 0, 1), "call sign": (0, 0, 0, 1)}
    extended |= {"thumb up": (0, 0, 0, 0), "thumb down": (0, 0, 0, 0)}
    checked = set()
    for human in everyone():
        for side in ("left", "right"):
            wanted = extended.get(human.attributes[f"{side}_gesture"])
            if wanted is None:
                continue
            hand = getattr(human, f"{side}_hand_camera")
            tips, knuckles = hand[[8, 12, 16, 20]], hand[[5, 9, 13, 17]]
            reach = np.linalg.norm(tips - hand[0], axis=1) / np.linalg.norm(knuckles - hand[0], axis=1)
            assert tuple((reach > 1.4).astype(int)) == wanted
            checked.add(human.attributes[f"{side}_gesture"])
    assert len(checked) >= 3


@pytest.mark.parametrize(("preset", "index"), EVERY)
def test_framing_has_its_range(preset, index):
    human = person(preset, index)
    face, framing = human.masks["face"].mean(), human.attributes["framing"]
    if framing == "face close-up":
        assert face > 0.09
    elif framing == "distant":
        assert face < 0.005
    elif framing == "whole body":
        assert 0.0008 < face < 0.012
        assert (human.keypoints[:, 2] != OUTSIDE).all()
    elif framing == "hand close-up":
        assert max(human.masks["left_hand"].mean(), human.masks["right_hand"].mean()) > 0.03


@pytest.mark.parametrize("preset", PRESETS)
def test_attributes_have_the_same_keys(preset):
    keys = {tuple(sorted(human.attributes)) for human in everyone(preset)}
    assert len(keys) == 1
    assert all(isinstance(value, str) for human in everyone(preset) for value in human.attributes.values())


def test_presets_share_their_attributes():
    assert sorted(person("studio", 0).attributes) == sorted(person("world", 0).attributes)


@pytest.mark.parametrize(
    ("preset", "size", "word"), [("cinema", 64, "preset"), ("studio", 0, "size"), ("world", 9000, "size")]
)
def test_bad_requests_are_refused(preset, size, word):
    with pytest.raises(ValueError, match=word):
        render_human(np.random.default_rng(0), preset, size)
