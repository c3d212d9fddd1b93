"""Images as the preference models take them: resized, cropped or padded, normalised. No torchvision."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional

from fairhuman.images import ImageLike, as_rgb

#: Mean and deviation of CLIP's training images, red, green and blue in [0, 1] (Radford et al. 2021).
MEAN, DEVIATION = (0.48145466, 0.4578275, 0.40821073), (0.26862954, 0.26130258, 0.27577711)


def crop_centre(image: ImageLike, size: int) -> Tensor:
    """The shorter side resized to ``size`` (PIL's bicubic, as CLIP and ImageReward do), the centre cut out.

    Args:
        image: Anything :func:`fairhuman.images.as_rgb` reads.
        size: Side of the result in pixels.

    Returns:
        Normalised pixels of shape (3, size, size).
    """
    pixels = Image.fromarray(as_rgb(image))
    shorter = min(pixels.size)
    # torchvision's Resize truncates the longer side; its CenterCrop rounds the offset half to even.
    width, height = (size if side == shorter else int(size * side / shorter) for side in pixels.size)
    if pixels.size != (width, height):
        pixels = pixels.resize((width, height), Image.Resampling.BICUBIC)
    left, top = round((width - size) / 2), round((height - size) / 2)
    return _normalised(_tensor(np.array(pixels.crop((left, top, left + size, top + size)))))


def fit_and_pad(image: ImageLike, size: int) -> Tensor:
    """The longer side resized to ``size`` on float pixels (antialiased bicubic), black beside: HPS v2's way.

    The released code resizes tensors by torchvision's default, which antialiases since version 0.17; scores
    made with an older version differ.

    Args:
        image: Anything :func:`fairhuman.images.as_rgb` reads.
        size: Side of the result in pixels.

    Returns:
        Normalised pixels of shape (3, size, size).
    """
    pixels = _tensor(as_rgb(image))
    scale = size / max(pixels.shape[1:])
    if scale != 1.0:
        height, width = (max(1, round(side * scale)) for side in pixels.shape[1:])
        pixels = functional.interpolate(
            pixels[None], (height, width), mode="bicubic", align_corners=False, antialias=True
        )[0]
    beside, above = size - pixels.shape[2], size - pixels.shape[1]
    padding = (beside // 2, beside - beside // 2, above // 2, above - above // 2)
    return _normalised(functional.pad(pixels, padding))


def _tensor(pixels: np.ndarray) -> Tensor:
    return torch.from_numpy(pixels).permute(2, 0, 1).float() / 255


def _normalised(pixels: Tensor) -> Tensor:
    return (pixels - torch.tensor(MEAN)[:, None, None]) / torch.tensor(DEVIATION)[:, None, None]
