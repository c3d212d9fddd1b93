"""Randomness without state: every draw is a function of the seed and of what it is for.

So a resumed run needs no stored random state, and which process draws for an image makes no difference.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

__all__ = ["EXAMPLE", "HELDOUT", "ORDER", "SAMPLE", "START", "example_index", "generator"]

ORDER, EXAMPLE, HELDOUT, START, SAMPLE = range(5)
"""What a stream of random numbers is for."""


def generator(seed: int, purpose: int, *counters: int) -> torch.Generator:
    """A CPU generator of its own for each purpose and counter."""
    state = np.random.SeedSequence([seed, purpose, *counters]).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]))


def example_index(seed: int, position: int, count: int) -> int:
    """Which of ``count`` images comes at ``position`` of the endless stream in which every image occurs
    once an epoch, in an order of its own."""
    epoch, place = divmod(position, count)
    return _order(seed, epoch, count)[place]


@lru_cache(maxsize=4)
def _order(seed: int, epoch: int, count: int) -> list[int]:
    return torch.randperm(count, generator=generator(seed, ORDER, epoch)).tolist()
