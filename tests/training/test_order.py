"""The order of images: each as often as its repeats say, batches of one bucket, no state."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fairhuman.seeds import bucket_order, example_index
from fairhuman.training._order import Order

SIZES = np.array([[64, 64], [48, 80], [80, 48]])


@st.composite
def sets(draw, most=8):
    count = draw(st.integers(1, most))
    repeats = draw(st.lists(st.integers(1, 3), min_size=count, max_size=count))
    buckets = draw(st.lists(st.integers(0, 2), min_size=count, max_size=count))
    return np.array(repeats), SIZES[buckets]


def epoch(repeats):
    return repeats // np.gcd.reduce(repeats)


def drawn(order, steps):
    return [order.images(step) for step in range(steps)]


@settings(max_examples=30)
@given(sets(), st.integers(1, 4), st.integers(0, 9))
def test_over_a_cycle_every_image_comes_as_often_as_its_repeats_say(some, batch, seed):
    order, cycle = Order(seed, batch, [some]), int(epoch(some[0]).sum())
    for first in (0, cycle):  # the first cycle and the second
        found = Counter(i for step in range(first, first + cycle) for _, i in order.images(step))
        assert found == dict(enumerate((batch * epoch(some[0])).tolist()))


@pytest.mark.parametrize("seed", range(4))
def test_on_the_way_no_bucket_falls_behind(seed):
    counts = np.array([40, 20, 10, 1])
    made = np.cumsum(bucket_order(seed, 0, tuple(counts.tolist()))[:, None] == np.arange(4), axis=0)
    shares = counts / counts.sum()
    expected = np.arange(1, counts.sum() + 1)[:, None] * shares
    assert (np.abs(made - expected) < 1 + 4 * shares).all()


@settings(max_examples=30)
@given(sets(), sets(), st.integers(1, 4), st.integers(0, 9))
def test_a_batch_is_of_one_bucket(some, others, batch, seed):
    for images in drawn(Order(seed, batch, [some, others]), 12):
        assert len({tuple((some, others)[which][1][index].tolist()) for which, index in images}) == 1


@settings(max_examples=20)
@given(sets(4), sets(4), st.integers(1, 3), st.integers(0, 9))
def test_half_of_all_images_are_of_the_regularisation_set(some, others, batch, seed):
    cycle = int(2 * epoch(some[0]).sum() * epoch(others[0]).sum())
    found = Counter(image for images in drawn(Order(seed, batch, [some, others]), cycle) for image in images)
    for which, (repeats, _) in enumerate((some, others)):
        each = epoch(repeats) * (cycle // 2 // epoch(repeats).sum()) * batch
        assert [found[which, index] for index in range(len(each))] == each.tolist()


@settings(max_examples=20)
@given(sets(), sets(), st.integers(1, 4), st.integers(0, 9))
def test_a_step_needs_no_earlier_one(some, others, batch, seed):
    expected = drawn(Order(seed, batch, [some, others]), 10)
    bucket_order.cache_clear()
    again = Order(seed, batch, [some, others])
    assert [again.images(step) for step in reversed(range(10))] == expected[::-1]


@pytest.mark.parametrize("seed", [3, 2**40 + 7])
def test_one_bucket_is_the_order_without_buckets(seed):
    """The stream of images as it was before there were buckets."""
    order = Order(seed, 3, [(np.ones(5, int), SIZES[[1] * 5])])
    found = [index for images in drawn(order, 6) for _, index in images]
    assert found == [example_index(seed, position, 5) for position in range(18)]
    assert all(sorted(found[first : first + 5]) == list(range(5)) for first in (0, 5, 10))


def test_without_buckets_every_second_image_is_of_the_regularisation_set():
    order = Order(0, 3, [(np.ones(5, int), SIZES[[0] * 5]), (np.ones(9, int), SIZES[[0] * 9])])
    kinds = [which for images in drawn(order, 6) for which, _ in images]
    assert kinds == [0, 1] * 9


def test_batches_of_regularisation_images_alone_are_known():
    def alone(batch, first, second):
        given = [(np.ones(len(one), int), SIZES[one]) for one in (first, second)]
        order = Order(0, batch, given)
        found = any(all(which for which, _ in images) for images in drawn(order, 24))
        assert order.alone or not found
        return order.alone, found

    assert alone(2, [0, 1], [0, 1]) == alone(3, [0, 1], [1]) == (False, False)
    assert alone(2, [0, 1], [1]) == alone(1, [0], [0]) == alone(2, [0], [0, 1]) == (True, True)


def test_the_order_differs_by_seed_and_cycle():
    counts = (5, 4, 3)
    orders = {tuple(bucket_order(seed, cycle, counts).tolist()) for seed in (0, 1) for cycle in (0, 1)}
    assert len(orders) == 4
    assert all(Counter(order) == {0: 5, 1: 4, 2: 3} for order in orders)
