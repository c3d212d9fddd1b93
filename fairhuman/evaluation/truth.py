"""Regions that a detector should find: sufficiently large faces and hands in the annotation."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from fairhuman.images import read_mask

if TYPE_CHECKING:
    from pathlib import Path

    from fairhuman.data import HumanRecord

#: A face of at least this share of the image, turned away by less than so many degrees, can be asked for.
FACE_LEAST_AREA, FACE_MOST_YAW = 0.003, 45.0
#: A hand (or both together) of at least this share of the image.
HAND_LEAST_AREA = 0.002


def expected_regions(records: Sequence[HumanRecord]) -> pd.DataFrame:
    """For each annotated image, the areas of its face and hands, and whether a detector should find them.

    For a generated image, these are the regions of the held-out image that provided the prompt: the requested
    regions, not the actual ones, because a caption does not fix the exact framing.

    Args:
        records: Records of a :class:`fairhuman.data.HumanFolder` with the regions ``face`` and ``hand``.

    Returns:
        One row per record: ``face_area`` and ``hand_area`` as fractions of the image in [0, 1], from the
        masks; ``face_expected`` and ``hand_expected``. Without a known yaw, only the face's area counts.

    Raises:
        ValueError: A record lacks one of the two masks.
    """
    rows = []
    for record in records:
        for region in ("face", "hand"):
            if region not in record.masks:
                raise ValueError(
                    f"{record.place}: has no {region} mask; read the folder with regions=('face', 'hand')"
                )
        face, hand = _area(record.masks["face"]), _area(record.masks["hand"])
        yaw = 0.0 if record.face_yaw is None else abs(record.face_yaw)
        rows.append(
            {
                "face_area": face,
                "hand_area": hand,
                "face_expected": face >= FACE_LEAST_AREA and yaw < FACE_MOST_YAW,
                "hand_expected": hand >= HAND_LEAST_AREA,
            }
        )
    return pd.DataFrame(rows, columns=["face_area", "hand_area", "face_expected", "hand_expected"])


def _area(mask: Path | None) -> float:
    return 0.0 if mask is None else float(np.mean(read_mask(mask).pixels > 127))
