"""MediaPipe's graphs for faces, hands and bodies, called on single images, and for faces and hands also on
regions."""

from __future__ import annotations

import logging
from importlib.metadata import version
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fairhuman.boxes import Box
from fairhuman.detectors._found import Body, Face, Hand, Palm
from fairhuman.detectors._tiles import Region
from fairhuman.quiet import quiet_stderr

__all__ = ["BodyModel", "FaceModel", "HandModel", "MeshModel", "mediapipe_version"]

Pixels = NDArray[np.uint8]
_COMPLEXITY: Final = 1  # of the hand and body models: the ones that come with the package


def mediapipe_version() -> str:
    """Name and version that identify detections."""
    return f"mediapipe {version('mediapipe')}"


class _Graph:
    """A MediaPipe graph, started once and then called on one image at a time.

    Its input may be a downscaled region; positions are returned in pixels of the image.
    """

    def __init__(self) -> None:
        logging.getLogger("absl").setLevel(logging.ERROR)
        with quiet_stderr():
            self._graph = self._started()
            # A graph loads its model in the background and logs meanwhile: wait for it here.
            self._run(np.zeros((8, 8, 3), dtype=np.uint8))

    def _started(self) -> Any:
        raise NotImplementedError

    def _run(self, pixels: Pixels) -> Any:
        return self._graph.process(pixels)

    def look(self, pixels: Pixels) -> Any:
        """The graph's output for RGB pixels of shape (height, width, 3)."""
        with quiet_stderr():
            return self._run(pixels)

    def close(self) -> None:
        """Close the graph."""
        with quiet_stderr():
            self._graph.close()


class FaceModel(_Graph):
    """Face detector, with the model for faces a few metres away (``far``) or the one for near faces.

    Args:
        threshold: Minimum detection score, in [0, 1].
        far: Whether to use the model for far faces.
    """

    def __init__(self, threshold: float, far: bool) -> None:
        self._options = {"min_detection_confidence": threshold, "model_selection": int(far)}
        super().__init__()

    def _started(self) -> Any:
        from mediapipe.python.solutions.face_detection import FaceDetection

        return FaceDetection(**self._options)

    def __call__(self, pixels: Pixels, region: Region) -> tuple[Face, ...]:
        """The faces in a region, by descending score."""
        faces = []
        for detection in self.look(pixels).detections or ():
            place = detection.location_data
            points = np.array([_point(mark, region) for mark in place.relative_keypoints])
            faces.append(Face(float(detection.score[0]), _box(place, region), points))
        return tuple(sorted(faces, key=lambda face: -face.score))


class MeshModel(_Graph):
    """Landmarks of the most prominent face, from the model with refined eyes and lips.

    Args:
        threshold: Minimum score of a face, and minimum presence of a detected face, in [0, 1].
    """

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        super().__init__()

    def _started(self) -> Any:
        from mediapipe.python.solutions.face_mesh import FaceMesh

        return FaceMesh(
            static_image_mode=True,
            refine_landmarks=True,
            min_detection_confidence=self._threshold,
            min_tracking_confidence=self._threshold,
        )

    def __call__(self, pixels: Pixels) -> NDArray[np.float64] | None:
        """Shape (478, 3), pixels, z with roughly the scale of x; None if there is no face."""
        height, width = pixels.shape[:2]
        found = self.look(pixels).multi_face_landmarks
        if not found:
            return None
        return np.array([[mark.x * width, mark.y * height, mark.z * width] for mark in found[0].landmark])


class HandModel(_Graph):
    """Hand detector, which also returns the palms where it searched.

    Args:
        threshold: Minimum score of a palm, and minimum presence of a hand there, in [0, 1].
        most: Maximum number of hands.
    """

    def __init__(self, threshold: float, most: int) -> None:
        self._threshold, self._most = threshold, most
        super().__init__()

    def _started(self) -> Any:
        """The graph of ``solutions.hands.Hands`` for still images, with palms as an additional output."""
        from mediapipe.python.solution_base import SolutionBase
        from mediapipe.python.solutions import hands

        return SolutionBase(
            binary_graph_path=hands._BINARYPB_FILE_PATH,
            side_inputs={
                "model_complexity": _COMPLEXITY,
                "num_hands": self._most,
                # Unlike in the default video mode, nothing carries over from the last image.
                "use_prev_landmarks": False,
            },
            calculator_params={
                "palmdetectioncpu__TensorsToDetectionsCalculator.min_score_thresh": self._threshold,
                "handlandmarkcpu__ThresholdingCalculator.threshold": self._threshold,
            },
            outputs=["multi_hand_landmarks", "multi_handedness", "palm_detections"],
        )

    def _run(self, pixels: Pixels) -> Any:
        return self._graph.process({"image": pixels})

    def __call__(self, pixels: Pixels, region: Region) -> tuple[tuple[Hand, ...], tuple[Palm, ...]]:
        """The hands and the palms in a region, each by descending score."""
        found = self.look(pixels)
        hands = [
            _hand(handed.classification[0], marks.landmark, region)
            for handed, marks in zip(
                found.multi_handedness or (), found.multi_hand_landmarks or (), strict=True
            )
        ]
        palms = [
            Palm(float(palm.score[0]), _box(palm.location_data, region))
            for palm in found.palm_detections or ()
        ]
        hands.sort(key=lambda hand: -(hand.handedness or 0))
        palms.sort(key=lambda palm: -palm.score)
        return tuple(hands), tuple(palms)


class BodyModel(_Graph):
    """The most prominent body.

    Args:
        threshold: Minimum score of a person, in [0, 1].
        presence: Minimum presence of a body for a detected person, in [0, 1].
    """

    def __init__(self, threshold: float, presence: float) -> None:
        self._options = {"min_detection_confidence": threshold, "min_tracking_confidence": presence}
        super().__init__()

    def _started(self) -> Any:
        from mediapipe.python.solutions.pose import Pose

        return Pose(static_image_mode=True, model_complexity=_COMPLEXITY, **self._options)

    def __call__(self, pixels: Pixels, width: int, height: int) -> Body | None:
        """The body in a whole image of this size."""
        found = self.look(pixels).pose_landmarks
        if found is None:
            return None
        marks = [[mark.x * width, mark.y * height, mark.visibility] for mark in found.landmark]
        return Body(width, height, np.array(marks))


def _point(mark: Any, region: Region) -> tuple[float, float]:
    width, height = region.size
    return region.x0 + mark.x * width, region.y0 + mark.y * height


def _box(place: Any, region: Region) -> Box:
    (width, height), box = region.size, place.relative_bounding_box
    x0, y0 = region.x0 + box.xmin * width, region.y0 + box.ymin * height
    return x0, y0, x0 + box.width * width, y0 + box.height * height


def _hand(certain: Any, marks: Any, region: Region) -> Hand:
    # z has roughly the scale of x.
    points = np.array([(*_point(mark, region), mark.z * region.size[0]) for mark in marks])
    (x0, y0), (x1, y1) = points[:, :2].min(axis=0), points[:, :2].max(axis=0)
    return Hand(
        handedness=float(certain.score),
        # MediaPipe names sides as in a mirrored, selfie image.
        side={"Left": "right", "Right": "left"}[certain.label],
        box=(float(x0), float(y0), float(x1), float(y1)),
        landmarks=points,
    )
