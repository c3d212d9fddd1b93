"""Duplicates: photographs with similar perceptual hashes."""

from __future__ import annotations

import math
from array import array
from collections.abc import Sequence
from itertools import combinations
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.fft import dctn

__all__ = ["find_duplicates", "perceptual_hash"]

_SIDE, _KEPT = 32, 8
_BITS: Final = 64
_MOST_BANDS: Final = 3  # that are asked to agree; with more the choices of bands would be too many
_MOST_BITS: Final = 22  # of a key: a table of all its values takes 16 MB


def perceptual_hash(pixels: NDArray[np.uint8]) -> int:
    """64-bit perceptual hash, robust to scaling, compression and slight colour changes.

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
    """For each hash, the first kept hash that it duplicates, or ``None`` if it is kept itself.

    Hashes are processed in order. Two hashes that differ in at most d of 64 bits agree in at least k of d + k
    bands of bits, so only hashes that share k bands are compared. k grows with the number of hashes: for d up
    to 4, a hash is compared with few others among a million.

    >>> find_duplicates([0b0000, 0b0001, 0b1111], distance=1)
    [None, 0, None]
    """
    if distance < 0 or not hashes:
        return [None] * len(hashes)
    keys = _keys(np.array(hashes, dtype=np.uint64), distance)
    heads = [array("i", [-1]) * (int(shared.max()) + 1) for shared in keys]  # the last kept one of each key,
    links = [array("i", [-1]) * len(hashes) for _ in keys]  # and of each kept one the one before
    found: list[int | None] = []
    for index, value in enumerate(hashes):
        own = [int(shared[index]) for shared in keys]
        near = None
        for key, head, link in zip(own, heads, links, strict=True):
            other = head[key]
            while other >= 0:
                if (near is None or other < near) and (hashes[other] ^ value).bit_count() <= distance:
                    near = other
                other = link[other]
        found.append(near)
        if near is None:
            for key, head, link in zip(own, heads, links, strict=True):
                link[index], head[key] = head[key], index
    return found


def _keys(hashes: NDArray[np.uint64], distance: int) -> list[NDArray[np.uint32]]:
    """For each choice of k bands the bits in them, for the k that compares least."""

    def comparisons(k: int) -> float:
        bits = min(_BITS * k / (distance + k), _MOST_BITS)
        return math.comb(distance + k, k) * (1 + len(hashes) / 2**bits)

    k = min(range(1, _MOST_BANDS + 1), key=comparisons)
    edges = [round(band * _BITS / (distance + k)) for band in range(distance + k + 1)]
    found = []
    for bands in combinations(zip(edges, edges[1:], strict=False), k):
        key = np.zeros(len(hashes), dtype=np.uint64)
        for low, high in bands:
            part = (hashes >> np.uint64(low)) & np.uint64((1 << (high - low)) - 1)
            key = (key << np.uint64(high - low)) | part
        found.append((key % np.uint64(1 << _MOST_BITS)).astype(np.uint32))
    return found
