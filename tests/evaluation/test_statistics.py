"""Intervals hold what they promise, and samples that allow none get none."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from fairhuman.evaluation import (
    corrected_level,
    estimate_mean,
    estimate_proportion,
    estimate_ratio,
    estimate_steps,
    paired_difference,
    paired_ratio_difference,
)
from fairhuman.evaluation.statistics import Estimate
from fairhuman.results import read_result, write_result

DRAWS = 120


def covered(intervals, truth):
    return np.mean([e.low <= truth <= e.high for e in intervals])


def test_the_mean_of_a_skewed_quantity_is_covered_as_often_as_promised():
    rng = np.random.default_rng(1)
    samples = rng.gamma(2.0, 0.5, size=(DRAWS, 60))
    at_90 = covered([estimate_mean(s, level=0.9) for s in samples], 1.0)
    # 0.9 ± three standard errors of a share of 120, less two points for the bootstrap's known optimism.
    assert 0.80 <= at_90 <= 0.98


def test_ends_hardly_depend_on_the_seed_of_the_resampling():
    """A few hundred resamples would move them by a twentieth of the width."""
    sample = np.random.default_rng(9).gamma(2.0, 0.5, size=60)
    ends = [(e.low, e.high) for e in (estimate_mean(sample, seed=seed) for seed in range(8))]
    width = np.mean([high - low for low, high in ends])
    assert (np.std(ends, axis=0) < 0.02 * width).all()
    assert len(set(ends)) == 8


def test_clustered_scores_are_covered_although_detections_of_one_image_agree():
    rng = np.random.default_rng(2)
    intervals = []
    for _ in range(DRAWS):
        counts = rng.integers(0, 4, size=60)
        image_means = rng.uniform(0.5, 1.0, size=60)  # every detection of an image scores the same
        intervals.append(estimate_ratio(counts * image_means, counts, level=0.9))
    assert 0.80 <= covered(intervals, 0.75) <= 0.98


def test_proportions_match_wilsons_formula():
    n, k, z = 30, 27, 1.959963984540054
    centre = (k / n + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(k / n * (1 - k / n) / n + z**2 / (4 * n**2))
    estimate = estimate_proportion(k, n)
    assert estimate.value == pytest.approx(0.9)
    assert (estimate.low, estimate.high) == pytest.approx((centre - half, centre + half))


@pytest.mark.parametrize("value", [0, 1])
def test_equal_values_within_bounds_get_wilsons_interval(value):
    mean, proportion = estimate_mean([float(value)] * 24, bounds=(0, 1)), estimate_proportion(24 * value, 24)
    assert (mean.low, mean.high) == pytest.approx((proportion.low, proportion.high))
    assert mean.interval == "bounded"


@pytest.mark.parametrize(
    ("estimate", "n"),
    [
        (lambda: estimate_mean([]), 0),
        (lambda: estimate_mean([0.7]), 1),
        (lambda: estimate_mean([0.7] * 9), 9),
        (lambda: estimate_mean([0.1, 0.5, 0.6, 0.9]), 4),
        (lambda: estimate_proportion(0, 0), 0),
        (lambda: estimate_ratio([0.0, 0.0], [0, 0]), 0),
        (lambda: estimate_ratio([0.9, 1.8], [1, 2]), 2),
        (lambda: estimate_ratio([0.5, 0.6] * 4, [1, 1] * 4), 8),
        (lambda: paired_ratio_difference(([0.9, 0.7] * 4, [1] * 8), ([0.5] * 8, [1] * 8)), 8),
        (lambda: paired_ratio_difference(([0.9] * 19, [1] * 19), ([0.9] * 19, [1] * 19)), 19),
    ],
)
def test_samples_too_poor_for_an_interval_get_none_and_support_nothing(estimate, n):
    found = estimate()
    assert (found.interval, found.n) == ("none", n)
    assert math.isnan(found.low)
    assert math.isnan(found.high)
    assert not found.excludes(0.0)


def test_identical_systems_never_differ_and_equal_hits_leave_room():
    same = [1.0] * 24
    estimate = paired_difference(same, same, bounds=(0, 1))
    assert estimate.value == 0
    assert estimate.low == pytest.approx(-estimate.high)
    assert 0.1 < estimate.high < 0.2  # Wilson: none of 24 differing leaves up to 14 %
    assert not estimate.excludes(0)


def test_pairing_finds_a_small_shift_that_unpaired_intervals_miss():
    rng = np.random.default_rng(3)
    first = rng.uniform(0, 1, size=40)
    second = first + 0.02 + rng.normal(0, 0.01, size=40)
    assert paired_difference(first, second).excludes(0)
    a, b = estimate_mean(first), estimate_mean(second)
    assert a.high > b.low
    assert paired_difference(second, first).value == pytest.approx(-paired_difference(first, second).value)


def test_noise_alone_is_rarely_called_a_difference():
    rng = np.random.default_rng(4)
    pairs = rng.normal(size=(DRAWS, 2, 40))
    false = np.mean([paired_difference(a, b, level=0.9).excludes(0) for a, b in pairs])
    assert false <= 0.2  # nominal 0.1


def test_the_risk_of_any_false_claim_among_many_is_what_was_asked_for():
    """Twenty independent differences of normal means, none of which is real."""
    draws = np.abs(np.random.default_rng(6).normal(size=(20_000, 20)))
    tails = {m: (1 - corrected_level(0.9, m)) / 2 for m in (1, 20)}
    false = {m: (draws > stats.norm.isf(tail)).any(axis=1).mean() for m, tail in tails.items()}
    assert false[1] > 0.5 and 0.08 < false[20] <= 0.1
    assert corrected_level(0.95, 0) == corrected_level(0.95, 1) == pytest.approx(0.95)
    with pytest.raises(ValueError, match="comparisons: must be at least 0, got -1"):
        corrected_level(0.95, -1)


def test_steps_of_one_run_are_not_taken_for_independent_draws():
    """Shares of a run whose steps resemble the steps before them: Wilson's interval misses far too often."""
    rng, held = np.random.default_rng(7), {"batches": 0, "wilson": 0}
    for _ in range(DRAWS):
        state, raised = rng.normal(), []
        for noise in rng.normal(size=200):
            state = 0.8 * state + 0.6 * noise  # of variance 1
            raised.append(state > 0)
        found = {"batches": estimate_steps(raised, bounds=(0, 1), level=0.9)}
        found["wilson"] = estimate_proportion(sum(raised), 200, level=0.9)
        for kind, estimate in found.items():
            held[kind] += estimate.low <= 0.5 <= estimate.high
    assert held["batches"] >= stats.binom.ppf(0.001, DRAWS, 0.86)  # stretches of 20 steps remember a little
    assert held["wilson"] < stats.binom.ppf(0.001, DRAWS, 0.8)


def test_a_short_run_has_no_interval_and_a_constant_one_has_its_bounds():
    assert estimate_steps([0, 1] * 24).interval == "none"
    never = estimate_steps([0.0] * 60, bounds=(0, 1))
    assert (never.interval, never.low, never.n) == ("bounded", 0, 10) and 0.2 < never.high < 0.4
    assert estimate_steps([], bounds=(0, 1)).n == 0
    uneven = estimate_steps(np.arange(53.0))
    assert uneven.value == 26 and uneven.low < 26 < uneven.high


def test_the_least_detectable_difference_is_found_as_often_as_said():
    rng, truth = np.random.default_rng(8), np.zeros(60)
    arms = [paired_difference(truth, rng.normal(size=60)).least_detectable() for _ in range(20)]
    effect = float(np.median(arms))
    found = sum(paired_difference(truth, rng.normal(effect, 1, 60)).excludes(0) for _ in range(DRAWS))
    assert stats.binom.ppf(0.001, DRAWS, 0.75) <= found <= stats.binom.ppf(0.999, DRAWS, 0.85)
    assert math.isnan(Estimate(0.0, math.nan, math.nan, 3, "none").least_detectable())
    student = Estimate(0.0, -1, 1, 9, "crossed", 0.95, 0.1)
    assert student.least_detectable() == pytest.approx(1 + 0.084, abs=1e-3)


def test_equal_within_a_margin_is_more_than_no_difference():
    narrow, wide = Estimate(0.1, -0.2, 0.4, 50, "bca"), Estimate(0.1, -2.0, 2.2, 50, "bca")
    assert not narrow.excludes(0) and not wide.excludes(0)
    assert narrow.lies_within(0.5) and not wide.lies_within(0.5) and not narrow.lies_within(0.4)
    assert Estimate(0.3, 0.1, 0.45, 50, "bca").lies_within(0.5)  # supported, and too small to matter
    assert not Estimate(0.0, math.nan, math.nan, 3, "none").lies_within(1e9)


def test_ratio_difference_agrees_with_the_ratios_and_with_pairing():
    rng = np.random.default_rng(5)
    counts = rng.integers(0, 3, size=50)
    totals = counts * rng.uniform(0.5, 0.9, size=50)
    better = (totals + 0.05 * counts, counts)
    estimate = paired_ratio_difference((totals, counts), better)
    assert estimate.value == pytest.approx(0.05)
    # The same shift in every image: pairing leaves no doubt, hence no width, hence no bootstrap interval.
    assert estimate.interval == "none"
    noisy = (better[0] + counts * rng.normal(0, 0.02, size=50), counts)
    assert paired_ratio_difference((totals, counts), noisy).excludes(0)


@settings(max_examples=15)
@given(st.lists(st.floats(0, 1), min_size=5, max_size=30), st.integers(0, 3))
def test_any_sample_in_bounds_gives_an_ordered_repeatable_interval(values, seed):
    estimate = estimate_mean(values, bounds=(0, 1), seed=seed)
    assert estimate == estimate_mean(values, bounds=(0, 1), seed=seed)
    assert -1e-9 <= estimate.low <= estimate.high <= 1 + 1e-9
    assert estimate.low - 1e-9 <= estimate.value <= estimate.high + 1e-9


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: estimate_mean([1.0, math.nan]), "values: must be finite"),
        (lambda: estimate_mean([0.5, 1.5], bounds=(0, 1)), r"values: must be in \[0, 1\], got 0.5 to 1.5"),
        (lambda: estimate_mean([[1.0]]), r"values: must have one dimension, got shape \(1, 1\)"),
        (lambda: estimate_proportion(3, 2), r"successes: must be in \[0, 2\], the number of trials, got 3"),
        (lambda: estimate_proportion(1, 1, level=1.0), r"level: must be in \(0, 1\), got 1.0"),
        (lambda: paired_difference([1.0], [1.0, 2.0]), "must be of one length, got 1 and 2"),
        (lambda: estimate_ratio([1.0], [-1.0]), "counts: must not be negative"),
    ],
)
def test_bad_samples_are_refused_by_name(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_an_estimate_survives_the_results_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("FAIRHUMAN_WORKSPACE", str(tmp_path))
    estimate = estimate_proportion(2, 3)
    nothing = estimate_mean([])
    write_result(
        "quick",
        "e",
        {"rate": estimate.stored(), "none": nothing.stored()},
        parameters={},
        samples=3,
        seed=0,
    )
    figures = read_result("quick", "e")["values"]
    assert figures["rate"] == estimate.stored()
    assert figures["none"]["low"] is None
