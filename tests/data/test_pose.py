"""Pose images: colours, places and what is left out."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairhuman.data.pose import BODY_COLOURS, BODY_LIMBS, HAND_BONES, HAND_COLOURS, body_points, draw_pose

SIZE = 256


def standing_person(size=SIZE):
    # Left and right of each pair of joints; the nose stands alone.
    across = np.array([0.03, 0.06, 0.12, 0.2, 0.26, 0.07, 0.08, 0.08])
    x = np.array([0.5, *(0.5 + side * value for value in across for side in (1, -1))])
    y = np.array([0.15, *np.repeat([0.12, 0.13, 0.28, 0.42, 0.55, 0.58, 0.76, 0.94], 2)])
    return np.stack([x * size, y * size, np.full(17, 2.0)], axis=1)


def spread_hand(x, y, extent):
    points = np.zeros((21, 3))
    points[0] = x, y, 2
    for finger in range(5):
        angle = np.pi * (0.1 + 0.2 * finger)
        for joint in range(4):
            reach = extent * (joint + 1) / 4
            points[4 * finger + joint + 1] = x + reach * np.cos(angle), y - reach * np.sin(angle), 2
    return points


def at(picture, point):
    return picture[int(point[1]), int(point[0])].astype(int)


def test_nobody_is_black():
    assert draw_pose(np.zeros((17, 3)), np.zeros((21, 3)), size=64).max() == 0


@pytest.mark.parametrize(
    ("size", "shape"), [(64, (64, 64, 3)), ((48, 96), (48, 96, 3)), (600, (600, 600, 3))]
)
def test_picture_has_the_size_asked_for(size, shape):
    picture = draw_pose(standing_person(48), size=size)
    assert picture.shape == shape
    assert picture.dtype == np.uint8
    assert picture.max() > 0


def test_every_point_has_its_own_colour():
    keypoints = standing_person()
    picture = draw_pose(keypoints, size=SIZE)
    # Face points lie under one another's discs at this size; the others do not.
    for index, point in enumerate(body_points(keypoints)):
        if index not in (0, 14, 15, 16, 17):
            assert np.abs(at(picture, point) - BODY_COLOURS[index]).max() <= 2, index


def test_limbs_are_drawn_at_three_fifths_of_their_colour():
    keypoints = standing_person()
    points, picture = body_points(keypoints), draw_pose(keypoints, size=SIZE)
    shin = BODY_LIMBS.index((9, 10))
    middle = (points[9] + points[10]) / 2
    assert np.abs(at(picture, middle) - 0.6 * np.array(BODY_COLOURS[shin])).max() <= 2


def test_neck_is_between_the_shoulders():
    keypoints = standing_person()
    keypoints[6, 2] = 1
    np.testing.assert_allclose(body_points(keypoints)[1], [*(keypoints[5, :2] + keypoints[6, :2]) / 2, 1])


def test_left_and_right_differ():
    keypoints = standing_person()
    mirrored = keypoints.copy()
    mirrored[:, 0] = SIZE - mirrored[:, 0]
    assert np.abs(draw_pose(keypoints, size=SIZE).astype(int) - draw_pose(mirrored, size=SIZE)).max() > 100


def test_mirrored_person_with_sides_swapped_is_the_mirrored_picture():
    keypoints = standing_person()
    swap = [0, *(other for pair in range(1, 17, 2) for other in (pair + 1, pair))]
    mirrored = keypoints[swap] * (-1, 1, 1) + (SIZE, 0, 0)
    # The colours of the sides stay with the person, so what is drawn mirrors but not its hue.
    drawn = draw_pose(mirrored, size=SIZE).any(axis=-1), draw_pose(keypoints, size=SIZE)[:, ::-1].any(axis=-1)
    assert np.mean(drawn[0] != drawn[1]) < 0.02


@given(
    hidden=st.sets(st.integers(0, 16), min_size=1, max_size=17),
)
@settings(max_examples=25)
def test_points_outside_the_image_change_nothing_wherever_they_are_said_to_be(hidden):
    here, there = standing_person(64), standing_person(64)
    for index in hidden:
        here[index] = 0, 0, 0
        there[index] = 40, 20, 0
    np.testing.assert_array_equal(draw_pose(here, size=64), draw_pose(there, size=64))


def test_occluded_points_are_drawn():
    keypoints = standing_person()
    seen = draw_pose(keypoints, size=SIZE)
    keypoints[9:11, 2] = 1
    np.testing.assert_array_equal(draw_pose(keypoints, size=SIZE), seen)


def test_hand_is_drawn_if_any_of_it_is_visible():
    nobody, hand = np.zeros((17, 3)), spread_hand(64, 100, 60)
    hand[:, 2] = 1
    assert draw_pose(nobody, hand, size=SIZE).max() == 0
    hand[8, 2] = 2
    assert draw_pose(nobody, hand, size=SIZE).max() > 0


def test_hand_points_are_blue_on_bones_of_many_colours():
    hand = spread_hand(256, 440, 240)
    picture = draw_pose(np.zeros((17, 3)), hand, size=512)
    for point in hand:
        assert tuple(at(picture, point)) == (0, 0, 255)
    assert len(HAND_BONES) == len(HAND_COLOURS) == 20
    for (start, end), colour in zip(HAND_BONES, HAND_COLOURS, strict=True):
        assert np.abs(at(picture, (hand[start] + hand[end]) / 2) - colour).max() < 80


def test_thickness_follows_the_size():
    small, large = (draw_pose(standing_person(size), size=size) for size in (128, 512))
    assert small.mean() == pytest.approx(large.mean(), rel=0.2)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"keypoints": np.zeros((18, 3))}, r"keypoints: must have shape \(17, 3\), got \(18, 3\)"),
        ({"keypoints": np.zeros((17, 3)), "left_hand": np.zeros((21, 2))}, r"left_hand: .* \(21, 2\)"),
        ({"keypoints": np.full((17, 3), np.nan)}, "keypoints: must be finite"),
        ({"keypoints": np.zeros((17, 3)), "size": 0}, "size: must be at least 1 pixel, got 0"),
    ],
)
def test_bad_input_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        draw_pose(**arguments)
