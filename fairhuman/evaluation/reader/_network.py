"""The network of one view: a few convolutions, features at three scales, a linear reader per attribute."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from fairhuman.evaluation.reader._views import resized

WIDTHS = (16, 32, 48, 96, 128)
"""Channels of the stages, each at half the resolution of the one before."""

POOLED = (1, 2, 4)
"""Stages whose means over the image are the features: textures, parts, the whole."""


class ReaderNetwork(nn.Module):
    """Images of one view to features and to the attributes' scores.

    Calling it gives the features, so that it can be the ``feature`` of torchmetrics' distances.

    Args:
        side: Side in pixels at which images are looked at.
        classes: Attribute to its number of values.

    Attributes:
        num_features: Length of a feature vector.
    """

    def __init__(self, side: int, classes: Mapping[str, int]) -> None:
        super().__init__()
        self.side = side
        self.num_features = sum(WIDTHS[stage] for stage in POOLED)
        before = (3, *WIDTHS)
        self.stages = nn.ModuleList(_stage(before[i], width, deep=i > 0) for i, width in enumerate(WIDTHS))
        self.scale = nn.BatchNorm1d(self.num_features, affine=False)
        self.heads = nn.ModuleDict({name: nn.Linear(self.num_features, n) for name, n in classes.items()})

    def forward(self, images: Tensor) -> Tensor:
        """Features of images.

        Args:
            images: Shape (count, 3, h, w), uint8 in [0, 255].

        Returns:
            Shape (count, num_features); each of mean 0 and variance 1 over the training renders.
        """
        x = resized(images, self.side).float() / 127.5 - 1
        x = x.contiguous(memory_format=torch.channels_last)
        means = []
        for stage in self.stages:
            x = stage(x)
            means.append(x.mean(dim=(2, 3)))
        return self.scale(torch.cat([means[stage] for stage in POOLED], dim=1))

    def scores(self, images: Tensor) -> dict[str, Tensor]:
        """Attribute to logits, shape (count, values)."""
        features = self(images)
        return {name: head(features) for name, head in self.heads.items()}


def _stage(inner: int, outer: int, deep: bool) -> nn.Sequential:
    layers = [nn.Conv2d(inner, outer, 3, 2, 1, bias=False), nn.BatchNorm2d(outer), nn.ReLU()]
    if deep:
        layers += [nn.Conv2d(outer, outer, 3, 1, 1, bias=False), nn.BatchNorm2d(outer), nn.ReLU()]
    return nn.Sequential(*layers)
