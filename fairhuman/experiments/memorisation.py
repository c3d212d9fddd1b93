"""Are samples copies of training images? The nearest training image of each, in pixels and in features.

A model that had memorised its training images would make samples that lie nearer to them than new
images of the same kind do. So the distances of samples are held against those of held-out renders.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import mannwhitneyu

from fairhuman.evaluation.statistics import estimate_mean, estimate_proportion

__all__ = ["Nearest", "compare_to_training", "nearest_images", "pixel_vectors"]

_AT_ONCE = 256
_SIDE = 32


@dataclass(frozen=True)
class Nearest:
    """The nearest training image of each of some images.

    Attributes:
        index: Its position, shape (n,).
        distance: Euclidean distance to it, shape (n,).
    """

    index: NDArray[np.int64]
    distance: NDArray[np.float64]


def pixel_vectors(images: Sequence[np.ndarray], side: int = _SIDE) -> NDArray[np.float32]:
    """Images made small and laid out in a row, so that distances between them are in pixel space.

    Args:
        images: Each (height, width, 3), uint8.
        side: Side in pixels to which they are averaged down.

    Returns:
        Shape (count, side · side · 3), scaled so that a distance is the root mean square difference of a
        channel, in [0, 1].
    """
    from fairhuman.evaluation.reader._views import fit

    pixels = fit(images, side).numpy().reshape(len(images), -1).astype(np.float32)
    return pixels / (255 * np.sqrt(np.float32(pixels.shape[1])))


def nearest_images(queries: ArrayLike, training: ArrayLike) -> Nearest:
    """The nearest of the training vectors for each query, searched exhaustively.

    Args:
        queries: Shape (n, d): pixels of :func:`pixel_vectors`, or features.
        training: Shape (m, d), of the same kind.

    Raises:
        ValueError: Shapes that do not match, or no training image.

    >>> nearest_images([[0.0, 1.0]], [[3.0, 1.0], [0.0, 2.0]])
    Nearest(index=array([1]), distance=array([1.]))
    """
    queries, training = (np.asarray(vectors, dtype=np.float64) for vectors in (queries, training))
    if queries.ndim != 2 or training.ndim != 2 or queries.shape[1] != training.shape[1] or not len(training):
        raise ValueError(
            "queries, training: must have shapes (n, d) and (m, d) with m ≥ 1, "
            f"got {queries.shape} and {training.shape}"
        )
    lengths = (training**2).sum(1)
    indices, distances = [np.empty(0, int)], [np.empty(0)]
    for start in range(0, len(queries), _AT_ONCE):
        part = queries[start : start + _AT_ONCE]
        index = (lengths - 2 * part @ training.T).argmin(1)
        indices.append(index)
        # The difference itself, since the expanded square loses small distances to rounding.
        distances.append(np.sqrt(((part - training[index]) ** 2).sum(1)))
    return Nearest(np.concatenate(indices), np.concatenate(distances))


def compare_to_training(
    samples: ArrayLike, heldout: ArrayLike, training: ArrayLike, *, level: float = 0.95, seed: int = 0
) -> dict[str, Any]:
    """Distances of samples and of held-out images to the training set, side by side.

    Args:
        samples, heldout, training: Vectors of one kind, shapes (n, d), (k, d), (m, d).
        level: Confidence level of the intervals.
        seed: Seed of the resampling.

    Returns:
        For :func:`fairhuman.results.write_result`: ``samples`` and ``heldout``, the mean distance to the
        nearest training image with its interval; ``nearer``, the share of samples nearer to a training image
        than 95 % of held-out images are (0.05 is expected of new images of the same kind), with its interval;
        ``p``, the one-sided p-value of samples being nearer (Mann and Whitney); ``nearest``, the index of
        each sample's nearest training image; ``distances``, of the samples.

    Raises:
        ValueError: No samples or held-out images, or what :func:`nearest_images` refuses.
    """
    near, usual = nearest_images(samples, training), nearest_images(heldout, training)
    if not len(near.index) or not len(usual.index):
        raise ValueError("samples, heldout: there must be at least one of each")
    bound = np.quantile(usual.distance, 0.05)
    count = int((near.distance < bound).sum())
    return {
        "samples": estimate_mean(near.distance, level=level, seed=seed).stored(),
        "heldout": estimate_mean(usual.distance, level=level, seed=seed).stored(),
        "nearer": estimate_proportion(count, len(near.distance), level=level).stored(),
        "p": float(mannwhitneyu(near.distance, usual.distance, alternative="less").pvalue),
        "nearest": near.index.tolist(),
        "distances": near.distance.tolist(),
    }
