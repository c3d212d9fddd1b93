"""Matching of detections with requested faces and hands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from fairhuman.boxes import Box, is_inside, middle
from fairhuman.detectors._found import Detection

__all__ = ["match_regions"]

_HANDS = ("left_hand", "right_hand")


def match_regions(
    detections: Sequence[Detection], boxes: Sequence[Mapping[str, Box | None]]
) -> list[Detection]:
    """Keep only detections with their centre in a box of their region.

    Faces on posters, hands where none was requested, and knees mistaken for palms do not count. The centre of
    a hand is the mean of its landmarks. Boxes and detections use the same pixel coordinates.

    Args:
        detections: From :func:`detect`.
        boxes: For each image, ``face``, ``left_hand`` and ``right_hand``; missing or None for none.

    Raises:
        ValueError: The numbers of detections and boxes differ.
    """
    if len(detections) != len(boxes):
        raise ValueError(f"detections, boxes: must be of one length, got {len(detections)} and {len(boxes)}")
    return [_matched(found, asked) for found, asked in zip(detections, boxes, strict=True)]


def _matched(found: Detection, asked: Mapping[str, Box | None]) -> Detection:
    faces = [box for box in (asked.get("face"),) if box]
    hands = [box for name in _HANDS if (box := asked.get(name))]
    return replace(
        found,
        faces=tuple(face for face in found.faces if is_inside(middle(face.box), faces)),
        short_range_faces=tuple(
            face for face in found.short_range_faces if is_inside(middle(face.box), faces)
        ),
        hands=tuple(hand for hand in found.hands if is_inside(hand.middle, hands)),
        palms=tuple(palm for palm in found.palms if is_inside(middle(palm.box), hands)),
    )
