"""Streams: repeatable, independent of each other, and the very ones that stored runs were drawn from."""

from itertools import pairwise

import pytest
import torch

from fairhuman import seeds

STREAMS = {
    "example": lambda seed, n: seeds.example_generator(seed, n),
    "held-out": lambda seed, n: seeds.heldout_generator(seed, n, 0),
    "held-out, second draw": lambda seed, n: seeds.heldout_generator(seed, n, 1),
    "mask": lambda seed, n: seeds.mask_generators(seeds.example_generator(seed, n), 2)[1],
    "sample": lambda seed, n: seeds.sample_generator(seed, n),
    "validation": lambda seed, n: seeds.validation_generator(seed, n),
    "validation example": lambda seed, n: seeds.validation_example_generator(seed, n),
    "caption": lambda seed, n: seeds.caption_generator(seed, n),
}
SEEDS = [
    7202517016708070393,
    8462000660675936086,
    6189011880883472065,
    7202517016708070395,
    4456001744481747375,
    15082411790840353663,
    11604710783929534601,
    2256932439824057811,
]
START, ORDER = 5061563556724077661, [3, 0, 2, 1, 4]


def numbers(name, seed, n):
    return torch.randn(4, generator=STREAMS[name](seed, n)).tolist()


@pytest.mark.parametrize("name", STREAMS)
def test_a_stream_is_a_function_of_seed_and_place(name):
    assert numbers(name, 3, 5) == numbers(name, 3, 5)


def test_no_two_streams_of_a_training_are_the_same():
    """Those of sampling have no purpose in their seed: some are those of a training, which does no harm."""
    names = [name for name in STREAMS if name != "sample"]
    drawn = sorted(numbers(name, seed, n) for name in names for seed in range(3) for n in range(8))
    assert all(first != second for first, second in pairwise(drawn))


def test_mask_streams_take_nothing_from_the_image_s():
    image = seeds.example_generator(0, 0)
    seeds.mask_generators(image, 3)
    expected = torch.randn(4, generator=seeds.example_generator(0, 0))
    assert torch.equal(torch.randn(4, generator=image), expected)


def test_every_image_comes_once_per_epoch():
    for seed in range(3):
        epochs = [[seeds.example_index(seed, 7 * e + i, 7) for i in range(7)] for e in range(4)]
        assert all(sorted(epoch) == list(range(7)) for epoch in epochs)
        assert len({tuple(epoch) for epoch in epochs}) > 1


def test_stored_runs_were_drawn_from_these():
    """A change here would make every run and image another one."""
    found = [STREAMS[name](7, 11).initial_seed() for name in STREAMS]
    assert found == SEEDS
    assert seeds.start_seed(7) == START
    assert [seeds.example_index(7, i, 5) for i in range(5)] == ORDER
