"""Pose agreement: keypoints detected in a generated image against its pose condition.

The paper's "pose difference" is defined neither in its text nor in its code. Here it is the mean distance
between a visible joint of the condition and the same joint detected by MediaPipe Pose, over detected joints,
in pixels and relative to the body's height in the condition. Two further metrics are the fraction of joints
detected, and PCK, the fraction of all requested joints detected within a tenth of the body's height. A missed
joint does not affect the distance and counts as a miss in PCK.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from fairhuman.detectors import detect_bodies
from fairhuman.images import ImageLike

from .statistics import Estimate, estimate_mean, estimate_ratio

__all__ = ["detect_poses", "judge_poses", "summarise_poses"]

_VISIBLE = 2
PCK_SHARE = 0.1
"""Maximum distance, relative to the body's height, at which a joint counts as correct."""


def detect_poses(
    images: Sequence[ImageLike],
    *,
    workers: int = 1,
    threshold: float = 0.5,
    progress: bool | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> list[NDArray[np.float64]]:
    """Detect the body's keypoints in each image with MediaPipe Pose.

    Args:
        images: Paths, PIL images or uint8 arrays of shape (height, width, 3) in RGB.
        threshold: Minimum confidence of a person, and minimum visibility of a joint, in [0, 1].
        workers, progress, cache: As for :func:`fairhuman.detectors.detect`.

    Returns:
        For each image, shape (17, 3) in COCO order: x, y in pixels, and 1 for joints detected inside the
        image, else 0; all 0 if nobody is detected.

    Raises:
        FileNotFoundError, ValueError: An image is missing or unreadable, or a value is out of range.
    """
    bodies = detect_bodies(images, workers=workers, threshold=threshold, progress=progress, cache=cache)
    poses = [np.zeros((17, 3)) if body is None else body.keypoints(threshold) for body in bodies]
    for pose in poses:
        pose[:, 2] = pose[:, 2] == _VISIBLE
    return poses


def judge_poses(asked: Sequence[NDArray[np.float64]], found: Sequence[NDArray[np.float64]]) -> pd.DataFrame:
    """Distances between detected and requested joints, per image.

    Args:
        asked: Keypoints of each condition, shape (17, 3): x, y in pixels of the image, visibility 0, 1 or 2,
            as in a data set's metadata. Only visible joints are requested.
        found: From :func:`detect_poses`, in the same order.

    Returns:
        One row per image: ``joints`` requested; ``matched``, the number detected; ``pixels``, the sum of
        their distances; ``share``, the same in body heights; ``right``, joints within `PCK_SHARE`. The height
        is the longer side of the box around the requested joints. Images with fewer than two visible joints
        request none.

    Raises:
        ValueError: The numbers of images differ, or keypoints have the wrong shape.
    """
    if len(asked) != len(found):
        raise ValueError(f"asked, found: must be of one length, got {len(asked)} and {len(found)}")
    rows = []
    for number, (condition, pose) in enumerate(zip(asked, found, strict=True)):
        for name, points in (("asked", condition), ("found", pose)):
            if np.shape(points) != (17, 3):
                raise ValueError(f"{name}[{number}]: must have shape (17, 3), got {np.shape(points)}")
        rows.append(_judge(np.asarray(condition, float), np.asarray(pose, float)))
    return pd.DataFrame(rows, columns=["joints", "matched", "pixels", "share", "right"])


def summarise_poses(judged: pd.DataFrame, *, level: float = 0.95, seed: int = 0) -> dict[str, Estimate]:
    """Mean distance in ``pixels`` and relative to the body's height (``share``), ``coverage`` and ``pck``.

    Joints are pooled and resampling is by image; ``pose_found`` is the fraction of images with a detected
    joint, among those that request one.

    Args:
        judged: From :func:`judge_poses`.
        level: Confidence level of the intervals.
        seed: Seed of the resampling.
    """
    rows = judged[judged.joints > 0]
    ratio = {"level": level, "seed": seed}
    return {
        "pixels": estimate_ratio(rows.pixels, rows.matched, **ratio),
        "share": estimate_ratio(rows.share, rows.matched, **ratio),
        "coverage": estimate_ratio(rows.matched, rows.joints, **ratio),
        "pck": estimate_ratio(rows.right, rows.joints, **ratio),
        "pose_found": estimate_mean((rows.matched > 0).astype(float), bounds=(0, 1), **ratio),
    }


def _judge(asked: NDArray[np.float64], found: NDArray[np.float64]) -> dict[str, float]:
    visible = asked[:, 2] == _VISIBLE
    extent = np.ptp(asked[visible, :2], axis=0).max() if visible.sum() > 1 else 0.0
    if extent == 0:
        return {"joints": 0, "matched": 0, "pixels": 0.0, "share": 0.0, "right": 0}
    both = visible & (found[:, 2] > 0)
    distances = np.hypot(*(asked[both, :2] - found[both, :2]).T)
    return {
        "joints": int(visible.sum()),
        "matched": int(both.sum()),
        "pixels": float(distances.sum()),
        "share": float(distances.sum() / extent),
        "right": int((distances <= PCK_SHARE * extent).sum()),
    }
