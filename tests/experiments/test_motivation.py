"""The gap between generated and rendered at equal area: found where there is one, and only there."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from fairhuman.data import HumanRecord
from fairhuman.detectors import Detection, Face, Hand
from fairhuman.experiments.close_ups import (
    close_up,
    close_up_prompts,
    redraw_close_ups,
    region_square,
    shown_square,
    with_close_ups,
)
from fairhuman.experiments.figures import colour
from fairhuman.experiments.motivation import (
    choose_by_framing,
    gap_by_area,
    judge_sources,
)
from fairhuman.experiments.regression import firth_logistic, least_squares
from fairhuman.experiments.repair import repair_gain


def record(framing="whole body", face=(20, 10, 30, 22), hands=(None, None), side=64):
    boxes = {"face": face, "left_hand": hands[0], "right_hand": hands[1]}
    metadata = {"width": side, "height": side, "attributes": {"framing": framing, "gender": "woman"}}
    return HumanRecord(Path("image.png"), "a woman", {}, boxes=boxes, metadata=metadata)


def rates(a, b, c, d, prompts=150, seed=0):
    """Both sources on the same prompts, found by the probabilities of these coefficients."""
    random = np.random.default_rng(seed)
    area = 0.01 * 2 ** random.uniform(-3, 4, prompts)
    rows = []
    for source, s in (("renders", 0), ("generated", 1)):
        x = np.log2(area / 0.01)
        p = 1 / (1 + np.exp(-(a + b * x + s * (c + d * x))))
        found = random.random(prompts) < p
        rows.append(pd.DataFrame({
            "source": source, "image": np.arange(prompts), "region": "face", "area": area, "found": found,
            "score": np.where(found, 0.8, 0.0),
        }))  # fmt: skip
    return pd.concat(rows, ignore_index=True)


def term(told, name, model="found"):
    return next(row for row in told["coefficients"] if (row["model"], row["term"]) == (model, name))


def test_firth_s_estimate_is_that_of_half_a_count_more():
    """In a saturated 2 × 2 table Firth's penalty adds one half to each cell; also where a cell is empty."""
    group = np.repeat([0, 1], 20)
    design = np.stack([np.ones(40), group], axis=1)
    for successes in ((7, 13), (0, 20)):
        outcome = np.concatenate([np.arange(20) < k for k in successes]).astype(float)
        (beta,) = firth_logistic(design, outcome, np.ones((1, 40)))
        first, second = (np.log((k + 0.5) / (20 - k + 0.5)) for k in successes)
        assert beta == pytest.approx([first, second - first], abs=1e-6)


def test_weights_count_rows():
    random = np.random.default_rng(1)
    design, outcome = random.normal(size=(12, 2)), (random.random(12) < 0.5).astype(float)
    counts = random.integers(0, 4, 12)
    rows = np.repeat(np.arange(12), counts)
    (weighted,) = firth_logistic(design, outcome, counts[None].astype(float))
    (repeated,) = firth_logistic(design[rows], outcome[rows], np.ones((1, len(rows))))
    assert weighted == pytest.approx(repeated, abs=1e-6)
    (weighted,) = least_squares(design, outcome, counts[None].astype(float))
    assert weighted == pytest.approx(np.linalg.lstsq(design[rows], outcome[rows], rcond=None)[0], abs=1e-6)


def test_a_detector_that_fails_on_small_faces_alone_is_no_gap():
    told = gap_by_area(rates(1, 1, 0, 0), "face")
    low, *_, high = [row["value"] for row in told["bins"] if row["source"] == "renders"]
    assert low < high  # it does fall with area
    assert term(told, "gap")["low"] < 0 < term(told, "gap")["high"]
    assert told["widening"]["low"] < 0 < told["widening"]["high"]
    for row in told["gaps"]:
        assert row["low"] < 0 < row["high"]


def test_a_gap_and_its_growth_towards_small_areas_are_found():
    told = gap_by_area(rates(3, 0.2, -2, 1.2, prompts=300), "face")
    assert term(told, "gap")["high"] < 0 and told["widening"]["high"] < 0
    gaps = {row["area"]: row for row in told["gaps"] if row["model"] == "found"}
    assert gaps[0.005]["high"] < 0 and gaps[0.005]["gap"] < gaps[0.08]["gap"]
    truth = 1 / (1 + np.exp(-(3 - 0.2))) - 1 / (1 + np.exp(-(3 - 0.2 - 2 - 1.2)))
    assert gaps[0.005]["low"] < -truth < gaps[0.005]["high"]


def test_a_curve_may_bend_and_is_shown_with_what_was_seen():
    """Found least where regions are smallest and largest: a straight logit would be flat."""
    random, prompts = np.random.default_rng(3), 400
    area = 0.01 * 2 ** random.uniform(-2, 5, prompts)
    truth = np.where((area < 0.01) | (area > 0.1), 0.3, 0.9)
    rows = [
        pd.DataFrame({"source": source, "image": np.arange(prompts), "region": "face", "area": area,
                      "found": random.random(prompts) < p, "score": 0.5, "framing": "any"})
        for source, p in (("renders", np.full(prompts, 0.97)), ("generated", truth))
    ]  # fmt: skip
    told = gap_by_area(pd.concat(rows, ignore_index=True), "face")
    curve = {
        r["area"]: r["value"] for r in told["curves"] if (r["model"], r["source"]) == ("found", "generated")
    }
    areas = np.array(list(curve))
    values = {a: curve[areas[np.abs(np.log(areas / a)).argmin()]] for a in (0.003, 0.03, 0.3)}
    assert values[0.03] - max(values[0.003], values[0.3]) > 0.25
    assert term(told, "bend_gap")["high"] < 0
    for row in told["bins"]:
        if row["source"] == "generated" and row["n"] > 20:
            own = (area > row["area"] / np.sqrt(2)) & (area < row["area"] * np.sqrt(2))
            assert row["low"] < truth[own].mean() < row["high"] or row["area"] > 0.1
    assert {(r["source"], r["framing"]) for r in told["framings"]} == {
        ("renders", "any"),
        ("generated", "any"),
    }


def test_prompts_are_resampled_with_both_of_their_images():
    """Twins that are found alike leave no doubt that there is no gap, however uncertain each rate is."""
    table = rates(1, 1, 0, 0)
    twins = table.found[table.source == "renders"].to_numpy()
    table.loc[table.source == "generated", "found"] = twins
    told = gap_by_area(table, "face")
    assert told["widening"]["low"] == told["widening"]["high"] == 0
    for row in told["gaps"]:
        assert row["model"] == "score" or max(abs(row["low"]), abs(row["high"])) < 1e-6
    spread = [row["high"] - row["low"] for row in told["curves"] if row["model"] == "found"]
    assert min(spread) > 0.02


def test_few_images_on_a_side_give_no_interval_of_the_widening():
    told = gap_by_area(rates(1, 1, 0, 0, prompts=20), "face")
    assert told["widening"]["n"] < 10 and np.isnan(told["widening"]["low"])


def test_a_control_that_misses_nothing_gives_a_finite_gap():
    table = rates(0, 0.5, 0, 0, prompts=40)
    table.loc[table.source == "renders", "found"] = True
    told = gap_by_area(table, "face")
    assert all(np.isfinite([row["value"], row["low"], row["high"]]).all() for row in told["coefficients"])
    assert term(told, "gap")["high"] < 0


def test_one_source_or_one_area_or_too_few_images_are_refused():
    table = rates(1, 1, 0, 0, prompts=10)
    with pytest.raises(ValueError, match="both sources with faces of several areas"):
        gap_by_area(table[table.source == "renders"], "face")
    with pytest.raises(ValueError, match="several areas"):
        gap_by_area(table.assign(area=0.01), "face")
    assert gap_by_area(table, "face")["n"] == {"renders": 10, "generated": 10}
    with pytest.raises(ValueError, match="at least 10 each, got {'renders': 10, 'generated': 9}"):
        gap_by_area(table[:-1], "face")  # an interval would say nothing


def test_framings_are_shown_alike():
    framings = ["whole body"] * 6 + ["face close-up"] * 2 + ["upper body"] * 4
    records = [record(framing) for framing in framings]
    assert choose_by_framing(records, 6) == [0, 1, 6, 7, 8, 9]
    assert choose_by_framing(records, 9) == [0, 1, 2, 6, 7, 8, 9, 10, 11]
    assert choose_by_framing(records, 99) == list(range(12))


def test_each_image_is_judged_by_what_was_asked_for():
    face = Face(0.7, (0, 0, 1, 1), np.zeros((6, 2)))
    seen, unseen = Detection(64, 64, (face,), (), ()), Detection(64, 64, (), (), ())
    truth = pd.DataFrame({
        "face_area": [0.02, 0.2, 0.001], "face_expected": [True, True, False],
        "hand_area": [0.0] * 3, "hand_expected": [False] * 3,
    })  # fmt: skip
    records = [record("whole body"), record("face close-up"), record("upper body")]
    found = {"renders": [seen, seen, unseen], "generated": [unseen, unseen]}
    table = judge_sources(found, {"renders": [0, 1, 2], "generated": [1, 2]}, truth, records)
    assert table.to_dict("records") == [
        {"source": s, "image": i, "framing": f, "region": "face", "area": a, "found": b, "score": c}
        for s, i, f, a, b, c in [
            ("renders", 0, "whole body", 0.02, True, 0.7),
            ("renders", 1, "face close-up", 0.2, True, 0.7),
            ("generated", 1, "face close-up", 0.2, False, 0.0),
        ]
    ]
    with pytest.raises(ValueError, match="'generated' needs 2, one a detection, got 1"):
        judge_sources(found, {"renders": [0, 1, 2], "generated": [1]}, truth, records)


def test_a_repair_is_compared_image_by_image_among_small_regions():
    rows = [
        {"source": "generated", "region": "face", "image": i, "area": a, "view": v, "found": f}
        for i, (a, before, after) in enumerate(
            [(0.01, False, True)] * 6 + [(0.02, True, True)] * 2 + [(0.3, True, False)]
        )
        for v, f in (("as it is", before), ("drawn anew", after))
    ]
    rows.append(rows[0] | {"source": "renders", "found": True})
    (row,) = repair_gain(pd.DataFrame(rows), 0.05)
    assert (row["region"], row["value"], row["n"]) == ("face", 0.75, 8) and row["low"] > 0


def test_squares_hold_the_region_and_stay_inside():
    assert region_square(record(), "face", 1.0) == (13, 4, 37, 28)
    x0, y0, x1, y1 = region_square(record(face=(0, 0, 10, 10)), "face", 1.0)
    assert (x0, y0, x1, y1) == (0, 0, 20, 20)
    assert region_square(record(face=(0, 0, 60, 60)), "face", 1.0) == (0, 0, 64, 64)
    assert region_square(record(), "hand") is None
    both = record(hands=((0, 0, 4, 4), (40, 40, 52, 50)))
    assert region_square(both, "hand", 0.0) == (40, 39, 52, 51)  # the larger
    face, hand = Face(0.9, (20.0, 30.0, 24.0, 36.0), np.zeros((6, 2))), Hand(0.9, "left", (2, 2, 6, 6), None)
    elsewhere = Detection(64, 64, (face,), (), (hand,))
    assert region_square(record(), "face", 1.0, elsewhere) == (16, 27, 28, 39)  # where it was found
    assert region_square(both, "hand", 0.0, elsewhere) == (2, 2, 6, 6)
    nothing = Detection(64, 64, (), (), ())
    assert region_square(record(), "face", 1.0, nothing) == (13, 4, 37, 28)  # where the render has it
    assert close_up_prompts([record()], "face") == ["Close-up of a woman"]


def test_a_close_up_shows_what_was_there():
    picture = np.zeros((64, 64, 3), np.uint8)
    picture[16:32, 16:32] = 255
    large = np.asarray(close_up(Image.fromarray(picture), (16, 16, 32, 32), 64))
    assert large.shape == (64, 64, 3) and large.min() == 255


def test_a_square_follows_the_size_of_the_image():
    nothing = Detection(128, 128, (), (), ())
    assert shown_square(record(), "face", nothing) == (26, 8, 74, 56)  # twice the record's
    assert shown_square(record(), "hand", nothing) is None
    face = Face(0.9, (20.0, 30.0, 24.0, 36.0), None)
    assert shown_square(record(), "face", Detection(128, 128, (face,), (), ())) == (16, 27, 28, 39)


def test_close_ups_stand_beneath_their_image():
    picture = Image.new("RGB", (64, 64), "white")
    picture.paste((255, 0, 0), (13, 4, 37, 28))  # the square of the record's face
    shown = with_close_ups(picture, record(), Detection(64, 64, (), (), ()), side=64)
    assert shown.size == (64, 96)
    assert np.array_equal(np.asarray(shown)[:64], np.asarray(picture))
    assert shown.getpixel((0, 64)) == tuple(bytes.fromhex(colour("face")[1:]))
    assert shown.getpixel((16, 80)) == (255, 0, 0)
    assert shown.getpixel((48, 80)) == (255, 255, 255)  # no hand is asked for


def test_only_the_square_is_drawn_anew():
    from fairhuman.models import tiny_pipeline

    pipeline = tiny_pipeline(seed=0)
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
    square = (16, 16, 48, 48)
    options = {"strength": 0.5, "steps": 4, "guidance": 1.0}
    new, other = redraw_close_ups(
        pipeline, [picture] * 2, [square, (0, 0, 32, 32)], ["a hand"] * 2, **options
    )
    changed = (np.asarray(new) != np.asarray(picture)).any(axis=-1)
    assert changed[20:44, 20:44].mean() > 0.9
    changed[16:48, 16:48] = False
    assert not changed.any()
    (again,) = redraw_close_ups(pipeline, [picture], [square], ["a hand"], **options)
    assert np.abs(np.asarray(again).astype(int) - np.asarray(new)).max() <= 1  # alone or in a batch
    with pytest.raises(ValueError, match=r"strength: must be in \(0, 1\], got 0"):
        redraw_close_ups(pipeline, [picture], [square], ["a hand"], strength=0)
    with pytest.raises(ValueError, match="must be as many, got 1, 1, 0"):
        redraw_close_ups(pipeline, [picture], [square], [])
