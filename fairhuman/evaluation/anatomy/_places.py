"""Positions of requested faces and hands in (possibly generated) images.

Positions in a render are known. A sample has no annotation: its caption does not fix the position, and a
missed region has no box. Each requested region is placed once, by the first available source:

1. ``found``: its detection in the whole image; each detected hand is assigned to at most one requested hand,
   the nearest;
2. ``pose``: the body's landmarks, if they place it inside the image; distorted faces or hands barely affect
   them. This needs a requested face, because a close-up of a hand shows no body;
3. ``render``: its position in the caption's render.

The controls, renders and reconstructions, use the same rule instead of their annotation, so that their rates
show the rule's own losses.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from scipy.optimize import linear_sum_assignment

from fairhuman.boxes import Box, middle
from fairhuman.data import HumanRecord
from fairhuman.detectors import Body, Detection, Hand

__all__ = ["HANDS", "REGIONS", "Place", "place_regions"]

HANDS: Final = ("left_hand", "right_hand")
REGIONS: Final[Mapping[str, str]] = {"face": "face", "left_hand": "hand", "right_hand": "hand"}
"""Annotated box → kind of region."""

_HEAD: Final = slice(0, 11)  # MediaPipe's landmarks of eyes, ears, nose and mouth
_EARS: Final = (7, 8)
# Longer side of the annotated box against a length that the body's landmarks give, medians over renders.
_FACE_PER_EARS, _HAND_PER_FOREARM = 1.7, 0.68
_PER_DETECTED = 1.2  # the same against a detector's box, which is the tighter one


class Place(NamedTuple):
    """Position of a region in pixels of the image, and its source: found, pose or render."""

    box: Box
    by: str


def place_regions(
    records: Sequence[HumanRecord],
    detections: Sequence[Detection],
    hands: Sequence[Sequence[Hand]],
    bodies: Sequence[Body | None],
) -> list[dict[str, Place]]:
    """Find the position of every face and hand in the records.

    Args:
        records: The target of each image.
        detections: From :func:`fairhuman.detectors.detect` in the images, for their faces.
        hands: From :func:`fairhuman.detectors.detect_all_hands`.
        bodies: From :func:`fairhuman.detectors.detect_bodies`.

    Returns:
        For each image, the positions of those of ``face``, ``left_hand`` and ``right_hand`` that have a box
        in its record.

    Raises:
        ValueError: The numbers of images differ.
    """
    counts = [len(one) for one in (records, detections, hands, bodies)]
    if len(set(counts)) != 1:
        raise ValueError(f"records, detections, hands, bodies: must be of one length, got {counts}")
    placed = zip(records, detections, hands, bodies, strict=True)
    return [_placed(record, found, seen, body) for record, found, seen, body in placed]


def _placed(
    record: HumanRecord, found: Detection, hands: Sequence[Hand], body: Body | None
) -> dict[str, Place]:
    across = found.width / float(record.metadata.get("width") or found.width)
    down = found.height / float(record.metadata.get("height") or found.height)
    places = {
        name: Place((box[0] * across, box[1] * down, box[2] * across, box[3] * down), "render")
        for name in REGIONS
        if (box := record.boxes.get(name))
    }
    if body is not None and "face" in places:
        places |= {name: Place(box, "pose") for name, box in _by_pose(body).items() if name in places}
    faces = [*found.faces, *found.short_range_faces]
    if faces and "face" in places:
        places["face"] = Place(_widened(faces[0].box), "found")
    asked = [name for name in HANDS if name in places]
    if asked and hands:
        apart = [[_distance(places[name].box, hand.box) for hand in hands] for name in asked]
        for row, column in zip(*linear_sum_assignment(apart), strict=True):
            places[asked[row]] = Place(_widened(hands[column].box), "found")
    return places


def _by_pose(body: Body) -> dict[str, Box]:
    """Squares around a body's head and hands with their centre inside the image."""
    marks = body.landmarks[:, :2]
    left, right = marks[list(_EARS)]
    x, y = marks[_HEAD].mean(axis=0)
    squares = {"face": (x, y, _FACE_PER_EARS * np.hypot(*(left - right)))}
    for side, (x, y, forearm) in body.wrists().items():
        squares[f"{side}_hand"] = (x, y, _HAND_PER_FOREARM * forearm)
    return {
        name: _around(x, y, side, side)
        for name, (x, y, side) in squares.items()
        if side >= 1 and 0 <= x < body.width and 0 <= y < body.height
    }


def _widened(box: Box) -> Box:
    return _around(*middle(box), _PER_DETECTED * (box[2] - box[0]), _PER_DETECTED * (box[3] - box[1]))


def _around(x: float, y: float, width: float, height: float) -> Box:
    return float(x - width / 2), float(y - height / 2), float(x + width / 2), float(y + height / 2)


def _distance(first: Box, second: Box) -> float:
    return float(np.hypot(*np.subtract(middle(first), middle(second))))
