"""Does a generated person stand as the condition asked? Keypoints found in the image against those asked for.

The paper's "pose difference" is defined neither in its text nor in its code. Here it is the mean distance
between a joint that the condition shows and the same joint as MediaPipe Pose finds it in the image, in
pixels and as a share of the body's height in the condition, over joints found; beside it the share of joints
found, and PCK, the share of all joints asked for that are found within a tenth of the body's height. A joint
that is not found costs nothing in the distance and counts as a miss in PCK.
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
"""Largest distance, as a share of the body's height, at which a joint counts as right."""


def detect_poses(
    images: Sequence[ImageLike],
    *,
    workers: int = 1,
    threshold: float = 0.5,
    progress: bool | None = None,
    cache: str | os.PathLike[str] | None = None,
) -> list[NDArray[np.float64]]:
    """The body's keypoints in each image, by MediaPipe Pose on still images.

    Args:
        images: Paths, PIL images or uint8 arrays of shape (height, width, 3) in RGB.
        threshold: Least confidence of a person, and least visibility of a joint, in [0, 1].
        workers, progress, cache: As for :func:`fairhuman.detectors.detect`.

    Returns:
        For each image shape (17, 3) in COCO's order: x, y in pixels, and 1 for a joint that is found inside
        the image, else 0; all 0 where nobody is found.

    Raises:
        FileNotFoundError, ValueError: An image that is missing or cannot be read; a value out of range.
    """
    bodies = detect_bodies(images, workers=workers, threshold=threshold, progress=progress, cache=cache)
    poses = [np.zeros((17, 3)) if body is None else body.keypoints(threshold) for body in bodies]
    for pose in poses:
        pose[:, 2] = pose[:, 2] == _VISIBLE
    return poses


def judge_poses(asked: Sequence[NDArray[np.float64]], found: Sequence[NDArray[np.float64]]) -> pd.DataFrame:
    """Distances of the joints found from those asked for, image by image.

    Args:
        asked: Keypoints of each condition, shape (17, 3): x, y in pixels of the image, visibility 0, 1 or 2,
            as in a data set's metadata. Visible joints are asked for.
        found: Of :func:`detect_poses`, in the same order.

    Returns:
        One row per image: ``joints`` asked for; ``matched``, of these found; ``pixels``, the sum of their
        distances; ``share``, the same in heights of the body; ``right``, joints within `PCK_SHARE`. The
        height is that of the box around the joints asked for, its width if that is the larger. An image
        with fewer than two joints to ask for has none.

    Raises:
        ValueError: Different numbers of images, or keypoints of another shape.
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
    """Mean distance in ``pixels`` and as a ``share`` of the body's height, ``coverage`` and ``pck``.

    Joints are counted together and images resampled whole; ``pose_found``, the share of images with a joint
    found, is over the images that ask for one.

    Args:
        judged: Of :func:`judge_poses`.
        level: Confidence level of the intervals.
        seed: Of the resampling.
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
