"""MediaPipe's face and hand graphs, called on one image at a time."""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import Any

import numpy as np

from fairhuman.evaluation.detectors._found import Box, Detection, Face, Hand, Palm, decode, encode
from fairhuman.quiet import quiet_stderr

_MOST_HANDS = 2


class FacesAndHands:
    """Both face models and the hand model, on still images.

    Args:
        threshold: Least score of a face and a palm, and least presence of a hand, in [0, 1].
    """

    encode, decode = staticmethod(encode), staticmethod(decode)

    def __init__(self, threshold: float) -> None:
        logging.getLogger("absl").setLevel(logging.ERROR)
        with quiet_stderr():
            from mediapipe.python.solutions.face_detection import FaceDetection

            self._full = FaceDetection(min_detection_confidence=threshold, model_selection=1)
            self._short = FaceDetection(min_detection_confidence=threshold, model_selection=0)
            self._hands = _hand_graph(threshold)
            # A graph loads its model in the background and logs while it does: wait for it here.
            for graph in (self._full, self._short):
                graph.process(np.zeros((8, 8, 3), dtype=np.uint8))
            self._hands.process({"image": np.zeros((8, 8, 3), dtype=np.uint8)})

    @staticmethod
    def identity() -> str:
        """All that decides what is found, beside the image and the threshold."""
        return f"mediapipe {version('mediapipe')}, faces full and short, {_MOST_HANDS} still hands with palms"

    def close(self) -> None:
        """Let the graphs go."""
        with quiet_stderr():
            for graph in (self._full, self._short, self._hands):
                graph.close()

    def __call__(self, pixels: np.ndarray) -> Detection:
        """What is in an image of shape (height, width, 3), uint8."""
        with quiet_stderr():
            full, short = self._full.process(pixels), self._short.process(pixels)
            hands = self._hands.process({"image": pixels})
        height, width = pixels.shape[:2]
        return Detection(
            width,
            height,
            _faces(full, width, height),
            _faces(short, width, height),
            _read_hands(hands, width, height),
            _palms(hands, width, height),
        )


def _hand_graph(threshold: float) -> Any:
    """What ``solutions.hands.Hands`` runs on still images, with the palms given out as well."""
    from mediapipe.python.solution_base import SolutionBase
    from mediapipe.python.solutions import hands

    return SolutionBase(
        binary_graph_path=hands._BINARYPB_FILE_PATH,
        side_inputs={
            "model_complexity": 1,
            "num_hands": _MOST_HANDS,
            # Unlike the default, video mode, nothing carries over from the last image.
            "use_prev_landmarks": False,
        },
        calculator_params={
            "palmdetectioncpu__TensorsToDetectionsCalculator.min_score_thresh": threshold,
            "handlandmarkcpu__ThresholdingCalculator.threshold": threshold,
        },
        outputs=["multi_hand_landmarks", "multi_handedness", "palm_detections"],
    )


def _box(relative: Any, width: int, height: int) -> Box:
    x0, y0 = relative.xmin * width, relative.ymin * height
    return x0, y0, x0 + relative.width * width, y0 + relative.height * height


def _faces(found: Any, width: int, height: int) -> tuple[Face, ...]:
    faces = []
    for detection in found.detections or ():
        location = detection.location_data
        points = np.array([[p.x * width, p.y * height] for p in location.relative_keypoints])
        box = _box(location.relative_bounding_box, width, height)
        faces.append(Face(float(detection.score[0]), box, points))
    return tuple(sorted(faces, key=lambda face: -face.score))


def _palms(found: Any, width: int, height: int) -> tuple[Palm, ...]:
    palms = [
        Palm(float(palm.score[0]), _box(palm.location_data.relative_bounding_box, width, height))
        for palm in found.palm_detections or ()
    ]
    return tuple(sorted(palms, key=lambda palm: -palm.score))


def _read_hands(found: Any, width: int, height: int) -> tuple[Hand, ...]:
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
