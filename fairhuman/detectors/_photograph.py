"""Detection of faces, hands and the main body in a photograph, with MediaPipe (and YOLO) at several scales.

Four models run on each photograph: near faces, far faces, hands, a body. Each runs on the whole image; the
models for far faces and for hands also run on tiles, and the hand model also around the body's wrists.
Detections are candidates, which :mod:`fairhuman.detectors._confirm` checks a second time.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import chain
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fairhuman.boxes import Box
from fairhuman.detectors._confirm import Confirmer, confirmed
from fairhuman.detectors._found import Body, Detection, Face, Hand
from fairhuman.detectors._mediapipe import BodyModel, FaceModel, HandModel
from fairhuman.detectors._tiles import Region, is_cut, square_around, tiles
from fairhuman.detectors._yolo import YoloDetector

__all__ = ["PhotographDetector"]

# A region is shrunk to this side before a detector sees it: more than any model's input (256 pixels), so that
# the landmarks of a hand in it are read from enough pixels.
_SIDE: Final = 640
_MOST_HANDS: Final = 8


class PhotographDetector:
    """All models, which take a second to start and are then called on one photograph at a time.

    Args:
        threshold: Minimum score of a face, hand or body, in [0, 1].
        scales: 1: the whole photograph, and hands around the wrists; 2: also overlapping tiles of half its
            shorter side; 3: also of a quarter.
        face_weights, hand_weights: Additional YOLO weights.
        device: Device of YOLO.
    """

    def __init__(
        self,
        threshold: float,
        scales: int,
        face_weights: str | None = None,
        hand_weights: str | None = None,
        device: str = "cpu",
    ) -> None:
        self._scales = scales
        weights = {"face": face_weights, "hand": hand_weights}
        self._yolo = {
            region: YoloDetector(f"{region}_weights", path, threshold, device)
            for region, path in weights.items()
            if path
        }
        self._far, self._near = (FaceModel(threshold, far) for far in (True, False))
        self._hands = HandModel(threshold, _MOST_HANDS)
        self._body = BodyModel(threshold, presence=threshold)
        self._confirmer = Confirmer(threshold)

    def close(self) -> None:
        """Close the graphs."""
        for model in (self._far, self._near, self._hands, self._body, self._confirmer):
            model.close()

    def __call__(self, pixels: NDArray[np.uint8]) -> Detection:
        """Detect people in an RGB photograph of shape (height, width, 3), without duplicates."""
        height, width = pixels.shape[:2]
        picture, whole = Image.fromarray(pixels), Region(0, 0, width, height)
        parts = list(chain.from_iterable(tiles(width, height, scale) for scale in range(2, self._scales + 1)))
        view = _view(picture, whole)
        body = self._body(view, width, height)
        faces = [*self._near(view, whole), *self._far(view, whole)]
        hands = list(self._hands(view, whole)[0])
        for region in chain(_around_wrists(body, width, height), parts):
            found = self._hands(_view(picture, region), region)[0]
            hands += [hand for hand in found if not is_cut(hand.box, region, width, height)]
        for region in parts:
            found = self._far(_view(picture, region), region)
            faces += [face for face in found if not is_cut(face.box, region, width, height)]
        yolo = {region: self._by_yolo(region, pixels, [whole, *parts]) for region in ("face", "hand")}
        faces += [Face(score, box, None) for score, box in yolo["face"]]
        faces.sort(key=lambda face: (-face.score, face.box))
        hands.sort(key=lambda hand: (-(hand.handedness or 0), hand.box))
        # Last, so that of a hand found twice the one with landmarks is kept, regardless of scores.
        hands += [Hand(None, None, box, None) for _, box in yolo["hand"]]
        boxes = {region: [box for _, box in found] for region, found in yolo.items()}
        faces, no_faces = confirmed(faces, boxes["face"], lambda face: self._confirmer.face(picture, face))
        hands, no_hands = confirmed(hands, boxes["hand"], lambda hand: self._confirmer.hand(picture, hand))
        return Detection(
            width, height, faces, (), hands, body=body, unconfirmed_faces=no_faces, unconfirmed_hands=no_hands
        )

    def _by_yolo(
        self, name: str, pixels: NDArray[np.uint8], regions: list[Region]
    ) -> list[tuple[float, Box]]:
        """Scores and boxes in all regions, by descending score."""
        height, width = pixels.shape[:2]
        found = []
        for region in regions if name in self._yolo else ():
            part = pixels[region.y0 : region.y1, region.x0 : region.x1]
            for score, (x0, y0, x1, y1) in self._yolo[name](part):
                box = x0 + region.x0, y0 + region.y0, x1 + region.x0, y1 + region.y0
                if not is_cut(box, region, width, height):
                    found.append((score, box))
        return sorted(found, key=lambda one: (-one[0], one[1]))


def _around_wrists(body: Body | None, width: int, height: int) -> Iterator[Region]:
    for x, y, length in body.wrists().values() if body else ():
        region = square_around(x, y, 2.5 * length, width, height)
        if region is not None:
            yield region


def _view(picture: Image.Image, region: Region) -> NDArray[np.uint8]:
    """The pixels of a region, downscaled to the detectors' needs."""
    width, height = region.size
    factor = min(1.0, _SIDE / max(width, height))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    if size == region.size:
        return np.ascontiguousarray(picture.crop(region))
    return np.asarray(picture.resize(size, Image.Resampling.BILINEAR, box=region, reducing_gap=2.0))
