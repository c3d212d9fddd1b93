"""Inception as FID knows it, from its published weights: features by which distances are FID and KID.

The network is Inception v3 (Szegedy et al., 2016) as ported from the weights of 2015 that FID was defined
with (Heusel et al., 2017): average pooling that leaves padding out, and a maximum in the last block. The
weights, about 91 MB, are ``weights-inception-2015-12-05-6726825d.pth`` of toshas/torch-fidelity on GitHub, or
``pt_inception-2015-12-05-6726825d.pth`` of mseitzer/pytorch-fid; they are not shipped. Images are resized as
torchmetrics does by default, bilinear with antialiasing, and stay unquantised. Distances of other resizes
differ, and so do those of other numbers of images.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import avg_pool2d, interpolate, max_pool2d, relu

from fairhuman.evaluation.preference._weights import MissingWeights, fill, read_state

__all__ = ["FEATURES", "Inception", "InceptionFeatures"]

FEATURES = 2048
"""Length of a feature vector."""
SIDE = 299
"""Side in pixels at which images are looked at."""

Size = int | tuple[int, int]


class _Conv(nn.Module):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, size: Size, stride: int = 1, padding: Size = 0) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(outputs, eps=1e-3)

    def forward(self, x: Tensor) -> Tensor:
        return relu(self.bn(self.conv(x)))


def _pooled(x: Tensor) -> Tensor:
    return avg_pool2d(x, 3, 1, 1, count_include_pad=False)


class _BlockA(nn.Module):
    def __init__(self, inputs: int, pool: int) -> None:
        super().__init__()
        self.branch1x1 = _Conv(inputs, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = _Conv(inputs, 48, 1), _Conv(48, 64, 5, padding=2)
        self.branch3x3dbl_1 = _Conv(inputs, 64, 1)
        self.branch3x3dbl_2, self.branch3x3dbl_3 = _Conv(64, 96, 3, padding=1), _Conv(96, 96, 3, padding=1)
        self.branch_pool = _Conv(inputs, pool, 1)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        five = self.branch5x5_2(self.branch5x5_1(x))
        return torch.cat([self.branch1x1(x), five, double, self.branch_pool(_pooled(x))], 1)


class _BlockB(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3 = _Conv(inputs, 384, 3, 2)
        self.branch3x3dbl_1 = _Conv(inputs, 64, 1)
        self.branch3x3dbl_2, self.branch3x3dbl_3 = _Conv(64, 96, 3, padding=1), _Conv(96, 96, 3, 2)

    def forward(self, x: Tensor) -> Tensor:
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, max_pool2d(x, 3, 2)], 1)


class _BlockC(nn.Module):
    def __init__(self, inputs: int, middle: int) -> None:
        super().__init__()
        row, column = partial(_Conv, size=(1, 7), padding=(0, 3)), partial(_Conv, size=(7, 1), padding=(3, 0))
        self.branch1x1 = _Conv(inputs, 192, 1)
        self.branch7x7_1, self.branch7x7_2 = _Conv(inputs, middle, 1), row(middle, middle)
        self.branch7x7_3 = column(middle, 192)
        self.branch7x7dbl_1, self.branch7x7dbl_2 = _Conv(inputs, middle, 1), column(middle, middle)
        self.branch7x7dbl_3, self.branch7x7dbl_4 = (
            row(middle, middle),
            column(middle, middle),
        )
        self.branch7x7dbl_5 = row(middle, 192)
        self.branch_pool = _Conv(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        single = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), single, double, self.branch_pool(_pooled(x))], 1)


class _BlockD(nn.Module):
    def __init__(self, inputs: int) -> None:
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = _Conv(inputs, 192, 1), _Conv(192, 320, 3, 2)
        self.branch7x7x3_1, self.branch7x7x3_2 = (
            _Conv(inputs, 192, 1),
            _Conv(192, 192, (1, 7), padding=(0, 3)),
        )
        self.branch7x7x3_3, self.branch7x7x3_4 = (
            _Conv(192, 192, (7, 1), padding=(3, 0)),
            _Conv(192, 192, 3, 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([self.branch3x3_2(self.branch3x3_1(x)), seven, max_pool2d(x, 3, 2)], 1)


class _BlockE(nn.Module):
    def __init__(self, inputs: int, last: bool) -> None:
        super().__init__()
        self.last = last
        row, column = partial(_Conv, size=(1, 3), padding=(0, 1)), partial(_Conv, size=(3, 1), padding=(1, 0))
        self.branch1x1, self.branch3x3_1 = _Conv(inputs, 320, 1), _Conv(inputs, 384, 1)
        self.branch3x3_2a, self.branch3x3_2b = row(384, 384), column(384, 384)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = _Conv(inputs, 448, 1), _Conv(448, 384, 3, padding=1)
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = row(384, 384), column(384, 384)
        self.branch_pool = _Conv(inputs, 192, 1)

    def forward(self, x: Tensor) -> Tensor:
        single, double = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        pool = max_pool2d(x, 3, 1, 1) if self.last else _pooled(x)
        parts = [self.branch1x1(x), self.branch3x3_2a(single), self.branch3x3_2b(single)]
        parts += [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double), self.branch_pool(pool)]
        return torch.cat(parts, 1)


class Inception(nn.Module):
    """Images (count, 3, 299, 299), values in [-1, 1], to features (count, 2048)."""

    def __init__(self) -> None:
        super().__init__()
        self.Conv2d_1a_3x3, self.Conv2d_2a_3x3 = _Conv(3, 32, 3, 2), _Conv(32, 32, 3)
        self.Conv2d_2b_3x3, self.Conv2d_3b_1x1 = _Conv(32, 64, 3, padding=1), _Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = _Conv(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = _BlockA(192, 32), _BlockA(256, 64), _BlockA(288, 64)
        self.Mixed_6a, self.Mixed_6b, self.Mixed_6c = _BlockB(288), _BlockC(768, 128), _BlockC(768, 160)
        self.Mixed_6d, self.Mixed_6e, self.Mixed_7a = _BlockC(768, 160), _BlockC(768, 192), _BlockD(768)
        self.Mixed_7b, self.Mixed_7c = _BlockE(1280, last=False), _BlockE(2048, last=True)

    def forward(self, x: Tensor) -> Tensor:
        x = max_pool2d(self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x))), 3, 2)
        x = max_pool2d(self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(x)), 3, 2)
        for name, block in self.named_children():
            if name.startswith("Mixed"):
                x = block(x)
        return x.mean(dim=(2, 3))


class InceptionFeatures:
    """Features of images of any size.

    Args:
        network: With its weights.
        device: Where to compute.
    """

    def __init__(self, network: Inception, device: str | torch.device = "cpu") -> None:
        self.network, self.device = network.eval().to(device), device

    @classmethod
    def load(cls, path: str | os.PathLike[str], device: str | torch.device = "cpu") -> InceptionFeatures:
        """Read the published file.

        Raises:
            MissingWeights: No such file.
            ValueError: It does not hold the network's weights.
        """
        path = Path(path)
        if not path.is_file():
            raise MissingWeights(f"inception: no such file: {path}; see fairhuman.evaluation.inception")
        state = {
            name: tensor
            for name, tensor in read_state(path).items()
            if not name.startswith(("fc.", "AuxLogits.")) and not name.endswith("num_batches_tracked")
        }
        network = Inception()
        counts = {name: tensor for name, tensor in network.state_dict().items() if "num_batches" in name}
        fill(network, state | counts, "Inception as FID uses it")
        return cls(network, device)

    @torch.inference_mode()
    def features(self, images: Sequence[np.ndarray], batch: int = 32) -> np.ndarray:
        """Features, shape (images, 2048), float32.

        Args:
            images: Each (height, width, 3), uint8.
            batch: Images at a time.
        """
        parts = []
        for start in range(0, len(images), batch):
            pixels = torch.cat([resized(image) for image in images[start : start + batch]])
            parts.append(self.network(((pixels - 128) / 128).to(self.device)).float().cpu().numpy())
        return np.concatenate(parts or [np.empty((0, FEATURES), np.float32)])


def resized(image: np.ndarray) -> Tensor:
    """An image as torchmetrics resizes it: shape (1, 3, 299, 299), values in [0, 255]."""
    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()
    return interpolate(pixels, size=(SIDE, SIDE), mode="bilinear", align_corners=False, antialias=True)
