"""Running a detector on many images, in one or several processes, with progress and a cache."""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import cache as remembered
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from fairhuman.detectors._cache import Cache
from fairhuman.images import ImageLike, as_rgb
from fairhuman.processes import check_workers, work_through

__all__ = ["Finder", "find_all"]

# Starting a process takes about as long as this many 256-pixel images.
IMAGES_WORTH_A_PROCESS = 64


class Finder(Protocol):
    """A detector: built in each process from its threshold, then called on images (height, width, 3).

    ``identity`` is everything that determines the result besides the image and the threshold. ``encode``
    converts detections to JSON; ``decode`` reverses that and may raise KeyError, TypeError or ValueError.
    """

    def __init__(self, threshold: float) -> None: ...
    def __call__(self, pixels: np.ndarray) -> Any: ...
    def close(self) -> None: ...
    @staticmethod
    def identity() -> str: ...
    @staticmethod
    def encode(found: Any, /) -> Any: ...
    @staticmethod
    def decode(stored: Any, /) -> Any: ...


def find_all(
    finder: type[Finder],
    images: Sequence[ImageLike],
    *,
    workers: int,
    threshold: float,
    progress: bool | None,
    cache: str | os.PathLike[str] | None,
) -> list[Any]:
    """The finder's detections in every image; arguments and errors as for
    :func:`fairhuman.detectors.detect`."""
    if isinstance(images, (str, os.PathLike)):
        raise ValueError(f"images: must be a sequence of images, got the single path {images!r}")
    check_workers(workers)
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold: must be in [0, 1], got {threshold!r}")
    images = list(images)
    for image in images:
        if isinstance(image, (str, os.PathLike)) and not Path(image).is_file():
            raise FileNotFoundError(f"no image at {image}")

    many = len(images) >= IMAGES_WORTH_A_PROCESS
    bar = {
        "total": len(images),
        "desc": "detecting",
        "unit": "image",
        # None lets tqdm show itself on a terminal only.
        "disable": not progress if progress is not None else None if many else True,
    }
    numbered = list(enumerate(images))
    processes = max(1, min(workers, len(images) // IMAGES_WORTH_A_PROCESS))
    if processes == 1:
        with _Looker(finder, threshold, cache) as look:
            return [look(pair) for pair in tqdm(numbered, **bar)]
    work = work_through(_look, numbered, processes, finder, threshold, cache)
    found = {number: one for (number, _), one in tqdm(work, **bar)}
    return [found[number] for number in range(len(images))]


class _Looker:
    """Read a numbered image and get its detections from the cache or the finder, which is created on first
    use."""

    def __init__(self, finder: type[Finder], threshold: float, cache: str | os.PathLike[str] | None) -> None:
        self._kind, self._threshold, self._finder = finder, threshold, None
        identity = f"{finder.identity()}, threshold {threshold!r}"
        self._cache = None if cache is None else Cache(cache, identity)

    def __enter__(self) -> _Looker:
        return self

    def __exit__(self, *error: object) -> None:
        if self._finder is not None:
            self._finder.close()

    def __call__(self, numbered: tuple[int, ImageLike]) -> Any:
        number, image = numbered
        try:
            pixels = as_rgb(image)
        except ValueError as error:
            if isinstance(image, (str, os.PathLike)):
                raise
            raise ValueError(f"images[{number}]: {error}") from error
        if self._cache is None:
            return self._found(pixels)
        path = self._cache.path(pixels)
        stored = self._cache.get(path)
        if stored is not None:
            try:
                return self._kind.decode(stored)
            except (KeyError, TypeError, ValueError):
                pass  # damaged: look again
        found = self._found(pixels)
        self._cache.put(path, self._kind.encode(found))
        return found

    def _found(self, pixels: np.ndarray) -> Any:
        if self._finder is None:
            self._finder = self._kind(self._threshold)
        return self._finder(pixels)


_of_this_process = remembered(_Looker)


def _look(
    numbered: tuple[int, ImageLike],
    finder: type[Finder],
    threshold: float,
    cache: str | Path | None,
) -> Any:
    return _of_this_process(finder, threshold, cache)(numbered)
