"""The files of one annotated image: what they are called."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["FOLDERS", "file_names", "files_of"]

FOLDERS: Final = {
    "file_name": "images",
    "face_mask_file_name": "masks/face",
    "hand_mask_file_name": "masks/hand",
    "pose_file_name": "pose",
    "depth_file_name": "depth",
}
"""Metadata key to sub-folder of the data set."""


def file_names(key: str) -> dict[str, str]:
    """Metadata key to path within the data set; 256 sub-folders, so that none grows too large.

    >>> file_names("00ff")["face_mask_file_name"]
    'masks/face/00/00ff.png'
    """
    return {name: f"{folder}/{key[:2]}/{key}.png" for name, folder in FOLDERS.items()}


def files_of(entry: dict[str, Any]) -> list[str]:
    """The files that a metadata line names, of those that annotation writes."""
    return [entry[name] for name in FOLDERS if entry.get(name)]
