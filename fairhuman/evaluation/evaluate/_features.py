"""Features of many images, by the attribute reader or Inception, without holding the images in memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from fairhuman.boxes import Box, cut_square
from fairhuman.detectors import Detection
from fairhuman.evaluation.inception import InceptionFeatures
from fairhuman.evaluation.reader import MARGINS, SIDES, AttributeReader
from fairhuman.evaluation.reader._views import fit
from fairhuman.images import as_rgb

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
    reader: AttributeReader | InceptionFeatures, paths: Sequence[Path], detections: Sequence[Detection]
) -> dict[str, np.ndarray]:
    """Features of whole images, and of the heads and hands that the detectors found in them.

    Args:
        reader: Whose features.
        paths: The images.
        detections: What was found in each.

    Returns:
        View (``whole``, ``head``, ``hand``) to an array of shape (count, features).
    """
    is_reader = isinstance(reader, AttributeReader)
    cut: dict[str, list[np.ndarray]] = {"head": [], "hand": []}
    for path, found in zip(paths, detections, strict=True):
        boxes = {"head": [face.box for face in found.faces], "hand": [hand.box for hand in found.hands]}
        if not any(boxes.values()):
            continue
        image = as_rgb(path)
        for view, places in boxes.items():
            large = [box for box in places if _shorter(box) >= LEAST_BOX]
            crops = [cut_square(image, box, MARGINS[view]) for box in large]
            # The reader's crops at the size it looks at; many large ones would fill the memory.
            cut[view] += list(fit(crops, SIDES[view]).permute(0, 2, 3, 1).numpy()) if is_reader else crops
    if is_reader:
        views = {view: reader.features(crops, view) for view, crops in cut.items()}
    else:
        views = {view: reader.features(crops) for view, crops in cut.items()}
    return {"whole": reader.features(LazyImages(paths)), **views}


def _shorter(box: Box) -> float:
    return min(box[2] - box[0], box[3] - box[1])
