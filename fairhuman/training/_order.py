"""Which images come at each step: each as often as its repeats say, a batch of one bucket at a time."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from fairhuman.seeds import bucket_order, example_index

__all__ = ["Order"]


class Order:
    """The images of every step, a function of the seed and the step alone.

    Without buckets, images come from an endless stream in which each epoch has every image once, in a
    different order. With them, each bucket has such a stream, and a step takes its batch from one of them: of
    as many steps as there are images, each bucket has as many as it has images. So every image comes as often
    as without buckets: over that cycle exactly, on the way as far as whole batches allow.

    Of a training and a regularisation set, each gives half of the images: without buckets every second one.
    With them, the two lead the steps in turns, and a step's bucket is one of its leader's. The images of a
    bucket are mixed as far as each set has any there.

    Args:
        seed: Of the run.
        batch: Images a step.
        sets: For each set of images, how often each comes in an epoch, shape (n,), and the size to which it
            is brought, shape (n, 2).

    Attributes:
        sizes: Height and width of each bucket.
    """

    def __init__(self, seed: int, batch: int, sets: Sequence[tuple[np.ndarray, np.ndarray]]) -> None:
        self.seed, self.batch = seed, batch
        found, numbers = np.unique(np.concatenate([sizes for _, sizes in sets]), axis=0, return_inverse=True)
        self.sizes: list[list[int]] = found.tolist()
        ends = np.cumsum([len(sizes) for _, sizes in sets])
        self._streams: list[list[np.ndarray]] = []
        """Of each set and bucket the images of an epoch."""
        for (repeats, _), bucket in zip(sets, np.split(numbers.reshape(-1), ends[:-1]), strict=True):
            epoch = np.repeat(np.arange(len(repeats)), repeats // np.gcd.reduce(repeats))
            self._streams.append([epoch[bucket[epoch] == one] for one in range(len(found))])
        self._counts = np.array([[len(stream) for stream in streams] for streams in self._streams])
        """Images of an epoch, by set and bucket."""
        self._weights = self._counts * self._counts.sum(axis=1, keepdims=True)[::-1]
        """Of two sets by bucket, in which proportion their images are mixed: n₀/N₀ to n₁/N₁."""
        self._turns = [tuple((own // np.gcd.reduce(own)).tolist()) for own in self._counts]
        """Steps of a cycle in which a set chooses each bucket."""

    def images(self, step: int) -> list[tuple[int, int]]:
        """Set and place in it of each image of a step's batch, in their order."""
        bucket, earlier = self._bucket(step)
        return [self._image(bucket, earlier * self.batch + place) for place in range(self.batch)]

    @property
    def alone(self) -> bool:
        """Whether batches may hold nothing but images of the second set."""
        first, second = self._weights
        return bool(((second > 0) & (self.batch * first < first + second)).any())

    def _image(self, bucket: int, position: int) -> tuple[int, int]:
        """The image at a position of a bucket's stream, into which those of its sets are mixed evenly."""
        which, own = 0, position
        if len(self._counts) == 2:
            first, second = self._weights[:, bucket].tolist()
            before, after = (at * second // (first + second) for at in (position, position + 1))
            which, own = (1, before) if after > before else (0, position - before)
        stream = self._streams[which][bucket]
        return which, int(stream[example_index(self.seed, own, len(stream), 2 * bucket + which)])

    def _bucket(self, step: int) -> tuple[int, int]:
        """The bucket of a step, and how many earlier steps had it."""
        if len(self.sizes) == 1:
            return 0, step
        turn, leader = divmod(step, len(self._turns))
        order, place, _ = self._cycle(leader, turn)
        bucket = int(order[place])
        return bucket, sum(
            self._chosen(one, turn + (one < leader), bucket) for one in range(len(self._turns))
        )

    def _chosen(self, which: int, turns: int, bucket: int) -> int:
        """In how many of its first turns a set chose a bucket."""
        order, place, cycles = self._cycle(which, turns)
        return cycles * self._turns[which][bucket] + int(np.count_nonzero(order[:place] == bucket))

    def _cycle(self, which: int, turn: int) -> tuple[np.ndarray, int, int]:
        """The buckets of the cycle to which a set's turn belongs, the turn's place in it, the cycle."""
        cycle, place = divmod(turn, sum(self._turns[which]))
        return bucket_order(self.seed, cycle, self._turns[which], which), place, cycle
