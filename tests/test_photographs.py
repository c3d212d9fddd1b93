"""What the benchmark of photographs counts: hits one to one, and images as the sample."""

import runpy
from pathlib import Path

import numpy as np
import pytest

from fairhuman.evaluation import estimate_proportion, estimate_ratio

ROOT = Path(__file__).parents[1]
LEFT, RIGHT = (10, 10, 30, 30), (60, 60, 80, 80)


@pytest.fixture(scope="module")
def compare():
    return runpy.run_path(str(ROOT / "benchmarks" / "photographs.py"))["compare"]


def truth(images):
    entry = {"width": 100, "height": 100, "face_box": None, "left_hand_box": LEFT, "right_hand_box": RIGHT}
    return [entry] * images


def found(*hands):
    return {"face_boxes": [], "hand_boxes": list(hands)}


def test_the_hands_of_an_image_are_one_unit(compare):
    """Both are found or neither: forty images say no more than forty, though they have eighty hands."""
    told = compare(truth(40), [found(LEFT, RIGHT) if i % 2 else found() for i in range(40)])["hand"]
    recall = told["recall"]["all"]
    expected = estimate_ratio(np.arange(40) % 2 * 2, np.full(40, 2))
    assert (recall["value"], recall["regions"], recall["n"]) == (0.5, 80, 40)
    assert (recall["low"], recall["high"]) == (expected.low, expected.high)
    alone = estimate_proportion(40, 80)
    assert recall["high"] - recall["low"] > 1.3 * (alone.high - alone.low)


def test_a_box_counts_once_and_one_too_many_costs_precision(compare):
    told = compare(truth(20), [found(LEFT, LEFT)] * 20)["hand"]
    assert told["recall"]["all"]["value"] == 0.5 and told["precision"]["value"] == 0.5
    assert told["recall"]["0.01 to 1"]["value"] == 0.5 and told["recall"]["0 to 0.002"] is None
