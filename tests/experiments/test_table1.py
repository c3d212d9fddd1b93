"""A system's mean over β is each prompt's own, and its interval is over prompts."""

import numpy as np
import pandas as pd
import pytest
from people import write_folder

from fairhuman.data import HumanFolder
from fairhuman.evaluation import evaluate_detection, kernel_distance, kernel_distance_difference
from fairhuman.evaluation.anatomy import MEASURES
from fairhuman.evaluation.distances import mean_kernel_distance
from fairhuman.evaluation.reader import AttributeReader
from fairhuman.experiments.table1 import Judged, judge_system, system_differences, system_rows

PROMPTS = 30
REFERENCE = np.random.default_rng(9).normal(size=(40, 3))


def judged(rate, shift=0.0, scales=1):
    """A system that finds a face at a share of the prompts, and whose features are shifted."""
    rng = np.random.default_rng(0)
    rates = np.tile((np.arange(PROMPTS) < rate * PROMPTS).astype(float), 2)
    detection = pd.DataFrame(
        {"detector": ["face"] * PROMPTS + ["hand"] * PROMPTS, "expected": True, "rate": rates,
         "best": 0.8 * rates, "total": 0.8 * rates * scales, "found": rates * scales}
    )  # fmt: skip
    features = [rng.normal(size=(PROMPTS, 3)) + shift for _ in range(scales)]
    joints = pd.DataFrame({"joints": [10] * PROMPTS, "matched": 8, "pixels": 16.0, "share": 0.4, "right": 6})
    seen = {"prompt": range(PROMPTS), "framing": "whole body", "area": 0.02, "value": rates[:PROMPTS]}
    anatomy = pd.concat([pd.DataFrame({"measure": name, **seen}) for name in MEASURES for _ in range(scales)])
    agreement = np.r_[np.full(PROMPTS - 1, rate), np.nan]
    return Judged(detection, features, agreement, joints, anatomy.reset_index(drop=True))


def test_rows_are_the_metrics():
    rows = {row["metric"]: row for row in system_rows(judged(0.5), REFERENCE)}
    assert rows["face rate"]["value"] == 0.5 and rows["face confidence"]["value"] == pytest.approx(0.8)
    assert rows["hand confidence_with_misses"]["value"] == pytest.approx(0.4)
    assert rows["agreement"]["n"] == PROMPTS - 1
    assert all(rows[measure]["value"] == 0.5 for measure in MEASURES)
    assert rows["pose pck"]["value"] == pytest.approx(0.6) and rows["pose pixels"]["value"] == 2


def test_three_images_of_a_prompt_are_one_unit():
    one, three = (system_rows(judged(0.5, scales=scales), REFERENCE) for scales in (1, 3))
    assert one[0] == three[0]  # neither more prompts nor a narrower interval
    measures = [[row for row in rows if row["metric"] in MEASURES] for rows in (one, three)]
    assert {row["n"] for rows in measures for row in rows} == {PROMPTS}


def test_a_gain_is_supported_and_no_gain_is_not():
    systems = {"one": judged(0.5), "same": judged(0.5), "worse": judged(0.2, 1.0), "better": judged(0.9)}
    rows = system_differences(systems, [("one", "same"), ("worse", "better")], REFERENCE)
    for family in (MEASURES.keys(), {row["metric"] for row in rows} - MEASURES.keys()):
        levels = [row["level"] for row in rows if row["metric"] in family]
        assert levels == pytest.approx([1 - 0.05 / len(levels)] * len(levels))  # counted, not typed
    assert not any(row["supported"] for row in rows if row["system"] == "same")
    gain = {row["metric"]: row for row in rows if row["system"] == "better"}
    assert gain["face rate"]["supported"] and gain["face rate"]["value"] == pytest.approx(0.7)
    assert gain["distance"]["supported"] and gain["distance"]["value"] < 0


def test_the_mean_distance_is_the_mean_of_distances():
    sets = judged(0.5, scales=3).features
    alone = mean_kernel_distance(REFERENCE, sets[:1])
    plain = kernel_distance(REFERENCE, sets[0])
    assert (alone.value, alone.low, alone.high) == pytest.approx((plain.value, plain.low, plain.high))
    values = [kernel_distance(REFERENCE, one).value for one in sets]
    assert mean_kernel_distance(REFERENCE, sets).value == pytest.approx(np.mean(values))
    less = mean_kernel_distance(REFERENCE, sets[1:2], sets[:1])
    pair = kernel_distance_difference(REFERENCE, sets[0], sets[1])
    assert (less.value, less.low, less.high) == pytest.approx((pair.value, pair.low, pair.high))
    with pytest.raises(ValueError, match=r"got \[30, 29\] images"):
        mean_kernel_distance(REFERENCE, [sets[0], sets[1][:29]])


def test_images_are_judged_at_every_strength(tmp_path):
    write_folder(tmp_path, count=3)
    data = HumanFolder(tmp_path)
    own = [record.image for record in data.records]
    reader = AttributeReader.load()
    once, twice = (judge_system([own] * count, data.records, reader) for count in (1, 2))
    assert [part.shape for part in twice.features] == [(3, reader.networks["whole"].num_features)] * 2
    pd.testing.assert_frame_equal(once.detection.drop(columns=["total", "found"]),
                                  twice.detection.drop(columns=["total", "found"]))  # fmt: skip
    assert (twice.poses.matched == 2 * once.poses.matched).all()
    with pytest.raises(ValueError, match=r"images: must be one per record \(3\) at each strength, got \[2\]"):
        judge_system([own[:2]], data.records, reader)


def test_one_strength_is_what_detection_rates_say(tmp_path):
    write_folder(tmp_path, count=3)
    from fairhuman.detectors import detect
    from fairhuman.evaluation import expected_regions

    data = HumanFolder(tmp_path)
    own = [record.image for record in data.records]
    table = evaluate_detection(detect(own), expected_regions(data.records)).set_index(["detector", "metric"])
    judgement = judge_system([own], data.records, AttributeReader.load())
    faces = judgement.detection[(judgement.detection.detector == "face") & judgement.detection.expected]
    assert len(faces) == table.n["face", "rate"]
    assert faces.rate.mean() == pytest.approx(table.value["face", "rate"], nan_ok=True)
