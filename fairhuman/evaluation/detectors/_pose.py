"""MediaPipe's body pose, called on one image at a time."""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import Any

import numpy as np

from fairhuman.quiet import quiet_stderr

_COCO_OF_MEDIAPIPE = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
"""MediaPipe's landmark of each of COCO's 17 keypoints."""
_COMPLEXITY = 1  # the "full" one of MediaPipe's three models


class Bodies:
    """The body's keypoints in COCO's order, shape (17, 3): x, y in pixels, found (1) or not (0).

    Args:
        threshold: Least confidence of a person, and least visibility of a joint, in [0, 1].
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        logging.getLogger("absl").setLevel(logging.ERROR)
        with quiet_stderr():
            from mediapipe.python.solutions.pose import Pose

            self._model = Pose(
                static_image_mode=True, model_complexity=_COMPLEXITY, min_detection_confidence=threshold
            )

    @staticmethod
    def identity() -> str:
        """All that decides what is found, beside the image and the threshold."""
        return f"mediapipe {version('mediapipe')}, pose of complexity {_COMPLEXITY} on stills"

    @staticmethod
    def encode(found: np.ndarray) -> list[list[float]]:
        """Keypoints as JSON holds them."""
        return found.tolist()

    @staticmethod
    def decode(stored: Any) -> np.ndarray:
        """The keypoints that :meth:`encode` was given."""
        points = np.array(stored, dtype=np.float64)
        if points.shape != (17, 3):
            raise ValueError(f"keypoints: must have shape (17, 3), found {points.shape}")
        return points

    def close(self) -> None:
        """Let the graph go."""
        with quiet_stderr():
            self._model.close()

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        """The keypoints in an image of shape (height, width, 3), uint8; all 0 where nobody is found."""
        with quiet_stderr():
            found = self._model.process(pixels)
        points = np.zeros((17, 3))
        if found.pose_landmarks is None:
            return points
        height, width = pixels.shape[:2]
        for place, number in enumerate(_COCO_OF_MEDIAPIPE):
            mark = found.pose_landmarks.landmark[number]
            inside = 0 <= mark.x <= 1 and 0 <= mark.y <= 1
            sure = inside and mark.visibility >= self._threshold
            points[place] = mark.x * width, mark.y * height, float(sure)
        return points
