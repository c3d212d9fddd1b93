"""A detector over many images: in this process or several, with progress and a cache."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from tqdm import tqdm

from fairhuman.evaluation._images import ImageLike, as_rgb
from fairhuman.evaluation.detectors._cache import Cache

__all__ = ["Finder", "find_all"]

# Starting a process costs about as long as these many 256 px images take.
IMAGES_WORTH_A_PROCESS = 64


class Finder(Protocol):
    """A detector: built in each process from its threshold, then called on images."""

    def __init__(self, threshold: float) -> None: ...

    def __call__(self, pixels: np.ndarray) -> Any:
        """What is found in an image of shape (height, width, 3), uint8."""
        ...

    def close(self) -> None:
        """Let go of what it holds."""
        ...

    @staticmethod
    def identity() -> str:
        """All that decides what is found, beside the image and the threshold."""
        ...

    @staticmethod
    def encode(found: Any) -> Any:
        """What is found as JSON holds it."""
        ...

    @staticmethod
    def decode(stored: Any) -> Any:
        """The reverse; may raise KeyError, TypeError or ValueError."""
        ...


def find_all(
    finder: type[Finder],
    images: Sequence[ImageLike],
    *,
    workers: int,
    threshold: float,
    progress: bool | None,
    cache: str | os.PathLike[str] | None,
) -> list[Any]:
    """What the finder finds in every image; arguments and errors as for
    :func:`fairhuman.evaluation.detect`."""
    if isinstance(images, (str, os.PathLike)):
        raise ValueError(f"images must be a sequence of images, found the single path {images!r}")
    if not isinstance(workers, int) or workers < 1:
        raise ValueError(f"workers must be an integer of at least 1, found {workers!r}")
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must be in [0, 1], found {threshold!r}")
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
        with _Worker(finder, threshold, cache) as worker:
            return [worker(pair) for pair in tqdm(numbered, **bar)]
    # Spawned, not forked: a fork of a process whose libraries run threads may hang.
    with ProcessPoolExecutor(
        processes, get_context("spawn"), initializer=_start, initargs=(finder, threshold, cache)
    ) as pool:
        return list(tqdm(pool.map(_find, numbered, chunksize=16), **bar))


class _Worker:
    """Reads a numbered image and looks it up or looks at it; the finder is made when it is first needed."""

    def __init__(self, finder: type[Finder], threshold: float, cache: str | os.PathLike[str] | None) -> None:
        self._kind, self._threshold, self._finder = finder, threshold, None
        identity = f"{finder.identity()}, threshold {threshold!r}"
        self._cache = None if cache is None else Cache(cache, identity)

    def __enter__(self) -> _Worker:
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
            return self._look(pixels)
        path = self._cache.path(pixels)
        stored = self._cache.get(path)
        if stored is not None:
            try:
                return self._kind.decode(stored)
            except (KeyError, TypeError, ValueError):
                pass  # damaged: look again
        found = self._look(pixels)
        self._cache.put(path, self._kind.encode(found))
        return found

    def _look(self, pixels: np.ndarray) -> Any:
        if self._finder is None:
            self._finder = self._kind(self._threshold)
        return self._finder(pixels)


_in_worker: _Worker


def _start(finder: type[Finder], threshold: float, cache: str | os.PathLike[str] | None) -> None:
    global _in_worker
    _in_worker = _Worker(finder, threshold, cache)


def _find(numbered: tuple[int, ImageLike]) -> Any:
    return _in_worker(numbered)
