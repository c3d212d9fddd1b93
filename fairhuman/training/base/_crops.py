"""What the autoencoder is shown at a step."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from fairhuman.seeds import EXAMPLE, generator
from fairhuman.training.base._corpus import Corpus, to_pixels
from fairhuman.training.base._settings import AutoencoderSettings


def draw_views(
    corpus: Corpus, settings: AutoencoderSettings, seed: int, step: int
) -> tuple[Tensor, Tensor, torch.Generator]:
    """Crops, or near the end whole images, half of them mirrored; a function of seed and step alone.

    At a share of the steps all are shown at half their size, crops of twice the side, so that they measure
    what the others do.

    Returns:
        Pixels, shape (batch, 3, side, side) in [-1, 1]; weights, shape (batch, 1, side, side); and the
        generator, for the draws that follow.
    """
    draw = generator(seed, EXAMPLE, step)
    size = corpus.images.shape[-1]
    whole = step >= settings.steps - settings.whole_steps
    halved = torch.rand((), generator=draw).item() < settings.half_share
    side, batch = (size, settings.whole_images) if whole else (settings.crop, settings.crops)
    side = min(2 * side if halved else side, size)
    pixels = torch.empty(batch, 3, side, side)
    weights = torch.ones(batch, 1, side, side)
    for place in range(batch):
        index = _integer(draw, len(corpus))
        boxes = corpus.boxes[index]
        on_region = torch.rand((), generator=draw).item() < settings.region_share
        if on_region and boxes:
            left, top = _around(draw, boxes[_integer(draw, len(boxes))], side, size)
        else:
            left, top = _integer(draw, size - side + 1), _integer(draw, size - side + 1)
        view = to_pixels(corpus.images[index, :, top : top + side, left : left + side])
        for x0, y0, x1, y1 in boxes:
            rows, columns = (
                slice(max(0, y0 - top), max(0, y1 - top)),
                slice(max(0, x0 - left), max(0, x1 - left)),
            )
            weights[place, :, rows, columns] = settings.region_weight
        if torch.rand((), generator=draw).item() < 0.5:
            view, weights[place] = view.flip(-1), weights[place].flip(-1)
        pixels[place] = view
    if halved:
        pixels, weights = resized(pixels, side // 2), resized(weights, side // 2)
    return pixels, weights, draw


def resized(images: Tensor, side: int) -> Tensor:
    """Images (batch, channels, h, h) at another size, without aliasing."""
    return F.interpolate(images, size=(side, side), mode="bilinear", antialias=True)


def _integer(draw: torch.Generator, below: int) -> int:
    return int(torch.randint(below, (), generator=draw))


def _around(draw: torch.Generator, box: tuple[int, ...], side: int, size: int) -> tuple[int, int]:
    """Left and top of a crop that holds the box, or lies within it when the box is the larger."""
    corner = []
    for low, high in ((box[0], box[2]), (box[1], box[3])):
        first, last = sorted((high - side, low))
        first, last = max(0, min(first, size - side)), max(0, min(last, size - side))
        corner.append(first + _integer(draw, last - first + 1))
    return corner[0], corner[1]
