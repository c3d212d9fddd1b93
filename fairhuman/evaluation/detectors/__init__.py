"""Faces and hands found by MediaPipe, the detectors of the paper's evaluation (§4.1).

The models come with the ``mediapipe`` package (0.10.21 is the last release that bundles them), so
nothing is downloaded. Four differ from one another in what their score means:

- face, full range: the detection score of a model made for faces a few metres away, which is what
  people in a scene have;
- face, short range: the same for a model made for faces near the camera, which favours large faces;
- palm: the detection score of the model that proposes where a hand may be;
- hand: landmarks, where a palm was proposed and the landmark model's own presence score passes the threshold.
  That score is a gate and is not given out. What the paper reports as hand confidence is the classifier's
  certainty whether a found hand is a left or a right one: at least 0.5 for any hand found, and no measure of
  the hand's quality. It is kept under the name ``handedness``.
"""

from fairhuman.evaluation.detectors._cache import cache_directory
from fairhuman.evaluation.detectors._crops import CROP_MARGINS, Crops, detect_crops
from fairhuman.evaluation.detectors._detect import detect
from fairhuman.evaluation.detectors._found import Box, Detection, Face, Hand, Palm
from fairhuman.evaluation.detectors._match import match_regions

__all__ = [
    "CROP_MARGINS",
    "Box",
    "Crops",
    "Detection",
    "Face",
    "Hand",
    "Palm",
    "cache_directory",
    "detect",
    "detect_crops",
    "match_regions",
]
