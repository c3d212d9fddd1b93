"""Misses cost what they should, and only images that should have a region count."""

import numpy as np
import pandas as pd
import pytest
from people import write_folder

from fairhuman.data import HumanFolder
from fairhuman.detectors import Detection, Face, Hand
from fairhuman.evaluation import (
    compare_detection,
    compare_losses,
    compare_systems,
    evaluate_detection,
    expected_regions,
    tabulate_detections,
)
from fairhuman.evaluation.detection_rates import area_names


def image(faces=(), hands=()):
    """A detection with the given scores."""
    box = (0.0, 0.0, 1.0, 1.0)
    faces = tuple(Face(score, box, np.zeros((6, 2))) for score in faces)
    hands = tuple(Hand(score, "left", box, np.zeros((21, 3))) for score in hands)
    return Detection(64, 64, faces, (), hands)


def value(table, detector, metric, area="all"):
    row = table[(table.detector == detector) & (table.metric == metric) & (table.area == area)]
    return row.iloc[0]


def expected(regions):
    """What four images should show: of each region one may be at an edge between two ranges of area."""
    areas = {"face_area": [0.05, 0.0, 0.02, 0.001], "hand_area": [0.02, 0.005, 0.0, 0.0]}
    return pd.DataFrame(areas | {f"{name}_expected": shown for name, shown in regions.items()})


DETECTIONS = [image([0.8, 0.6], [0.9]), image([], [0.7]), image([0.7]), image()]


def test_the_papers_confidence_ignores_misses_and_ours_does_not():
    table = evaluate_detection(DETECTIONS)
    assert value(table, "face", "rate").value == pytest.approx(2 / 4)
    assert value(table, "face", "confidence").value == pytest.approx((0.8 + 0.6 + 0.7) / 3)
    assert value(table, "face", "confidence_with_misses").value == pytest.approx((0.8 + 0.7) / 4)
    assert value(table, "hand", "confidence").value == pytest.approx(0.8)
    assert value(table, "face_short", "rate").value == 0
    assert np.isnan(value(table, "face_short", "confidence").value)
    assert value(table, "face", "confidence").n == 2


def test_scores_lie_between_0_and_1_and_so_do_their_intervals():
    all_or_none = [image([1.0])] * 12, [image()] * 12
    for table in (evaluate_detection(all_or_none[0]), compare_detection(*all_or_none[::-1])):
        row = value(table, "face", "confidence_with_misses")
        assert row.value == row.high == 1 and row.low > 0.5


def test_losing_the_worst_face_raises_the_papers_confidence_and_lowers_ours():
    before, after = [image([0.9]), image([0.55])], [image([0.9]), image()]
    paper = [value(evaluate_detection(d), "face", "confidence").value for d in (before, after)]
    ours = [value(evaluate_detection(d), "face", "confidence_with_misses").value for d in (before, after)]
    assert paper[1] > paper[0]
    assert ours[1] < ours[0]


def test_images_without_the_region_do_not_count():
    truth = expected({"face": [True, False, True, False], "hand": [True, True, False, False]})
    table = evaluate_detection(DETECTIONS, truth, by_area=True)
    assert value(table, "face", "rate").value == 1
    assert value(table, "face", "rate").n == 2
    assert value(table, "hand", "rate").n == 2
    small, middle, large = area_names()
    assert [small, middle, large] == ["< 1 %", "1–4 %", "≥ 4 %"]
    counts = [value(table, "face", "rate", area).n for area in (small, middle, large)]
    assert counts == [0, 1, 1]
    assert value(table, "hand", "confidence", small).value == pytest.approx(0.7)


def test_rows_are_tidy():
    table = tabulate_detections(DETECTIONS)
    assert len(table) == 4 * 4
    assert not table.duplicated(["image", "detector"]).any()
    assert table[table.detector == "face"].found.tolist() == [2, 0, 1, 0]


def test_truth_comes_from_masks_and_yaw(tmp_path):
    write_folder(tmp_path, count=3)
    records = HumanFolder(tmp_path).records
    truth = expected_regions(records)
    # Discs of radius 0.2 × side in each image; the yaw decides for the face.
    assert truth.face_area.to_numpy() == pytest.approx(np.pi * 0.2**2, rel=0.1)
    assert truth.hand_expected.all()
    assert truth.face_expected.tolist() == [abs(record.face_yaw) < 45 for record in records]


def test_truth_needs_both_masks(tmp_path):
    write_folder(tmp_path, count=1)
    with pytest.raises(ValueError, match="line 1: has no hand mask"):
        expected_regions(HumanFolder(tmp_path, regions=("face",)).records)


def test_a_system_compared_with_itself_never_differs():
    table = compare_detection(DETECTIONS * 6, DETECTIONS * 6)
    assert not table.supported.any()
    assert (table.value.dropna() == 0).all()


def test_a_clear_gain_is_supported_and_a_slight_one_is_not():
    bad, slight, good = [image()] * 30, [image()] * 29 + [image([0.9])], [image([0.9], [0.9])] * 30
    rate = compare_detection(bad, good).set_index(["detector", "metric"]).supported
    assert rate["face", "rate"]
    assert rate["hand", "confidence_with_misses"]
    assert not compare_detection(bad, slight).supported.any()


def test_images_that_should_have_no_region_do_not_count_in_a_comparison():
    truth = expected({"face": [True, False, True, False], "hand": [True, True, False, False]})
    table = compare_detection(DETECTIONS, [image([0.9], [0.9])] * 4, truth)
    assert value(table, "face", "rate").n == value(table, "hand", "rate").n == 2
    assert value(table, "face", "rate").value == 0 and value(table, "face", "confidence").value > 0
    # The means of 0.8 and 0.7, and of what is 0.9 everywhere.
    assert value(table, "face", "confidence_with_misses").value == pytest.approx(0.9 - 0.75)


def test_systems_are_compared_in_pairs_without_the_ceiling():
    systems = {"base": DETECTIONS * 8, "lora-mpd": [image([0.9], [0.9])] * 32, "renders": DETECTIONS * 8}
    figures = compare_systems(systems, ceiling="renders")
    assert {(row["reference"], row["system"]) for row in figures["differences"]} == {("base", "lora-mpd")}
    assert figures["comparisons"] == len(figures["differences"]) == 6
    assert all(row["level"] == pytest.approx(1 - 0.05 / 6) for row in figures["differences"])
    assert {row["system"] for row in figures["detection"]} == set(systems)


def losses(shift, images=40):
    """A table as of ``heldout_losses``; every other image has a face."""
    values = shift * np.random.default_rng(0).uniform(0.2, 0.4, size=(2, images))
    return pd.DataFrame(
        [(i, "global", values[0, i]) for i in range(images)]
        + [(i, "face", values[1, i]) for i in range(0, images, 2)],
        columns=["image", "region", "loss"],
    )


def test_losses_are_paired_by_image_and_region():
    figures = compare_losses({"base": losses(1.0), "lora-mpd": losses(0.9)})
    change = {row["region"]: row for row in figures["loss_differences"]}
    assert change["face"]["n"] == 20
    assert change["face"]["supported"]
    assert change["global"]["value"] < 0
    same = compare_losses({"base": losses(1.0), "other": losses(1.0)})
    assert not any(row["supported"] for row in same["loss_differences"])


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: evaluate_detection(DETECTIONS, pd.DataFrame()), "got 0 for 4 images"),
        (lambda: evaluate_detection(DETECTIONS, by_area=True), "by_area: needs truth"),
        (lambda: compare_detection(DETECTIONS, DETECTIONS[:2]), "must be of one length, got 4 and 2"),
        (lambda: compare_systems({}), "every system needs the same images"),
        (lambda: compare_systems({"a": DETECTIONS, "b": DETECTIONS[:1]}), "got {'a': 4, 'b': 1}"),
        (lambda: compare_systems({"a": DETECTIONS}, ceiling="b"), "ceiling: must be one of"),
        (lambda: compare_losses({}), "losses: at least one system"),
        (lambda: compare_losses({"a": losses(1), "b": losses(1, 30)}), "'b' was judged on other images"),
    ],
)
def test_bad_comparisons_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()
