"""Faces and hands in many images."""

from __future__ import annotations

import os
from collections.abc import Sequence

from fairhuman.evaluation._images import ImageLike
from fairhuman.evaluation.detectors._found import Detection
from fairhuman.evaluation.detectors._mediapipe import FacesAndHands
from fairhuman.evaluation.detectors._pool import find_all

__all__ = ["detect"]


def detect(
    images: Sequence[ImageLike],
    *,
    workers: int = 1,
    threshold: float = 0.5,
    progress: bool | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> list[Detection]:
    """Find the faces and hands in every image, in the order given.

    The result depends on the images and the threshold alone, not on the number of workers or the cache.

    Args:
        images: paths, PIL images or ``uint8`` arrays of shape (height, width, 3) in RGB.
        workers: most processes to use. Few images are done in this one whatever the number, since
            a process takes as long to start as dozens of images. A script that asks for several
            must be importable (``if __name__ == "__main__":`` around its work).
        threshold: least score of a face, palm and hand to be reported, in [0, 1]; MediaPipe's
            own default is 0.5.
        progress: show a bar; by default only on a terminal and for many images.
        cache: folder in which findings are kept by image, detector version and threshold, and looked up.

    Raises:
        FileNotFoundError: if a file is missing, before any work is done.
        ValueError: if an image cannot be read, naming its file or its place in the sequence, or if
            an argument is out of range.

    Example:
        >>> import numpy as np
        >>> blank = np.full((128, 128, 3), 200, dtype=np.uint8)
        >>> detect([blank])
        [Detection(width=128, height=128, faces=(), short_range_faces=(), hands=(), palms=())]
    """
    return find_all(
        FacesAndHands, images, workers=workers, threshold=threshold, progress=progress, cache=cache
    )
