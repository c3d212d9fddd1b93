"""Boxes: overlaps and points inside, against counting pixels."""

import numpy as np
import pytest

from fairhuman.boxes import area, common_area, corners, iou, is_inside, largest, middle


def mask(box):
    grid = np.zeros((32, 32), dtype=bool)
    grid[box[1] : box[3], box[0] : box[2]] = True
    return grid


def test_areas_and_overlaps_are_those_of_counted_pixels():
    for ends in np.random.default_rng(0).integers(0, 32, (200, 2, 2, 2)):
        first, second = ((*pair.min(axis=0), *pair.max(axis=0)) for pair in ends)
        one, other = mask(first), mask(second)
        assert area(first) == one.sum()
        assert common_area(first, second) == (one & other).sum()
        if (one | other).any():
            assert iou(first, second) == (one & other).sum() / (one | other).sum()


@pytest.mark.parametrize(("second", "overlap"), [((0, 0, 4, 4), 1), ((5, 0, 9, 4), 0), ((1, 1, 3, 3), 0.25)])
def test_iou_of_equal_apart_and_nested_boxes(second, overlap):
    assert iou((0, 0, 4, 4), second) == overlap


def test_the_middle_lies_inside_and_the_corners_on_the_border():
    box = (2.0, 3.0, 8.0, 5.0)
    assert is_inside(middle(box), [(0, 0, 1, 1), box]) and not is_inside(middle(box), [(0, 0, 1, 1)])
    assert all(is_inside(corner, [box]) for corner in corners(box))
    assert np.allclose(corners(box).mean(axis=0), middle(box))


def test_the_largest_is_the_first_of_equals():
    assert largest([(0, 0, 1, 1), (0, 0, 2, 3), (5, 5, 8, 7)]) == (0, 0, 2, 3)
    assert largest([]) is None
