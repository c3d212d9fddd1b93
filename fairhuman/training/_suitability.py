"""What should be known of a data set before the first step of a run: what it lacks, what cropping loses."""

from __future__ import annotations

import logging
from math import prod

import numpy as np

from fairhuman.data import HumanFolder, JointTransform
from fairhuman.images import MOST_PIXELS

__all__ = ["check_suitability"]

logger = logging.getLogger(__name__)

_KEPT = 0.95  # a region of which the crop keeps less is spoken of


def check_suitability(data: HumanFolder, transform: JointTransform) -> None:
    """Warn of regions in no image, of images that are enlarged, and of regions that a central crop cuts.

    Raises:
        ValueError: An image so long and thin that, resized, it would exhaust the memory.
    """
    for index, size in enumerate(data.sizes.tolist()):
        if prod(resized := transform.resized(size)) > MOST_PIXELS:
            found, record = " × ".join(map(str, size)), data.records[index]
            raise ValueError(
                f"{record.place}: {record.image.name} of {found} (height × width) would be resized to "
                f"{resized[0]} × {resized[1]}; crop it or leave it out"
            )
    count = len(data)
    for region, present in data.present.items():
        logger.info("%s: %s in %d of %d images", data.path, region, present, count)
        if not present:
            logger.warning("%s: %s in no image: its objective is never there", data.path, region)
    small = int((data.sizes.min(axis=1) < transform.size).sum())
    if small:
        logger.warning(
            "%s: %d of %d images are smaller than %d pixels and are enlarged",
            data.path, small, count, transform.size,
        )  # fmt: skip
    if transform.crop != "center":
        return
    for region, shares in data.central.items():
        if cut := int((shares < _KEPT).sum()):
            worst = int(np.nanargmin(shares))
            logger.warning(
                "%s: the central square cuts the %s of %d of %d images; of %s it keeps %.0f %%",
                data.path, region, cut, count, data.records[worst].image.name, 100 * shares[worst],
            )  # fmt: skip
