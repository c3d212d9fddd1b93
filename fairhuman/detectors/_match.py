"""Which findings lie where a face or a hand was asked for."""

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
    """Detections with only those findings left whose middle lies in a box of their region.

    A face on a poster, a hand that grew where none was asked for, and a knee taken for a palm do not count.
    The middle of a hand is the mean of its landmarks. Boxes and detections are in the same pixels.

    Args:
        detections: Of :func:`detect`.
        boxes: For each image ``face``, ``left_hand`` and ``right_hand``; missing or None for none.

    Raises:
        ValueError: Different numbers of detections and boxes.
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
