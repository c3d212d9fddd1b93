"""Intervals over seeds and images hold the truth as often as they say, whatever the variances are."""

import numpy as np
import pytest
from scipy import stats

from fairhuman.evaluation import crossed_bootstrap, crossed_difference, crossed_mean
from fairhuman.evaluation.crossed import LEAST_SEEDS

IMAGES, DRAWS = 40, 300
CORRECTED = 1 - 0.05 / 40
SPREADS = {"equal": (0.3, 0.3), "ten times": (0.03, 0.3), "none in one": (0.0, 0.3)}


def settings(random, seeds, spreads, image_effect):
    """Losses of two settings of equal means: an effect of each seed, one of each image on the difference."""
    first, second = (
        spread * random.normal(size=(seeds, 1)) + 0.5 * random.normal(size=(seeds, IMAGES))
        for spread in spreads
    )
    return first, second + image_effect * random.normal(size=(1, IMAGES))


def misses(random, seeds, spreads, image_effect, level, draws=DRAWS):
    intervals = [
        crossed_difference(*settings(random, seeds, spreads, image_effect), level=level) for _ in range(draws)
    ]
    return sum(interval.excludes(0) for interval in intervals)


def most(share, draws=DRAWS):
    """More than so many misses would come by chance once in a thousand times."""
    return stats.binom.ppf(0.999, draws, share)


@pytest.mark.parametrize("seeds", [3, 8])
@pytest.mark.parametrize("spreads", SPREADS.values(), ids=SPREADS)
@pytest.mark.parametrize("image_effect", [0.3, 3.0])
def test_intervals_hold_the_truth_as_often_as_they_say(seeds, spreads, image_effect):
    random = np.random.default_rng(1)
    missed = misses(random, seeds, spreads, image_effect, 0.9)
    assert stats.binom.ppf(0.001, DRAWS, 0.03) <= missed <= most(0.1)  # and are not of any width
    assert misses(random, seeds, spreads, image_effect, CORRECTED) <= most(1 - CORRECTED)


def test_a_variance_pooled_over_settings_would_not_hold_it():
    """What the test above is worth: the arm of a setting that hardly varies, given to one that does."""
    random, missed = np.random.default_rng(2), 0
    for _ in range(DRAWS):
        first, second = settings(random, 3, (0.03, 0.3), 0.3)
        quiet, _ = settings(random, 3, (0.03, 0.03), 0.3)
        pooled = crossed_difference(first, quiet, level=0.9)
        missed += abs(second.mean() - first.mean()) > (pooled.high - pooled.low) / 2
    assert missed > 2 * most(0.1)


def test_resampling_needs_the_seeds_that_are_asked_for():
    def share(totals, counts):
        return totals.sum(-1) / counts.sum(-1)

    random, held, draws = np.random.default_rng(3), 0, 60
    for _ in range(draws):
        pair = [(values, np.ones_like(values)) for values in settings(random, LEAST_SEEDS, (0.03, 0.3), 0.3)]
        found = crossed_bootstrap(share, *pair, level=0.9)
        held += found.low <= 0 <= found.high
        assert found.value == pytest.approx(pair[1][0].mean() - pair[0][0].mean())
    # Percentiles of eight seeds are somewhat narrow: 85 % are asked of a nominal 90 %.
    assert held >= stats.binom.ppf(0.001, draws, 0.85)
    few = [(values[:-1], np.ones_like(values[:-1])) for values in settings(random, LEAST_SEEDS, (1, 1), 1)]
    assert crossed_bootstrap(share, *few).interval == "none"
    for images, kind in ((9, "none"), (10, "crossed")):
        small = [[part[:, :images] for part in parts] for parts in pair]
        assert crossed_bootstrap(share, *small).interval == kind
    with pytest.raises(ValueError, match=r"must be \(seeds, images\), got \(8, 40\) and \(8, 39\)"):
        crossed_bootstrap(share, pair[0], [part[:, 1:] for part in pair[1]])


def test_over_seeds_alone_the_interval_is_welch_s():
    random = np.random.default_rng(4)
    first, second = (np.repeat(random.normal(size=(n, 1)), 20, axis=1) for n in (3, 5))
    found = crossed_difference(first, second, level=0.9)
    welch = stats.ttest_ind(second[:, 0], first[:, 0], equal_var=False)
    assert (found.low, found.high) == pytest.approx(tuple(welch.confidence_interval(0.9)))
    assert found.error == pytest.approx(np.sqrt(first[:, 0].var(ddof=1) / 3 + second[:, 0].var(ddof=1) / 5))


def test_over_images_alone_it_is_student_s_and_the_base_has_no_seeds():
    random = np.random.default_rng(5)
    base, images = random.normal(size=(1, 30)), random.normal(size=(1, 30))
    found = crossed_difference(base, np.repeat(images, 3, axis=0))
    student = stats.ttest_1samp((images - base)[0], 0).confidence_interval(0.95)
    assert (found.low, found.high) == pytest.approx((student.low, student.high))
    turned = crossed_difference(np.repeat(images, 3, axis=0), base)
    assert (turned.low, turned.high) == pytest.approx((-found.high, -found.low))


def test_one_seed_says_nothing_about_others():
    values = np.random.default_rng(0).normal(1, 0.1, (1, 40))
    assert crossed_mean(values).interval == "images"
    assert crossed_difference(values, values + 1).interval == "none"  # the same shift in every image
    assert crossed_mean(np.repeat(values, 3, axis=0)).interval == "crossed"
    few = crossed_mean(np.array([[0.0], [1.0], [2.0]]) + np.zeros((3, 40)))
    student = 4.303  # of two degrees of freedom
    assert few.value == 1 and few.low == pytest.approx(1 - student / np.sqrt(3), abs=1e-3)


def test_two_images_suffice_for_an_interval_over_both_and_one_does_not():
    values = np.array([[1.0, 2.0], [2.0, 4.0], [3.0, 3.0]])
    assert crossed_mean(values).interval == "crossed"
    assert crossed_mean(values[:, :1]).interval == "none"


def test_images_without_a_region_are_left_out():
    values = np.array([[1.0, np.nan, 3.0, 4.0], [2.0, np.nan, 4.0, 5.0]])
    assert crossed_mean(values).n == 3 and crossed_mean(values).value == pytest.approx(19 / 6)
    for other in ([[1.0, 2.0, 3.0, 4.0]], [[1.0, np.nan], [2.0, 3.0]]):
        with pytest.raises(ValueError, match="for every seed or for none|must have the same images"):
            crossed_difference(values, other)
    with pytest.raises(ValueError, match=r"shape \(seeds, images\), got \(2,\)"):
        crossed_mean([1.0, 2.0])
