"""Faces, hands and bodies in one photograph, found by MediaPipe (and YOLO) at several scales.

Four models look at each photograph: faces near and far, hands, a body. Each sees the whole; then the models
for far faces and for hands see tiles of it, and the model for hands the surroundings of the body's wrists.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fairhuman.data.annotation._found import (
    Found,
    FoundBody,
    FoundFace,
    FoundHand,
    body_of,
    faces_of,
    hands_of,
)
from fairhuman.data.annotation._settings import AnnotateSettings
from fairhuman.data.annotation._tiles import Box, Region, distinct, is_cut, square_around, tiles
from fairhuman.data.annotation._yolo import YoloDetector
from fairhuman.quiet import quiet_stderr

# A region is shrunk to this side before a detector sees it: more than any model's input (256 pixels), so that
# the landmarks of a hand in it are read from enough pixels.
_SIDE: Final = 640
_MOST_HANDS: Final = 8


class Detectors:
    """MediaPipe's graphs, which take a second to start and then see one photograph after the other."""

    def __init__(self, settings: AnnotateSettings) -> None:
        threshold, self._scales = settings.threshold, settings.scales
        self._yolo = {
            region: YoloDetector(name, weights, threshold, settings.device)
            for region in ("face", "hand")
            if (weights := getattr(settings, name := f"{region}_weights"))
        }
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
            body = body_of(self._pose.process(view), width, height)
            faces = [*faces_of(self._near.process(view), whole), *faces_of(self._far.process(view), whole)]
            hands = list(hands_of(self._hands.process(view), whole))
            for region in self._regions(width, height, body):
                view = _view(picture, region)
                hands += [
                    hand
                    for hand in hands_of(self._hands.process(view), region)
                    if not is_cut(hand.box, region, width, height)
                ]
            for scale in range(2, self._scales + 1):
                for region in tiles(width, height, scale):
                    found = faces_of(self._far.process(_view(picture, region)), region)
                    faces += [face for face in found if not is_cut(face.box, region, width, height)]
        regions = [
            whole,
            *(tile for scale in range(2, self._scales + 1) for tile in tiles(width, height, scale)),
        ]
        for score, box in self._by_yolo("face", pixels, regions):
            faces.append(FoundFace(score, box, np.empty((0, 2))))
        for score, (x0, y0, x1, y1) in self._by_yolo("hand", pixels, regions):
            corners = np.array([[x0, y0], [x1, y0], [x1, y1], [x0, y1]])
            hands.append(FoundHand(score, "", (x0, y0, x1, y1), corners))
        return Found(_best(faces), _best(hands), body)

    def _by_yolo(
        self, name: str, pixels: NDArray[np.uint8], regions: list[Region]
    ) -> Iterator[tuple[float, Box]]:
        height, width = pixels.shape[:2]
        for region in regions if name in self._yolo else ():
            for score, (x0, y0, x1, y1) in self._yolo[name](
                pixels[region.y0 : region.y1, region.x0 : region.x1]
            ):
                box = x0 + region.x0, y0 + region.y0, x1 + region.x0, y1 + region.y0
                if not is_cut(box, region, width, height):
                    yield score, box

    def _regions(self, width: int, height: int, body: FoundBody | None) -> Iterator[Region]:
        """Where hands are looked for beside the whole image."""
        for x, y, length in body.wrists.values() if body else ():
            region = square_around(x, y, 2.5 * length, width, height)
            if region is not None:
                yield region
        for scale in range(2, self._scales + 1):
            yield from tiles(width, height, scale)


def _best(items: list[Any]) -> tuple[Any, ...]:
    # Of one hand found twice the one with landmarks stays, whatever the scores.
    def rank(item: Any) -> tuple[Any, ...]:
        return getattr(item, "side", None) == "", -item.score, item.box

    return tuple(distinct(sorted(items, key=rank), lambda item: item.box))


def _view(picture: Image.Image, region: Region) -> NDArray[np.uint8]:
    """The pixels of a region, shrunk to what a detector needs."""
    width, height = region.size
    factor = min(1.0, _SIDE / max(width, height))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    if size == region.size:
        return np.ascontiguousarray(picture.crop(region))
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, box=region, reducing_gap=2.0))
