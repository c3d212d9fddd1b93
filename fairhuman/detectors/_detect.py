"""Detection of faces, hands, bodies and face meshes in many whole images."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fairhuman.detectors._found import Body, Detection, Hand, decode, encode
from fairhuman.detectors._mediapipe import (
    BodyModel,
    FaceModel,
    HandModel,
    MeshModel,
    mediapipe_version,
)
from fairhuman.detectors._search import find_all
from fairhuman.detectors._tiles import Region, distinct
from fairhuman.images import ImageLike

__all__ = ["detect", "detect_all_hands", "detect_bodies", "detect_meshes"]

_MOST_HANDS: Final = 2
_ALL_HANDS: Final = 6  # more than anybody has, so that hands too many are found
_PRESENCE: Final = 0.5  # of a body, where a person was detected: MediaPipe's default


def detect(
    images: Sequence[ImageLike],
    *,
    workers: int = 1,
    threshold: float = 0.5,
    progress: bool | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> list[Detection]:
    """Detect the faces and hands in every image, in the given order.

    The result depends only on the images and the threshold, not on the number of workers or the cache.

    Args:
        images: paths, PIL images or ``uint8`` arrays of shape (height, width, 3) in RGB.
        workers: maximum number of processes. A few images are always processed in this process, because
            starting a process takes as long as dozens of images. A script that uses several processes must be
            importable (guarded by ``if __name__ == "__main__":``).
        threshold: minimum score of a face, palm or hand, in [0, 1]; MediaPipe's default is 0.5.
        progress: show a progress bar. Default: only on a terminal and for many images.
        cache: folder for caching detections by image, detector version and threshold.

    Raises:
        FileNotFoundError: if a file is missing, before any work is done.
        ValueError: if an image cannot be read (the message gives its file or index), or if an argument is out
            of range.

    Example:
        >>> import numpy as np
        >>> blank = np.full((128, 128, 3), 200, dtype=np.uint8)
        >>> found, = detect([blank])
        >>> found.faces, found.hands
        ((), ())
    """
    return find_all(
        FacesAndHands, images, workers=workers, threshold=threshold, progress=progress, cache=cache
    )


def detect_bodies(
    images: Sequence[ImageLike],
    *,
    workers: int = 1,
    threshold: float = 0.5,
    progress: bool | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> list[Body | None]:
    """Detect the most prominent body in every image; arguments and errors as for :func:`detect`."""
    return find_all(Bodies, images, workers=workers, threshold=threshold, progress=progress, cache=cache)


def detect_meshes(
    images: Sequence[ImageLike],
    *,
    workers: int = 1,
    threshold: float = 0.5,
    progress: bool | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> list[NDArray[np.float64] | None]:
    """Detect the landmarks of the most prominent face in every image; arguments and errors as for
    :func:`detect`.

    Returns:
        For each image, MediaPipe's face mesh with irises, shape (478, 3): x and y in pixels, z in roughly the
        same unit; None if there is no face.
    """
    return find_all(Meshes, images, workers=workers, threshold=threshold, progress=progress, cache=cache)


def detect_all_hands(
    images: Sequence[ImageLike],
    *,
    workers: int = 1,
    threshold: float = 0.5,
    progress: bool | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> list[tuple[Hand, ...]]:
    """Detect up to six hands in every image, without duplicates; arguments and errors as for :func:`detect`.

    :func:`detect` stops at two hands, as many as a person has, and so cannot report a third.
    """
    return find_all(AllHands, images, workers=workers, threshold=threshold, progress=progress, cache=cache)


class FacesAndHands:
    """Both face models and the hand model.

    Args:
        threshold: Minimum score of a face and a palm, and minimum presence of a hand, in [0, 1].
    """

    encode, decode = staticmethod(encode), staticmethod(decode)

    def __init__(self, threshold: float) -> None:
        self._far, self._near = (FaceModel(threshold, far) for far in (True, False))
        self._hands = HandModel(threshold, _MOST_HANDS)

    @staticmethod
    def identity() -> str:
        """Everything that determines the result besides the image and the threshold."""
        return f"{mediapipe_version()}, faces full and short, {_MOST_HANDS} still hands with palms"

    def close(self) -> None:
        """Close the graphs."""
        for model in (self._far, self._near, self._hands):
            model.close()

    def __call__(self, pixels: NDArray[np.uint8]) -> Detection:
        """Detect faces and hands in an image of shape (height, width, 3), uint8."""
        height, width = pixels.shape[:2]
        whole = Region(0, 0, width, height)
        hands, palms = self._hands(pixels, whole)
        return Detection(width, height, self._far(pixels, whole), self._near(pixels, whole), hands, palms)


class Bodies:
    """The body model.

    Args:
        threshold: Minimum score of a person, in [0, 1].
    """

    def __init__(self, threshold: float) -> None:
        self._model = BodyModel(threshold, _PRESENCE)

    @staticmethod
    def identity() -> str:
        """Everything that determines the result besides the image and the threshold."""
        return f"{mediapipe_version()}, all landmarks of a body on stills"

    @staticmethod
    def encode(found: Body | None) -> dict[str, Any]:
        """A body as JSON."""
        return {} if found is None else {"size": [found.width, found.height], "at": found.landmarks.tolist()}

    @staticmethod
    def decode(stored: dict[str, Any]) -> Body | None:
        """The body passed to :meth:`encode`."""
        if stored == {}:
            return None
        width, height = stored["size"]
        landmarks = np.array(stored["at"], dtype=np.float64)
        if landmarks.shape != (33, 3):
            raise ValueError(f"landmarks: must have shape (33, 3), got {landmarks.shape}")
        return Body(width, height, landmarks)

    def close(self) -> None:
        """Close the graph."""
        self._model.close()

    def __call__(self, pixels: NDArray[np.uint8]) -> Body | None:
        """The body in an image of shape (height, width, 3), uint8."""
        return self._model(pixels, pixels.shape[1], pixels.shape[0])


class Meshes:
    """The face mesh.

    Args:
        threshold: Minimum score and presence of a face, in [0, 1].
    """

    def __init__(self, threshold: float) -> None:
        self._model = MeshModel(threshold)

    @staticmethod
    def identity() -> str:
        """Everything that determines the result besides the image and the threshold."""
        return f"{mediapipe_version()}, refined mesh of a face on stills"

    @staticmethod
    def encode(found: NDArray[np.float64] | None) -> list[list[float]]:
        """Landmarks as JSON."""
        return [] if found is None else found.tolist()

    @staticmethod
    def decode(stored: list[list[float]]) -> NDArray[np.float64] | None:
        """The landmarks passed to :meth:`encode`."""
        if stored == []:
            return None
        landmarks = np.array(stored, dtype=np.float64)
        if landmarks.shape != (478, 3):
            raise ValueError(f"landmarks: must have shape (478, 3), got {landmarks.shape}")
        return landmarks

    def close(self) -> None:
        """Close the graph."""
        self._model.close()

    def __call__(self, pixels: NDArray[np.uint8]) -> NDArray[np.float64] | None:
        """The mesh in an image of shape (height, width, 3), uint8."""
        return self._model(pixels)


class AllHands:
    """The hand model, configured for more hands than a person has.

    Args:
        threshold: Minimum score of a palm, and minimum presence of a hand, in [0, 1].
    """

    def __init__(self, threshold: float) -> None:
        self._model = HandModel(threshold, _ALL_HANDS)

    @staticmethod
    def identity() -> str:
        """Everything that determines the result besides the image and the threshold."""
        return f"{mediapipe_version()}, {_ALL_HANDS} distinct still hands"

    @staticmethod
    def encode(found: tuple[Hand, ...]) -> list[Any]:
        """Hands as JSON."""
        return [[hand.handedness, hand.side, hand.box, np.asarray(hand.landmarks).tolist()] for hand in found]

    @staticmethod
    def decode(stored: list[Any]) -> tuple[Hand, ...]:
        """The hands passed to :meth:`encode`."""
        return tuple(Hand(score, side, tuple(box), np.array(points)) for score, side, box, points in stored)

    def close(self) -> None:
        """Close the graph."""
        self._model.close()

    def __call__(self, pixels: NDArray[np.uint8]) -> tuple[Hand, ...]:
        """The hands in an image of shape (height, width, 3), uint8, the best score first."""
        height, width = pixels.shape[:2]
        hands = self._model(pixels, Region(0, 0, width, height))[0]
        return tuple(distinct(hands, lambda hand: hand.box))
