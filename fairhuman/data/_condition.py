"""Condition images: what a control network is shown of a person's pose and distance."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["CONDITIONS", "condition_image", "condition_pixels"]

CONDITIONS = ("pose", "depth")
"""Names of the images that a data set can hold to condition on."""


def condition_pixels(name: str, image: Tensor) -> Tensor:
    """A condition as the picture that a network is shown.

    Pose drawings stay as they are. Depth becomes nearness in grey: the nearest surface of the image over the
    distance, so 1 is nearest, and 0 means no surface. It is free of units, as are the inverse depths that
    monocular estimators give.

    Args:
        name: ``pose`` or ``depth``.
        image: Shape (3, H, W), values in [0, 1], for a pose; shape (1, H, W), a distance in any unit, 0
            where there is no surface, for depth.

    Returns:
        Shape (3, H, W), uint8.

    >>> condition_pixels("depth", torch.tensor([[[0.0, 2.0, 4.0]]]))[0].tolist()
    [[0, 255, 128]]
    """
    if name == "depth":
        surface = image > 0
        nearest = image[surface].min() if surface.any() else 1.0
        image = torch.where(surface, nearest / image.clamp(min=1e-6), 0.0).expand(3, -1, -1)
    return (255 * image).round().to(torch.uint8)


def condition_image(pose: Tensor | None, depth: Tensor | None) -> Tensor:
    """One picture of all that is given: the pose drawn over the grey of the nearness.

    Limbs are in colours, which grey cannot be taken for. So networks with the usual three input channels,
    and pipelines that take an ordinary picture, need nothing special.

    Args:
        pose, depth: Pictures as :func:`condition_pixels` gives them, shape (..., 3, H, W), of one type;
            either may be ``None``.

    Raises:
        ValueError: Neither is given.
    """
    if pose is None:
        if depth is None:
            raise ValueError("condition: needs pose or depth, got neither")
        return depth
    if depth is None:
        return pose
    drawn = pose.amax(dim=-3, keepdim=True) > 0
    return torch.where(drawn, pose, depth)
