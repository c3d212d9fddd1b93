"""Second check of each detected face and hand in an enlarged crop, by other models.

A detector that runs on many tiles occasionally mistakes a fold of a jacket or a lamp for a face. Landmark
models do not, if the candidate fills a large part of their input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fairhuman.boxes import Box, iou, middle
from fairhuman.detectors._found import Face, Hand
from fairhuman.detectors._mediapipe import HandModel, MeshModel
from fairhuman.detectors._tiles import Region, distinct

__all__ = ["Confirmer", "confirmed"]

Item = TypeVar("Item", Face, Hand)

_OFTEN: Final = 3  # findings of one face or hand, at other scales, in other tiles, by other models
_SAME: Final = 0.3  # least IoU of these
_SIDE: Final = 384  # pixels of an enlarged view
# Sides of the views relative to the box's longer side. A face in profile shows its landmarks only in some of
# them; a hand that holds something is found in wide ones.
_FACE_VIEWS, _HAND_VIEWS = (2.0, 1.5, 3.0), (2.5, 4.0, 5.0, 2.0, 3.0, 8.0)
# Minimum IoU of a repeated detection; a face's landmarks span less than its box.
_AGAIN_FACE, _AGAIN_HAND = 0.2, 0.6


def confirmed(
    found: Sequence[Item], trusted: Sequence[Box], again: Callable[[Item], bool]
) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Confirmed and unconfirmed faces or hands, in order and without duplicates.

    Args:
        found: All detections, including repeated ones; the first of these is kept.
        trusted: Boxes of another detector, which need no confirmation.
        again: The second check, for items found neither repeatedly nor by the other detector.
    """
    kinds: dict[bool, list[Item]] = {True: [], False: []}
    for item in distinct(found, lambda one: one.box):
        often = sum(iou(item.box, other.box) > _SAME for other in found) >= _OFTEN
        sure = often or any(iou(item.box, box) > _SAME for box in trusted) or again(item)
        kinds[sure].append(item)
    return tuple(kinds[True]), tuple(kinds[False])


class Confirmer:
    """The face mesh and the hand model.

    Args:
        threshold: Minimum score and presence of a face or hand, in [0, 1].
    """

    def __init__(self, threshold: float) -> None:
        self._mesh, self._hands = MeshModel(threshold), HandModel(threshold, most=2)

    def close(self) -> None:
        """Close the graphs."""
        self._mesh.close()
        self._hands.close()

    def face(self, picture: Image.Image, face: Face) -> bool:
        """Whether landmarks are found in the enlarged face."""
        return any(
            iou(face.box, box) > _AGAIN_FACE
            for pixels, region in _views(picture, face.box, _FACE_VIEWS)
            if (box := self._mesh_box(pixels, region)) is not None
        )

    def hand(self, picture: Image.Image, hand: Hand) -> bool:
        """Whether the hand is found again in its enlarged crop."""
        return any(
            iou(hand.box, again.box) > _AGAIN_HAND
            for pixels, region in _views(picture, hand.box, _HAND_VIEWS)
            for again in self._hands(pixels, region)[0]
        )

    def _mesh_box(self, pixels: NDArray[np.uint8], region: Region) -> Box | None:
        marks = self._mesh(pixels)
        if marks is None:
            return None
        places = marks[:, :2] * region.size / _SIDE + region[:2]
        (x0, y0), (x1, y1) = places.min(axis=0), places.max(axis=0)
        return float(x0), float(y0), float(x1), float(y1)


def _views(
    picture: Image.Image, box: Box, margins: Iterable[float]
) -> Iterator[tuple[NDArray[np.uint8], Region]]:
    """Squares around a box, black outside the image, all resized to the same side length."""
    x, y = middle(box)
    for margin in margins:
        side = max(8, round(margin * max(box[2] - box[0], box[3] - box[1])))
        x0, y0 = round(x - side / 2), round(y - side / 2)
        region = Region(x0, y0, x0 + side, y0 + side)
        view = picture.crop(region).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        yield np.asarray(view), region
