"""A second face detector, independent of MediaPipe and with different failure modes."""

from __future__ import annotations

import os
from collections.abc import Sequence
from importlib.metadata import version
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fairhuman.detectors._found import Face
from fairhuman.detectors._search import find_all
from fairhuman.images import ImageLike

__all__ = ["detect_second_faces", "has_second_detector"]

_PACKAGE = "dlib-bin"


def has_second_detector() -> bool:
    """Whether the second detector's package is installed."""
    return find_spec("dlib") is not None


def detect_second_faces(
    images: Sequence[ImageLike],
    *,
    workers: int = 1,
    progress: bool | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> list[tuple[Face, ...]]:
    """Detect frontal faces at least 80 pixels high with dlib: for crops, not whole scenes.

    The detector is a linear classifier on histograms of gradients (Dalal and Triggs 2005; Felzenszwalb et al.
    2010), not a network; its weights are part of the compiled package. It is stricter than MediaPipe: it
    finds no faces with rearranged parts, some of which MediaPipe finds.

    Args:
        images, workers, progress, cache: As for :func:`fairhuman.detectors.detect`.

    Returns:
        For each image, its faces by descending score; their ``score`` is the distance from the classifier's
        boundary, ≥ 0 and unbounded, and they have no keypoints.

    Raises:
        RuntimeError: The package is not installed.
    """
    if not has_second_detector():
        raise RuntimeError(f"the second face detector needs {_PACKAGE}: pip install 'fairhuman[second]'")
    return find_all(SecondFaces, images, workers=workers, threshold=0.0, progress=progress, cache=cache)


class SecondFaces:
    """dlib's detector of frontal faces.

    Args:
        threshold: Minimum distance from the classifier's boundary.
    """

    def __init__(self, threshold: float) -> None:
        import dlib

        self._threshold, self._detector = threshold, dlib.get_frontal_face_detector()  # ty: ignore[missing-attribute]

    @staticmethod
    def identity() -> str:
        """Everything that determines the result besides the image and the threshold."""
        return f"{_PACKAGE} {version(_PACKAGE)}, frontal faces"

    @staticmethod
    def encode(found: tuple[Face, ...]) -> list[Any]:
        """Faces as JSON."""
        return [[face.score, face.box] for face in found]

    @staticmethod
    def decode(stored: list[Any]) -> tuple[Face, ...]:
        """The faces passed to :meth:`encode`."""
        return tuple(Face(score, tuple(box)) for score, box in stored)

    def close(self) -> None:
        """Do nothing: no resources are held."""

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[Face, ...]:
        """The faces in an image of shape (height, width, 3), uint8."""
        boxes, scores, _ = self._detector.run(np.ascontiguousarray(pixels), 0, self._threshold)
        faces = (
            Face(float(score), (float(b.left()), float(b.top()), float(b.right() + 1), float(b.bottom() + 1)))
            for b, score in zip(boxes, scores, strict=True)
        )
        return tuple(sorted(faces, key=lambda face: (-face.score, face.box)))
