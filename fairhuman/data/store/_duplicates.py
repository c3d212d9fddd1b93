"""Duplicates: photographs whose perceptual hashes differ in few bits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn

__all__ = ["find_duplicates", "perceptual_hash"]

_SIDE, _KEPT = 32, 8
_BITS: Final = 64


def perceptual_hash(pixels: NDArray[np.uint8]) -> int:
    """64 bits that scaling, compression and slight changes of colour hardly change.

    Signs, about their median, of the 8×8 lowest frequencies of the image at 32×32 in grey: the "pHash" of
    Zauner, *Implementation and Benchmarking of Perceptual Image Hash Functions* (2010).

    Args:
        pixels: Shape (H, W, 3), uint8.
    """
    picture = Image.fromarray(pixels)
    small = picture.resize((_SIDE, _SIDE), Image.Resampling.BOX, reducing_gap=3.0).convert("L")
    low = dctn(np.asarray(small, dtype=np.float64), norm="ortho")[:_KEPT, :_KEPT].ravel()
    bits = low > np.median(low[1:])  # the first is the mean brightness
    return int.from_bytes(np.packbits(bits).tobytes(), "big")


def find_duplicates(hashes: Sequence[int], distance: int) -> list[int | None]:
    """For each hash the first of the kept ones that it is a duplicate of, or ``None`` if it is kept itself.

    Hashes are taken in their order. Two that differ in at most d of 64 bits agree in at least one of d + 1
    bands of bits, so only those that share a band are compared.

    >>> find_duplicates([0b0000, 0b0001, 0b1111], distance=1)
    [None, 0, None]
    """
    if distance < 0:
        return [None] * len(hashes)
    edges = [round(band * _BITS / (distance + 1)) for band in range(distance + 2)]
    bands = [(low, (1 << (high - low)) - 1) for low, high in zip(edges, edges[1:], strict=False)]
    buckets: list[dict[int, list[int]]] = [defaultdict(list) for _ in bands]
    found: list[int | None] = []
    for index, value in enumerate(hashes):
        parts = [(value >> shift) & mask for shift, mask in bands]
        near = {
            other
            for bucket, part in zip(buckets, parts, strict=True)
            for other in bucket.get(part, ())
            if (hashes[other] ^ value).bit_count() <= distance
        }
        found.append(min(near, default=None))
        if not near:
            for bucket, part in zip(buckets, parts, strict=True):
                bucket[part].append(index)
    return found
