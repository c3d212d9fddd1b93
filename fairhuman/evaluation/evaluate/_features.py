"""Features of many images, by the attribute reader or Inception, without holding the images in memory."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fairhuman.boxes import Box, cut_square
from fairhuman.detectors import Detection
from fairhuman.evaluation.inception import InceptionFeatures
from fairhuman.evaluation.parts import in_parts
from fairhuman.evaluation.reader import MARGINS, AttributeReader
from fairhuman.evaluation.reader._reader import WEIGHTS
from fairhuman.images import as_rgb

_CROPS = 64  # at a time: a multiple of the networks' batches

__all__ = ["LEAST_BOX", "LazyImages", "view_features"]

LEAST_BOX = 12.0
"""Shorter side in pixels of the smallest box that is cut out, as the reader was trained."""


class LazyImages(Sequence[np.ndarray]):
    """Image files as arrays, read when they are asked for."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self.paths = paths

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index):
        if isinstance(index, slice):
            return [as_rgb(path) for path in self.paths[index]]
        return as_rgb(self.paths[index])


def view_features(
    reader: AttributeReader | InceptionFeatures,
    paths: Sequence[Path],
    detections: Sequence[Detection],
    *,
    cache: str | os.PathLike[str] | None = None,
    weights: Path = WEIGHTS,
) -> dict[str, np.ndarray]:
    """Features of whole images, and of the heads and hands that the detectors found in them.

    Args:
        reader: Whose features.
        paths: The images.
        detections: What was found in each.
        cache: Folder in which they are kept; None keeps none.
        weights: File of the reader's weights, by whose content features are known again.

    Returns:
        View (``whole``, ``head``, ``hand``) to an array of shape (count, features).
    """
    if len(paths) != len(detections):
        raise ValueError(f"detections: must be one per image, got {len(detections)} for {len(paths)}")
    boxes = [_boxes(found) for found in detections]
    digest = ""
    if cache is not None:
        with weights.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
    return in_parts(
        paths,
        lambda part: _views(reader, paths[part], boxes[part]),
        lambda part: [digest, boxes[part]],
        cache=cache,
    )


def _views(
    reader: AttributeReader | InceptionFeatures, paths: Sequence[Path], boxes: Sequence[dict[str, list[Box]]]
) -> dict[str, np.ndarray]:
    def features(crops: Sequence[np.ndarray], view: str) -> np.ndarray:
        return reader.features(crops, view) if isinstance(reader, AttributeReader) else reader.features(crops)

    found = {view: [features([], view)] for view in MARGINS}
    cut: dict[str, list[np.ndarray]] = {view: [] for view in MARGINS}
    for path, places in zip(paths, boxes, strict=True):
        if not any(places.values()):
            continue
        image = as_rgb(path)
        for view, crops in cut.items():
            crops += [cut_square(image, box, MARGINS[view]) for box in places[view]]
            if len(crops) >= _CROPS:  # many large ones would fill the memory
                found[view].append(features(crops[:_CROPS], view))
                del crops[:_CROPS]
    for view, crops in cut.items():
        found[view].append(features(crops, view))
    views = {view: np.concatenate(parts) for view, parts in found.items()}
    return {"whole": features(LazyImages(paths), "whole"), **views}


def _boxes(found: Detection) -> dict[str, list[Box]]:
    """What is cut out, view by view."""
    places = {"head": [face.box for face in found.faces], "hand": [hand.box for hand in found.hands]}
    return {view: [box for box in boxes if _shorter(box) >= LEAST_BOX] for view, boxes in places.items()}


def _shorter(box: Box) -> float:
    return min(box[2] - box[0], box[3] - box[1])
