"""Regions judged at a fair size: each expected face and hand is cut out, enlarged, looked at on its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from PIL import Image

from fairhuman.evaluation._images import ImageLike, as_rgb
from fairhuman.evaluation.detectors._detect import detect
from fairhuman.evaluation.detectors._found import Box, Detection

# Not pandas and PyTorch themselves: a worker process that detects imports this package.
if TYPE_CHECKING:
    import pandas as pd

__all__ = ["CROP_MARGINS", "Crops", "detect_crops"]

CROP_MARGINS: Final[Mapping[str, float]] = MappingProxyType(
    {"face": 2.0, "left_hand": 2.5, "right_hand": 2.5}
)
"""Region to the side of the square cut out, against the longer side of its box: the detectors need some
surroundings, and a face that fills the image is as foreign to them as a tiny one."""

LEAST_SIDE = 256
"""Crops smaller than this, in pixels, are enlarged to it."""


@dataclass(frozen=True)
class Crops:
    """What was found in cut-out regions, one a row.

    Attributes:
        places: Columns ``image`` (its number), ``region``, ``side`` (of the crop in the image, pixels).
        detections: In each crop, in its enlarged pixels, in the order of the rows.
    """

    places: pd.DataFrame
    detections: list[Detection]

    def scores(self) -> pd.DataFrame:
        """One row an image and detector, as of :func:`fairhuman.evaluation.tabulate_detections`.

        ``crops`` counts the regions looked at, ``found`` those in which something was found, ``total`` sums
        the best score of each.
        """
        import pandas as pd

        from fairhuman.evaluation.detection_rates import DETECTORS, detection_scores

        rows = []
        for place, detection in zip(self.places.itertuples(), self.detections, strict=True):
            for detector, region in DETECTORS.items():
                if region == place.region.rsplit("_", 1)[-1]:
                    best = max(detection_scores(detection, detector), default=0.0)
                    rows.append((place.image, detector, 1, int(best > 0), best))
        table = pd.DataFrame(rows, columns=["image", "detector", "crops", "found", "total"])
        return table.groupby(["detector", "image"], sort=False, as_index=False).sum()


def detect_crops(
    images: Sequence[ImageLike],
    boxes: Sequence[Mapping[str, Box | None]],
    *,
    least_box: float = 8.0,
    **options: Any,
) -> Crops:
    """Look for faces and hands in a square around each box.

    Args:
        images: As for :func:`detect`.
        boxes: For each image ``face``, ``left_hand`` and ``right_hand`` in its pixels; missing or None for
            none.
        least_box: Boxes whose longer side is below so many pixels are left out: there is nothing to enlarge.
        options: Further arguments of :func:`detect`.

    Raises:
        ValueError: Different numbers of images and boxes, or what :func:`detect` refuses.
    """
    import pandas as pd

    from fairhuman.evaluation.reader import cut_square

    if len(images) != len(boxes):
        raise ValueError(f"images, boxes: must be of one length, found {len(images)} and {len(boxes)}")
    places, crops = [], []
    for number, (image, asked) in enumerate(zip(images, boxes, strict=True)):
        wanted = {name: asked.get(name) for name in CROP_MARGINS}
        wanted = {name: box for name, box in wanted.items() if box and _longer(box) >= least_box}
        pixels = as_rgb(image) if wanted else None
        for name, box in wanted.items():
            crop = cut_square(pixels, box, CROP_MARGINS[name])
            places.append((number, name, crop.shape[0]))
            crops.append(_enlarged(crop))
    return Crops(pd.DataFrame(places, columns=["image", "region", "side"]), detect(crops, **options))


def _longer(box: Box) -> float:
    return max(box[2] - box[0], box[3] - box[1])


def _enlarged(crop: np.ndarray) -> np.ndarray:
    if len(crop) >= LEAST_SIDE:
        return crop
    return np.asarray(Image.fromarray(crop).resize((LEAST_SIDE, LEAST_SIDE), Image.Resampling.BICUBIC))
