"""One rendered image on disk: its seven files and its line in ``metadata.jsonl``."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fairhuman.data.png import write_png
from fairhuman.data.pose import draw_pose
from fairhuman.humans._types import HumanImage

RENDERER: Final = 3
"""Version of the images, incremented by every change that alters the image of a seed."""

MASKS: Final[Mapping[str, tuple[str, ...]]] = {
    "face": ("face",),
    "hand": ("left_hand", "right_hand"),
    "foot": ("left_foot", "right_foot"),
    "eyes": ("eyes",),
}
"""Mask files, and the regions (see `fairhuman.humans._types.REGION_PARTS`) that each unites."""

BOXES: Final[tuple[str, ...]] = ("face", "left_hand", "right_hand", "left_foot", "right_foot")


def file_names(index: int) -> dict[str, str]:
    """Metadata key to path within the data set, with forward slashes.

    >>> file_names(7)["hand_mask_file_name"]
    'masks/hand/000007.png'
    """
    name = f"{index:06d}.png"
    return {
        "file_name": f"images/{name}",
        **{f"{region}_mask_file_name": f"masks/{region}/{name}" for region in MASKS},
        "pose_file_name": f"pose/{name}",
        "depth_file_name": f"depth/{name}",
    }


def write_record(
    out: Path, staging: Path, human: HumanImage, text: str, seed: int, index: int
) -> dict[str, Any]:
    """Write the files of one image atomically and return its metadata.

    Args:
        out: Folder of the data set, with its sub-folders.
        staging: Folder on the same file system for temporary files.
        human: The rendered person.
        text: Its caption.
        seed, index: Seed of the data set and index of the image.

    Returns:
        The metadata line as a mapping; its keys and types are the same for every image.
    """
    names = file_names(index)
    height, width = human.image.shape[:2]
    regions = human.masks
    masks = {name: np.logical_or.reduce([regions[part] for part in parts]) for name, parts in MASKS.items()}
    pixels = {
        "file_name": human.image,
        **{f"{name}_mask_file_name": mask.astype(np.uint8) * 255 for name, mask in masks.items()},
        "pose_file_name": draw_pose(human.keypoints, human.left_hand, human.right_hand, (height, width)),
        "depth_file_name": millimetres(human.depth),
    }
    for key, name in names.items():
        write_png(out / name, pixels[key], staging)
    camera = human.camera
    return {
        "file_name": names.pop("file_name"),
        "text": text,
        **names,
        **{f"{region}_box": mask_box(regions[region]) for region in BOXES},
        "keypoints": _rounded(human.keypoints),
        "left_hand_keypoints": _rounded(human.left_hand),
        "right_hand_keypoints": _rounded(human.right_hand),
        "width": int(width),
        "height": int(height),
        "source": "render",
        "renderer": RENDERER,
        "preset": human.preset,
        "seed": int(seed),
        "index": int(index),
        "face_yaw": round(float(human.face_yaw), 2),
        "attributes": dict(sorted((str(name), str(value)) for name, value in human.attributes.items())),
        "camera": {name: round(float(getattr(camera, name)), 4) for name in ("fx", "fy", "cx", "cy")},
    }


def mask_box(mask: NDArray[np.bool_]) -> list[int] | None:
    """The box [x0, y0, x1, y1] of a mask (H, W), with exclusive upper bounds; None for an empty mask.

    >>> mask_box(np.eye(4, dtype=bool)[:2])
    [0, 0, 2, 2]
    """
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not rows.size:
        return None
    return [int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1]


def millimetres(depth: NDArray[np.floating]) -> NDArray[np.uint16]:
    """Depth in metres (0: no surface) as 16-bit millimetres; a surface is at least 1, at most 65535."""
    scaled = np.clip(np.rint(np.asarray(depth, dtype=np.float64) * 1000), 1, 65535)
    return np.where(depth > 0, scaled, 0).astype(np.uint16)


def _rounded(points: NDArray[np.floating]) -> list[list[float]]:
    # Hundredths of a pixel, all floats, so that every line has the same type in an Arrow table.
    return [[round(float(value), 2) for value in point] for point in points]
