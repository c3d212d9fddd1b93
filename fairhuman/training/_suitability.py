"""Checks of a data set before a run's first step: missing regions and cropping losses."""

from __future__ import annotations

import logging
from math import prod

import numpy as np

from fairhuman.data import HumanFolder, JointTransform
from fairhuman.images import MOST_PIXELS
from fairhuman.training._cropping import cropped, halved

__all__ = ["check_suitability"]

logger = logging.getLogger(__name__)

_KEPT = 0.95  # a region of which the square keeps less is spoken of
_NAMED = 10  # images


def check_suitability(
    data: HumanFolder, transform: JointTransform, *, batch: int = 1, largest_enlargement: float | None = None
) -> None:
    """Report the buckets and their cropping. Warn about regions in no image, enlarged images, regions cut by
    a central crop, and buckets with fewer images than a batch.

    Args:
        data: The data set.
        transform: Transform of the images.
        batch: Images per step.
        largest_enlargement: Maximum enlargement factor of an image.

    Raises:
        ValueError: An image would be enlarged more than that, or is so elongated that resizing it would
            exhaust the memory.
    """
    enlarged = []
    for index, (height, width) in enumerate(data.sizes.tolist()):
        size, resized = (height, width), transform.resized((height, width))
        enlarged.append(max(now / was for was, now in zip(size, resized, strict=True)))
        fate = ""
        if prod(resized) > MOST_PIXELS:
            fate = f"resized to {resized[0]} × {resized[1]}; crop it or leave it out"
        elif largest_enlargement is not None and enlarged[-1] > largest_enlargement:
            fate = (
                f"enlarged {enlarged[-1]:.3g} times, more than largest_enlargement = "
                f"{largest_enlargement:g}; leave it out, or train at a lower resolution"
            )
        if fate:
            record = data.records[index]
            raise ValueError(
                f"{record.place}: {record.image.name} of {height} × {width} (height × width) would be {fate}"
            )
    count = len(data)
    for region, present in data.present.items():
        logger.info("%s: %s in %d of %d images", data.path, region, present, count)
        if not present:
            logger.warning("%s: %s in no image: its objective is never there", data.path, region)
    if small := sum(factor > 1 for factor in enlarged):
        than = "their bucket" if transform.buckets else f"{transform.size} pixels"
        logger.warning(
            "%s: %d of %d images are smaller than %s and are enlarged", data.path, small, count, than
        )
    if transform.buckets:
        _tell_buckets(data, transform, batch)
    elif transform.crop == "center":
        _tell_square(data)


def _tell_square(data: HumanFolder) -> None:
    for region, shares in data.central.items():
        if cut := int((shares < _KEPT).sum()):
            worst = int(np.nanargmin(shares))
            logger.warning(
                "%s: the central square cuts the %s of %d of %d images; of %s it keeps %.0f %%",
                data.path, region, cut, len(data), data.records[worst].image.name, 100 * shares[worst],
            )  # fmt: skip


def _tell_buckets(data: HumanFolder, transform: JointTransform, batch: int) -> None:
    few = []
    for bucket in cropped(data, transform):
        name = "{} × {}".format(*bucket["size"])
        logger.info(
            "%s: bucket %s (height × width): %d images, %d an epoch, cropped %.1f %% on average, "
            "%.1f %% at most",
            data.path, name, bucket["images"], bucket["epoch"], 100 * bucket["average"], 100 * bucket["most"],
        )  # fmt: skip
        few += [name] if bucket["images"] < batch else []
    if few:
        logger.warning(
            "%s: fewer images than batch_size = %d, so that a batch repeats some, in the buckets %s",
            data.path, batch, ", ".join(few),
        )  # fmt: skip
    for region, names in halved(data, transform).items():
        if names:
            more = f" and {len(names) - _NAMED} more" if len(names) > _NAMED else ""
            logger.warning(
                "%s: the crop takes more than half of the %s of %d of %d images: %s%s",
                data.path, region, len(names), len(data), ", ".join(names[:_NAMED]), more,
            )  # fmt: skip
