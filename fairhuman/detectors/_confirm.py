"""A second look at what was found in a photograph: each face and hand alone, enlarged, by other models.

A detector that sees many tiles takes a fold of a jacket or a lamp for a face now and then. The models of
landmarks do not, once what was found fills a good part of what they see.
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
# Sides of the views against the box's longer side. A profile shows its landmarks in some of them only, a hand
# that holds something is found in wide ones.
_FACE_VIEWS, _HAND_VIEWS = (2.0, 1.5, 3.0), (2.5, 4.0, 5.0, 2.0, 3.0, 8.0)
# Least IoU of what is found again; landmarks of a face span less than its box.
_AGAIN_FACE, _AGAIN_HAND = 0.2, 0.6


def confirmed(
    found: Sequence[Item], trusted: Sequence[Box], again: Callable[[Item], bool]
) -> tuple[tuple[Item, ...], tuple[Item, ...]]:
    """Faces or hands that are there, and those that are not confirmed, both in their order and none twice.

    Args:
        found: All that the search found, the same one several times; of these the first is kept.
        trusted: Boxes of another detector, which need no confirmation.
        again: The second look, for what was neither found often nor by the other detector.
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
        threshold: Least score and presence of a face or hand, in [0, 1].
    """

    def __init__(self, threshold: float) -> None:
        self._mesh, self._hands = MeshModel(threshold), HandModel(threshold, most=2)

    def close(self) -> None:
        """End the graphs."""
        self._mesh.close()
        self._hands.close()

    def face(self, picture: Image.Image, face: Face) -> bool:
        """Whether the enlarged face has the landmarks of one."""
        return any(
            iou(face.box, box) > _AGAIN_FACE
            for pixels, region in _views(picture, face.box, _FACE_VIEWS)
            if (box := self._mesh_box(pixels, region)) is not None
        )

    def hand(self, picture: Image.Image, hand: Hand) -> bool:
        """Whether the enlarged hand is found again."""
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
    """Squares around a box, black beyond the picture, each enlarged or shrunk to the same side."""
    x, y = middle(box)
    for margin in margins:
        side = max(8, round(margin * max(box[2] - box[0], box[3] - box[1])))
        x0, y0 = round(x - side / 2), round(y - side / 2)
        region = Region(x0, y0, x0 + side, y0 + side)
        view = picture.crop(region).resize((_SIDE, _SIDE), Image.Resampling.BICUBIC)
        yield np.asarray(view), region
