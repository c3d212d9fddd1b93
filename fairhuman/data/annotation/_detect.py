"""Faces, hands and bodies in one photograph, found by MediaPipe at several scales.

Four models look at each photograph: faces near and far, hands, a body. Each sees the whole; then the models
for far faces and for hands see tiles of it, and the model for hands the surroundings of the body's wrists.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fairhuman.data.annotation._tiles import Box, Region, distinct, is_cut, square_around, tiles
from fairhuman.evaluation._quiet import quiet_stderr

# A region is shrunk to this side before a detector sees it: more than any model's input (256 pixels), so that
# the landmarks of a hand in it are read from enough pixels.
_SIDE: Final = 640
_MOST_HANDS: Final = 8
# BlazePose's 33 landmarks: those that COCO has, in COCO's order; then the wrists and knuckles.
_COCO: Final = (0, 2, 5, 7, 8, 11, 12, 13, 14, 15, 16, 23, 24, 25, 26, 27, 28)
_ARMS: Final = ((13, 15, (17, 19, 21)), (14, 16, (18, 20, 22)))  # elbow, wrist, knuckles: left, right
_SEEN: Final = 0.5  # least visibility of a landmark that counts as visible


@dataclass(frozen=True)
class FoundFace:
    """A face: its box as the detector gives it, and six points (right eye, left eye, nose, mouth, ears)."""

    score: float
    box: Box
    points: NDArray[np.float64] = field(compare=False)


@dataclass(frozen=True)
class FoundHand:
    """A hand: the person's own ``side``, the certainty of it, the box of its 21 landmarks (21, 2)."""

    score: float
    side: str
    box: Box
    points: NDArray[np.float64] = field(compare=False)


@dataclass(frozen=True)
class FoundBody:
    """A body: 17 COCO keypoints (x, y, visibility 0, 1 or 2), and where its hands are to be looked for.

    ``wrists`` maps a side to (x, y, length), the middle of the hand and the length of the forearm.
    """

    keypoints: NDArray[np.float64]
    wrists: dict[str, tuple[float, float, float]]


@dataclass(frozen=True)
class Found:
    """Everything found in one photograph, in its pixels; each tuple has the best score first."""

    faces: tuple[FoundFace, ...]
    hands: tuple[FoundHand, ...]
    body: FoundBody | None


class Detectors:
    """MediaPipe's graphs, which take a second to start and then see one photograph after the other."""

    def __init__(self, threshold: float, scales: int) -> None:
        self._scales = scales
        logging.getLogger("absl").setLevel(logging.ERROR)
        with quiet_stderr():
            from mediapipe.python.solutions.face_detection import FaceDetection
            from mediapipe.python.solutions.hands import Hands
            from mediapipe.python.solutions.pose import Pose

            self._far = FaceDetection(min_detection_confidence=threshold, model_selection=1)
            self._near = FaceDetection(min_detection_confidence=threshold, model_selection=0)
            self._hands = Hands(
                static_image_mode=True,
                max_num_hands=_MOST_HANDS,
                min_detection_confidence=threshold,
                min_tracking_confidence=threshold,
            )
            self._pose = Pose(
                static_image_mode=True,
                model_complexity=1,
                min_detection_confidence=threshold,
                min_tracking_confidence=threshold,
            )
            # A graph loads its model in the background and logs while it does: wait for it here.
            for graph in self._graphs:
                graph.process(np.zeros((8, 8, 3), dtype=np.uint8))

    @property
    def _graphs(self) -> tuple[Any, ...]:
        return self._far, self._near, self._hands, self._pose

    def close(self) -> None:
        """Ends the graphs."""
        with quiet_stderr():
            for graph in self._graphs:
                graph.close()

    def __call__(self, pixels: NDArray[np.uint8]) -> Found:
        """What is found in an image (H, W, 3), RGB."""
        height, width = pixels.shape[:2]
        picture = Image.fromarray(pixels)
        with quiet_stderr():
            whole = Region(0, 0, width, height)
            view = _view(picture, whole)
            body = _body(self._pose.process(view), width, height)
            faces = [*_faces(self._near.process(view), whole), *_faces(self._far.process(view), whole)]
            hands = list(_hands(self._hands.process(view), whole))
            for region in self._regions(width, height, body):
                view = _view(picture, region)
                hands += [
                    hand
                    for hand in _hands(self._hands.process(view), region)
                    if not is_cut(hand.box, region, width, height)
                ]
            for scale in range(2, self._scales + 1):
                for region in tiles(width, height, scale):
                    found = _faces(self._far.process(_view(picture, region)), region)
                    faces += [face for face in found if not is_cut(face.box, region, width, height)]
        return Found(_best(faces), _best(hands), body)

    def _regions(self, width: int, height: int, body: FoundBody | None) -> Iterator[Region]:
        """Where hands are looked for beside the whole image."""
        for x, y, length in body.wrists.values() if body else ():
            region = square_around(x, y, 2.5 * length, width, height)
            if region is not None:
                yield region
        for scale in range(2, self._scales + 1):
            yield from tiles(width, height, scale)


def _best(items: list[Any]) -> tuple[Any, ...]:
    return tuple(distinct(sorted(items, key=lambda item: (-item.score, item.box)), lambda item: item.box))


def _view(picture: Image.Image, region: Region) -> NDArray[np.uint8]:
    """The pixels of a region, shrunk to what a detector needs."""
    width, height = region.size
    factor = min(1.0, _SIDE / max(width, height))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    if size == region.size:
        return np.ascontiguousarray(picture.crop(region))
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, box=region, reducing_gap=2.0))


def _faces(found: Any, region: Region) -> Iterator[FoundFace]:
    width, height = region.size
    for detection in found.detections or ():
        location = detection.location_data
        box, marks = location.relative_bounding_box, location.relative_keypoints
        x0, y0 = region.x0 + box.xmin * width, region.y0 + box.ymin * height
        points = np.array([[region.x0 + p.x * width, region.y0 + p.y * height] for p in marks])
        corners = (x0, y0, x0 + box.width * width, y0 + box.height * height)
        yield FoundFace(float(detection.score[0]), corners, points)


def _hands(found: Any, region: Region) -> Iterator[FoundHand]:
    width, height = region.size
    for handed, marks in zip(found.multi_handedness or (), found.multi_hand_landmarks or (), strict=True):
        certain = handed.classification[0]
        points = np.array([[region.x0 + p.x * width, region.y0 + p.y * height] for p in marks.landmark])
        box = (*map(float, points.min(axis=0)), *map(float, points.max(axis=0)))
        # MediaPipe names sides as in a mirrored, selfie image.
        side = {"Left": "right", "Right": "left"}[certain.label]
        yield FoundHand(float(certain.score), side, box, points)


def _body(found: Any, width: int, height: int) -> FoundBody | None:
    if found.pose_landmarks is None:
        return None
    marks = np.array([[p.x * width, p.y * height, p.visibility] for p in found.pose_landmarks.landmark])
    inside = (marks[:, :2] >= 0).all(axis=1) & (marks[:, :2] < (width, height)).all(axis=1)
    visible = np.where(inside, np.where(marks[:, 2] >= _SEEN, 2.0, 1.0), 0.0)
    wrists = {}
    for side, (elbow, wrist, knuckles) in zip(("left", "right"), _ARMS, strict=True):
        middle = marks[[wrist, *knuckles], :2].mean(axis=0)
        length = float(np.hypot(*(marks[elbow, :2] - marks[wrist, :2])))
        shoulders = float(np.hypot(*(marks[11, :2] - marks[12, :2])))
        wrists[side] = (float(middle[0]), float(middle[1]), max(length, 0.7 * shoulders))
    return FoundBody(np.column_stack([marks[:, :2], visible])[list(_COCO)], wrists)
