"""The images of each step, with repeats and one bucket per batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fairhuman.seeds import bucket_order, example_index

__all__ = ["Order"]


class Order:
    """The images of every step, a function of only the seed and the step.

    Without buckets, images come from an infinite stream in which each epoch has every image once, in a new
    order. With buckets, each bucket has such a stream, and a step takes its batch from one bucket: in a cycle
    of as many steps as there are images, each bucket is chosen as many times as it has images. Every image is
    therefore used as often as without buckets: exactly over the cycle, approximately within it.

    A training set and a regularisation set each provide half of the images: without buckets, every second
    one. With buckets, the two sets take turns in choosing a step's bucket, and a bucket's images are mixed
    from both sets if both have some.

    Args:
        seed: Seed of the run.
        batch: Images per step.
        sets: For each set of images, their occurrences per epoch, shape (n,), and their transformed sizes,
            shape (n, 2).

    Attributes:
        sizes: Height and width of each bucket.
    """

    def __init__(self, seed: int, batch: int, sets: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
        self.seed, self.batch = seed, batch
        found, numbers = np.unique(np.concatenate([sizes for _, sizes in sets]), axis=0, return_inverse=True)
        self.sizes: list[list[int]] = found.tolist()
        ends = np.cumsum([len(sizes) for _, sizes in sets])
        self._streams: list[list[np.ndarray]] = []
        """The images of an epoch for each set and bucket."""
        for (repeats, _), bucket in zip(sets, np.split(numbers.reshape(-1), ends[:-1]), strict=True):
            epoch = np.repeat(np.arange(len(repeats)), repeats // np.gcd.reduce(repeats))
            self._streams.append([epoch[bucket[epoch] == one] for one in range(len(found))])
        self._counts = np.array([[len(stream) for stream in streams] for streams in self._streams])
        """Number of images per epoch, by set and bucket."""
        self._weights = self._counts * self._counts.sum(axis=1, keepdims=True)[::-1]
        """Mixing proportion of two sets in each bucket: n₀/N₀ to n₁/N₁."""
        self._turns = [tuple((own // np.gcd.reduce(own)).tolist()) for own in self._counts]
        """Number of steps per cycle in which a set chooses each bucket."""

    def images(self, step: int) -> list[tuple[int, int]]:
        """Set and index of each image in a step's batch, in order."""
        bucket, earlier = self._bucket(step)
        return [self._image(bucket, earlier * self.batch + place) for place in range(self.batch)]

    @property
    def alone(self) -> bool:
        """Whether batches may consist of images of the second set only."""
        first, second = self._weights
        return bool(((second > 0) & (self.batch * first < first + second)).any())

    def _image(self, bucket: int, position: int) -> tuple[int, int]:
        """The image at a position of a bucket's stream, in which its sets are mixed evenly."""
        which, own = 0, position
        if len(self._counts) == 2:
            first, second = self._weights[:, bucket].tolist()
            before, after = (at * second // (first + second) for at in (position, position + 1))
            which, own = (1, before) if after > before else (0, position - before)
        stream = self._streams[which][bucket]
        return which, int(stream[example_index(self.seed, own, len(stream), 2 * bucket + which)])

    def _bucket(self, step: int) -> tuple[int, int]:
        """The bucket of a step, and the number of earlier steps with it."""
        if len(self.sizes) == 1:
            return 0, step
        turn, leader = divmod(step, len(self._turns))
        order, place, _ = self._cycle(leader, turn)
        bucket = int(order[place])
        return bucket, sum(
            self._chosen(one, turn + (one < leader), bucket) for one in range(len(self._turns))
        )

    def _chosen(self, which: int, turns: int, bucket: int) -> int:
        """How often a set chose a bucket in its first turns."""
        order, place, cycles = self._cycle(which, turns)
        return cycles * self._turns[which][bucket] + int(np.count_nonzero(order[:place] == bucket))

    def _cycle(self, which: int, turn: int) -> tuple[np.ndarray, int, int]:
        """The buckets of a turn's cycle, the turn's position in it, and the cycle's index."""
        cycle, place = divmod(turn, sum(self._turns[which]))
        return bucket_order(self.seed, cycle, self._turns[which], which), place, cycle
