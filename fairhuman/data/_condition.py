"""Condition images for control networks: pose and depth."""

from __future__ import annotations

import torch
from torch import Tensor

__all__ = ["CONDITIONS", "condition_image", "condition_pixels"]

CONDITIONS = ("pose", "depth")
"""Names of the condition images that a data set can have."""


def condition_pixels(name: str, image: Tensor) -> Tensor:
    """Convert a condition to the network's input image.

    Pose drawings are unchanged. Depth becomes nearness in grey: the distance of the image's nearest surface
    divided by the pixel's distance, so 1 is nearest, and 0 means no surface. Like the inverse depths of
    monocular estimators, it has no unit.

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
    """Combine the given conditions in one image: the pose drawn over the grey nearness.

    Limbs are coloured, so they cannot be confused with grey. Networks with three input channels, and
    pipelines that expect an ordinary image, therefore need no changes.

    Args:
        pose, depth: Images from :func:`condition_pixels`, shape (..., 3, H, W), of one type; either may be
            ``None``.

    Raises:
        ValueError: Both are ``None``.
    """
    if pose is None:
        if depth is None:
            raise ValueError("condition: needs pose or depth, got neither")
        return depth
    if depth is None:
        return pose
    drawn = pose.amax(dim=-3, keepdim=True) > 0
    return torch.where(drawn, pose, depth)
