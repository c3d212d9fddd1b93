"""Faces and hands found by MediaPipe, the detectors of the paper's evaluation (§4.1).

The models come with the ``mediapipe`` package (0.10.21 is the last release that bundles them), so
nothing is downloaded. Three differ from one another in what their score means:

- face, full range: the detection score of a model made for faces a few metres away, which is what
  people in a scene have;
- face, short range: the same for a model made for faces near the camera, which favours large faces;
- hand: MediaPipe gives no detection score for a hand. What the paper reports as hand confidence is
  the classifier's certainty whether a found hand is a left or a right one: at least 0.5 for any
  hand found, and no measure of the hand's quality. It is kept under the name ``handedness``.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing import get_context
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ._images import ImageLike, as_rgb
from ._quiet import quiet_stderr

Box = tuple[float, float, float, float]

# Starting a process costs about as long as these many 256 px images take.
_IMAGES_WORTH_A_PROCESS = 64


@dataclass(frozen=True)
class Face:
    """One face found.

    Attributes:
        score: detection score in [threshold, 1].
        box: (x0, y0, x1, y1) in pixels; may reach outside the image, as the detector gives it.
        keypoints: shape (6, 2), pixels: the person's right eye, left eye, nose tip, mouth centre,
            right and left ear tragion.
    """

    score: float
    box: Box
    keypoints: np.ndarray = field(compare=False)


@dataclass(frozen=True)
class Hand:
    """One hand found.

    Attributes:
        handedness: probability of the named side in [0.5, 1]; the paper's "hand confidence".
        side: "left" or "right", the person's own, for an image that is not mirrored.
        box: (x0, y0, x1, y1) in pixels around the landmarks; may reach outside the image.
        landmarks: shape (21, 3): x and y in pixels, z the depth relative to the wrist in the same
            unit, in MediaPipe's order (wrist, then thumb to little finger, four points each).
    """

    handedness: float
    side: str
    box: Box
    landmarks: np.ndarray = field(compare=False)


@dataclass(frozen=True)
class Detection:
    """Everything found in one image; each tuple has the best score first.

    Attributes:
        width, height: of the image, in pixels.
        faces: found by the full-range model.
        short_range_faces: found by the short-range model.
        hands: at most two.
    """

    width: int
    height: int
    faces: tuple[Face, ...]
    short_range_faces: tuple[Face, ...]
    hands: tuple[Hand, ...]


def detect(
    images: Sequence[ImageLike],
    *,
    workers: int = 1,
    threshold: float = 0.5,
    progress: bool | None = None,
) -> list[Detection]:
    """Find the faces and hands in every image, in the order given.

    The result depends on the images and the threshold alone, not on the number of workers.

    Args:
        images: paths, PIL images or ``uint8`` arrays of shape (height, width, 3) in RGB.
        workers: most processes to use. Few images are done in this one whatever the number, since
            a process takes as long to start as dozens of images. A script that asks for several
            must be importable (``if __name__ == "__main__":`` around its work).
        threshold: least score of a face, palm and hand to be reported, in [0, 1]; MediaPipe's
            own default is 0.5.
        progress: show a bar; by default only on a terminal and for many images.

    Raises:
        FileNotFoundError: if a file is missing, before any work is done.
        ValueError: if an image cannot be read, naming its file or its place in the sequence, or if
            an argument is out of range.

    Example:
        >>> import numpy as np
        >>> blank = np.full((128, 128, 3), 200, dtype=np.uint8)
        >>> detect([blank])
        [Detection(width=128, height=128, faces=(), short_range_faces=(), hands=())]
    """
    if isinstance(images, (str, PathLike)):
        raise ValueError(f"images must be a sequence of images, found the single path {images!r}")
    if not isinstance(workers, int) or workers < 1:
        raise ValueError(f"workers must be an integer of at least 1, found {workers!r}")
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must be in [0, 1], found {threshold!r}")
    images = list(images)
    for image in images:
        if isinstance(image, (str, PathLike)) and not Path(image).is_file():
            raise FileNotFoundError(f"no image at {image}")

    many = len(images) >= _IMAGES_WORTH_A_PROCESS
    bar = {
        "total": len(images),
        "desc": "detecting",
        "unit": "image",
        # None lets tqdm show itself on a terminal only.
        "disable": not progress if progress is not None else None if many else True,
    }
    numbered = list(enumerate(images))
    processes = max(1, min(workers, len(images) // _IMAGES_WORTH_A_PROCESS))
    if processes == 1:
        with _Detectors.opened(threshold) as detectors:
            return [detectors(pair) for pair in tqdm(numbered, **bar)]
    # Spawned, not forked: a fork of a process whose libraries run threads may hang.
    with ProcessPoolExecutor(
        processes, get_context("spawn"), initializer=_start_worker, initargs=(threshold,)
    ) as pool:
        return list(tqdm(pool.map(_detect_in_worker, numbered, chunksize=16), **bar))


class _Detectors:
    """The three MediaPipe graphs, called on one numbered image at a time."""

    def __init__(self, threshold: float) -> None:
        logging.getLogger("absl").setLevel(logging.ERROR)
        with quiet_stderr():
            from mediapipe.python.solutions.face_detection import FaceDetection
            from mediapipe.python.solutions.hands import Hands

            self._full = FaceDetection(min_detection_confidence=threshold, model_selection=1)
            self._short = FaceDetection(min_detection_confidence=threshold, model_selection=0)
            # Still images: unlike the default, video mode, nothing carries over from the last one.
            self._hands = Hands(
                static_image_mode=True,
                max_num_hands=2,
                min_detection_confidence=threshold,
                min_tracking_confidence=threshold,
            )
            # A graph loads its model in the background and logs while it does: wait for it here.
            for graph in (self._full, self._short, self._hands):
                graph.process(np.zeros((8, 8, 3), dtype=np.uint8))

    @classmethod
    @contextmanager
    def opened(cls, threshold: float) -> Iterator[_Detectors]:
        detectors = cls(threshold)
        try:
            yield detectors
        finally:
            with quiet_stderr():
                for graph in (detectors._full, detectors._short, detectors._hands):
                    graph.close()

    def __call__(self, numbered: tuple[int, ImageLike]) -> Detection:
        number, image = numbered
        try:
            pixels = as_rgb(image)
        except ValueError as error:
            if isinstance(image, (str, PathLike)):
                raise
            raise ValueError(f"images[{number}]: {error}") from error
        with quiet_stderr():
            full, short = self._full.process(pixels), self._short.process(pixels)
            hands = self._hands.process(pixels)
        height, width = pixels.shape[:2]
        return Detection(
            width,
            height,
            _faces(full, width, height),
            _faces(short, width, height),
            _hands(hands, width, height),
        )


_in_worker: _Detectors


def _start_worker(threshold: float) -> None:
    global _in_worker
    _in_worker = _Detectors(threshold)


def _detect_in_worker(numbered: tuple[int, ImageLike]) -> Detection:
    return _in_worker(numbered)


def _faces(found: Any, width: int, height: int) -> tuple[Face, ...]:
    faces = []
    for detection in found.detections or ():
        location = detection.location_data
        box, points = location.relative_bounding_box, location.relative_keypoints
        x0, y0 = box.xmin * width, box.ymin * height
        faces.append(
            Face(
                score=float(detection.score[0]),
                box=(x0, y0, x0 + box.width * width, y0 + box.height * height),
                keypoints=np.array([[p.x * width, p.y * height] for p in points]),
            )
        )
    return tuple(sorted(faces, key=lambda face: -face.score))


def _hands(found: Any, width: int, height: int) -> tuple[Hand, ...]:
    hands = []
    for handed, marks in zip(found.multi_handedness or (), found.multi_hand_landmarks or (), strict=True):
        certain = handed.classification[0]
        # z has roughly the scale of x.
        points = np.array([[p.x * width, p.y * height, p.z * width] for p in marks.landmark])
        (x0, y0), (x1, y1) = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
        hands.append(
            Hand(
                handedness=float(certain.score),
                # MediaPipe names sides as in a mirrored, selfie image.
                side={"Left": "right", "Right": "left"}[certain.label],
                box=(float(x0), float(y0), float(x1), float(y1)),
                landmarks=points,
            )
        )
    return tuple(sorted(hands, key=lambda hand: -hand.handedness))
