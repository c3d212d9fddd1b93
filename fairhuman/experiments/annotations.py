"""Is an annotation right? Masks, boxes and keypoints held against one another and against MediaPipe.

The detectors know nothing of how a data set was made, so where they find a face or a hand says
whether its masks and boxes are where people have theirs. The keypoints and masks of renders come
from the same body by different ways, joints by projection and masks by rays.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from fairhuman.boxes import iou, is_inside, middle
from fairhuman.data import HumanFolder, HumanRecord
from fairhuman.detectors import Detection
from fairhuman.evaluation.statistics import Estimate, estimate_proportion, estimate_ratio
from fairhuman.evaluation.truth import expected_regions
from fairhuman.images import read_depth, read_mask

_FACE_POINTS: Final = (0, 1, 2)  # nose and eyes of the COCO keypoints
_VISIBLE: Final = 2

CHECKS: Final = {
    "face_found": "share of the faces to be expected that the full-range detector finds in their place",
    "hand_found": "share of the images with a hand to be expected in which one is found in its place",
    "face_boxes_agree": "share of these found faces whose box overlaps the mask's by IoU >= 0.5",
    "face_points_inside": "share of the visible noses and eyes that lie in the face mask",
    "hand_points_inside": "share of the visible hand joints, wrist excepted, that lie in the hand mask",
    "body_points_inside": "share of the visible body keypoints that lie on the person",
}
"""What `summarise_annotations` reports, and what it means."""

BOX_COLUMNS: Final = ("face_iou", "face_width_ratio", "face_height_ratio", "face_shift")
"""How the detector's box of a face compares with the mask's."""


def judge_annotations(folder: HumanFolder, detections: Sequence[Detection]) -> pd.DataFrame:
    """Holds each image's annotation against itself and against what the detectors found in it.

    A face counts as found where the middle of a detection lies in the box of the face's mask, a hand
    where the middle of its landmarks lies in the box of a hand. Keypoints may miss a mask by one pixel.

    Args:
        folder: Read with the regions ``face`` and ``hand`` and the condition ``depth``.
        detections: Of its images, by `fairhuman.detectors.detect`.

    Returns:
        One row per image: the columns of `fairhuman.evaluation.expected_regions`, and

        - ``face_yaw`` in degrees; ``face_found``, ``hand_found``;
        - ``face_detection``, the box of the detection in pixels, None where none is found;
        - ``face_iou`` of that box and the mask's; ``face_width_ratio`` and ``face_height_ratio``, its size
          against the mask's; ``face_shift``, how far below the mask's it lies, in heights of the mask's;
        - ``face_points``, ``hand_points``, ``body_points``: how many are visible;
        - ``face_points_inside``, ``hand_points_inside``, ``body_points_inside``: of these, how many fit.

    Raises:
        ValueError: Not as many detections as images, or a folder read without what is needed.
    """
    if len(detections) != len(folder):
        raise ValueError(f"detections: must be as many as images ({len(folder)}), got {len(detections)}")
    if not {"face", "hand"} <= set(folder.regions) or "depth" not in folder.conditions:
        raise ValueError("folder: must be read with regions=('face', 'hand'), conditions=('depth',)")
    rows = [
        _judge_face(record, found) | _judge_hands(record, found) | _judge_points(record)
        for record, found in zip(folder.records, detections, strict=True)
    ]
    return pd.concat([expected_regions(folder.records), pd.DataFrame(rows)], axis=1)


def summarise_annotations(judged: pd.DataFrame) -> dict[str, Estimate]:
    """The shares of `CHECKS` with 95 % intervals; those of points resample whole images.

    Args:
        judged: Of `judge_annotations`.
    """
    faces, hands = judged[judged.face_expected], judged[judged.hand_expected]
    shares = {
        "face_found": _share(faces.face_found),
        "hand_found": _share(hands.hand_found),
        "face_boxes_agree": _share(faces.face_iou[faces.face_found] >= 0.5),
    }
    for name in ("face", "hand", "body"):
        key = f"{name}_points_inside"
        shares[key] = estimate_ratio(judged[key], judged[f"{name}_points"])
    return shares


def _share(values: pd.Series) -> Estimate:
    return estimate_proportion(int(values.sum()), len(values))


def _judge_face(record: HumanRecord, found: Detection) -> dict[str, Any]:
    yaw = float("nan") if record.face_yaw is None else record.face_yaw
    truth = record.boxes.get("face")
    near = [face.box for face in found.faces if truth and is_inside(middle(face.box), [truth])]
    row: dict[str, Any] = {"face_yaw": yaw, "face_found": bool(near)}
    if truth is None or not near:
        return row | {"face_detection": None} | dict.fromkeys(BOX_COLUMNS, float("nan"))
    box = max(near, key=lambda candidate: iou(truth, candidate))
    # A detector's box may leave the picture, which a mask cannot.
    box = (max(box[0], 0), max(box[1], 0), min(box[2], found.width), min(box[3], found.height))
    width, height = truth[2] - truth[0], truth[3] - truth[1]
    shift = (middle(box)[1] - middle(truth)[1]) / height
    ratios = (box[2] - box[0]) / width, (box[3] - box[1]) / height
    return (
        row | {"face_detection": box} | dict(zip(BOX_COLUMNS, (iou(truth, box), *ratios, shift), strict=True))
    )


def _judge_hands(record: HumanRecord, found: Detection) -> dict[str, bool]:
    boxes = [box for box in (record.boxes.get("left_hand"), record.boxes.get("right_hand")) if box]
    return {"hand_found": any(is_inside(hand.middle, boxes) for hand in found.hands)}


def _judge_points(record: HumanRecord) -> dict[str, int]:
    person = read_depth(record.conditions["depth"]) > 0
    face, hand = (_mask(record, region, person.shape) for region in ("face", "hand"))
    body = record.keypoints["body"]
    hands = np.concatenate([record.keypoints[side][1:] for side in ("left_hand", "right_hand")])
    row: dict[str, int] = {}
    for name, points, mask in (
        ("face", body[list(_FACE_POINTS)], face),
        ("hand", hands, hand),
        ("body", body, person),
    ):
        visible = points[points[:, 2] == _VISIBLE]
        row[f"{name}_points"] = len(visible)
        row[f"{name}_points_inside"] = int(_inside(visible, binary_dilation(mask, np.ones((3, 3)))).sum())
    return row


def _inside(points: NDArray[np.float64], mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    height, width = mask.shape
    columns = np.clip(points[:, 0].astype(int), 0, width - 1)
    rows = np.clip(points[:, 1].astype(int), 0, height - 1)
    return mask[rows, columns]


def _mask(record: HumanRecord, region: str, shape: tuple[int, ...]) -> NDArray[np.bool_]:
    path = record.masks[region]
    return np.zeros(shape, dtype=bool) if path is None else read_mask(path).pixels > 127
