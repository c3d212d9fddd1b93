"""Detectors of faces, hands and bodies: MediaPipe, as in the paper's evaluation (§4.1).

:func:`detect` and those like it look at many images as they are, which is how images are judged;
:class:`PhotographDetector` searches a photograph at several scales, which is how it is annotated.
:func:`detect_second_faces` asks a detector that is not MediaPipe's.

The models come with the ``mediapipe`` package (0.10.21 is the last release that bundles them), so
nothing is downloaded. Four differ from one another in what their score means:

- face, full range: the detection score of a model made for faces a few metres away, which is what
  people in a scene have;
- face, short range: the same for a model made for faces near the camera, which favours large faces;
- palm: the detection score of the model that proposes where a hand may be;
- hand: landmarks, where a palm was proposed and the landmark model's presence score passes the threshold.
  That score is a gate and is not given out. What the paper reports as hand confidence is the classifier's
  certainty whether a found hand is a left or a right one: at least 0.5 for any hand found, and no measure of
  the hand's quality. It is kept under the name ``handedness``.
"""

from fairhuman.detectors._cache import cache_directory
from fairhuman.detectors._detect import detect, detect_all_hands, detect_bodies, detect_meshes
from fairhuman.detectors._found import Body, Detection, Face, Hand, Palm
from fairhuman.detectors._match import match_regions
from fairhuman.detectors._photograph import PhotographDetector
from fairhuman.detectors._second import detect_second_faces, has_second_detector
from fairhuman.detectors._yolo import require_ultralytics

__all__ = [
    "Body",
    "Detection",
    "Face",
    "Hand",
    "Palm",
    "PhotographDetector",
    "cache_directory",
    "detect",
    "detect_all_hands",
    "detect_bodies",
    "detect_meshes",
    "detect_second_faces",
    "has_second_detector",
    "match_regions",
    "require_ultralytics",
]
