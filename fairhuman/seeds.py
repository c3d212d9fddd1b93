"""Stateless randomness: every random stream is a function of a seed and its purpose.

A resumed run therefore needs no stored random state, and results do not depend on which process handles an
image. Each function is one kind of stream; all generators are on the CPU. NumPy pads short seeds with zeros,
so a training's first image and the second prompt share a stream; nothing depends on both.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch

__all__ = [
    "EXAMPLE",
    "START",
    "bucket_order",
    "caption_generator",
    "example_generator",
    "example_index",
    "generator",
    "heldout_generator",
    "mask_generators",
    "place_generator",
    "sample_generator",
    "start_seed",
    "validation_example_generator",
    "validation_generator",
]

ORDER, EXAMPLE, HELDOUT, START, VALIDATION, CAPTION, BUCKET = range(7)
"""Purposes of a training's streams."""


def example_index(seed: int, position: int, count: int, stream: int = 0) -> int:
    """Index of the image, out of ``count``, at ``position`` of an infinite stream with every image once per
    epoch, in a new order each time. ``stream`` distinguishes the streams of one training."""
    epoch, place = divmod(position, count)
    return int(_order(seed, epoch, count, stream)[place])


@lru_cache(maxsize=8)
def bucket_order(seed: int, cycle: int, counts: tuple[int, ...], stream: int = 0) -> np.ndarray:
    """The bucket of each step in a cycle with ``counts[i]`` steps of the i-th bucket, shape (Σ counts,).

    Each bucket has one step at a random time in each of ``counts[i]`` equal parts of the cycle, so that no
    bucket is missing for long.
    """
    sizes = np.array(counts)
    buckets = np.repeat(np.arange(len(counts)), sizes)
    places = np.arange(len(buckets)) - (sizes.cumsum() - sizes)[buckets]
    draws = torch.rand(len(buckets), generator=generator(seed, BUCKET, cycle, stream), dtype=torch.float64)
    return buckets[np.argsort((places + draws.numpy()) / sizes[buckets], kind="stable")]


def example_generator(seed: int, position: int) -> torch.Generator:
    """Transform, timestep and noise of the training image at ``position`` of that stream."""
    return generator(seed, EXAMPLE, position)


def caption_generator(seed: int, position: int) -> torch.Generator:
    """Caption changes for the training image at ``position``."""
    return generator(seed, CAPTION, position)


def mask_generators(image: torch.Generator, count: int) -> list[torch.Generator]:
    """One stream per mask, independent of its image's stream."""
    seeds = ((image.initial_seed() + place) % 2**63 for place in range(1, count + 1))
    return [torch.Generator().manual_seed(seed) for seed in seeds]


def heldout_generator(seed: int, image: int, draw: int) -> torch.Generator:
    """Timestep and noise of the ``draw``-th repetition of a held-out image."""
    return generator(seed, HELDOUT, image, draw)


def validation_generator(seed: int, index: int) -> torch.Generator:
    """Initial noise of the validation sample for a held-out caption."""
    return generator(seed, VALIDATION, index)


def validation_example_generator(seed: int, index: int) -> torch.Generator:
    """Transform of the held-out image that provides the conditions of a validation sample."""
    return generator(seed, VALIDATION, index, 1)


def start_seed(seed: int) -> int:
    """Seed of an adapter's initial weights."""
    return generator(seed, START).initial_seed()


def sample_generator(seed: int, prompt_index: int) -> torch.Generator:
    """Initial noise of one sampled image."""
    return _stream(seed, prompt_index)


def place_generator(seed: int, place: int) -> torch.Generator:
    """Timestep and noise of the image at ``place`` in a measurement without training."""
    return _stream(seed, place)


def generator(seed: int, purpose: int, *counters: int) -> torch.Generator:
    """A separate stream per purpose and counters, for trainings without their own function here."""
    return _stream(seed, purpose, *counters)


def _stream(*numbers: int) -> torch.Generator:
    state = np.random.SeedSequence(numbers).generate_state(1, np.uint64)
    return torch.Generator().manual_seed(int(state[0]))


@lru_cache(maxsize=64)
def _order(seed: int, epoch: int, count: int, stream: int) -> np.ndarray:
    counters = (epoch, stream) if stream else (epoch,)
    return torch.randperm(count, generator=generator(seed, ORDER, *counters)).numpy()
