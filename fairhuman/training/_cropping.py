"""How much bucket cropping removes from the images of a data set."""

from __future__ import annotations

from typing import Any

import numpy as np

from fairhuman.data import HumanFolder, JointTransform, kept_share

__all__ = ["bucket_sizes", "cropped", "halved"]


def bucket_sizes(data: HumanFolder, transform: JointTransform) -> np.ndarray:
    """Height and width of each transformed image, shape (n, 2)."""
    return np.array([transform.target((height, width)) for height, width in data.sizes.tolist()])


def cropped(data: HumanFolder, transform: JointTransform) -> list[dict[str, Any]]:
    """For each bucket: ``size`` (height, width), number of ``images``, their occurrences per epoch, and the
    fraction of their area that is cropped, on ``average`` and at ``most``."""
    targets = bucket_sizes(data, transform)
    lost = np.array(
        [1 - kept_share(size, goal) for size, goal in zip(data.sizes.tolist(), targets.tolist(), strict=True)]
    )
    found = []
    for size in np.unique(targets, axis=0):
        here = (targets == size).all(axis=1)
        found.append({
            "size": size.tolist(), "images": int(here.sum()), "epoch": int(data.repeats[here].sum()),
            "average": round(float(lost[here].mean()), 4), "most": round(float(lost[here].max()), 4),
        })  # fmt: skip
    return found


def halved(data: HumanFolder, transform: JointTransform) -> dict[str, list[str]]:
    """Region → images that lose more than half of it to a central crop; empty for random crops."""
    if transform.crop != "center":
        return {}
    sizes = [(height, width) for height, width in data.sizes.tolist()]
    kept = bucket_sizes(data, transform) / np.array([transform.resized(size) for size in sizes])
    lost = {region: np.flatnonzero((kept < half).any(axis=1)) for region, half in data.half.items()}
    return {region: [data.records[int(i)].image.name for i in places] for region, places in lost.items()}
