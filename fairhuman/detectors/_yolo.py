"""Faces or hands by the user's YOLO weights, in addition to MediaPipe's."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import numpy as np
from numpy.typing import NDArray

from fairhuman.boxes import Box

__all__ = ["YoloDetector", "require_ultralytics"]


def require_ultralytics(name: str, weights: str) -> ModuleType:
    """The ``ultralytics`` package, which reads YOLO weights; it is no dependency of this one.

    Args:
        name: Name of the setting, for messages.
        weights: Path of the weights.

    Raises:
        FileNotFoundError: The file does not exist. (The package would look for it on the network.)
        RuntimeError: The package is not installed.
    """
    if not Path(weights).is_file():
        raise FileNotFoundError(f"{name}: no such file: {weights}")
    # Set before the import, which reads them: nothing is installed or fetched on the way.
    os.environ.setdefault("YOLO_AUTOINSTALL", "false")
    os.environ.setdefault("YOLO_OFFLINE", "true")
    try:
        import ultralytics
    except ImportError as error:
        raise RuntimeError(
            f"{name}: YOLO weights need the ultralytics package (AGPL-3.0): pip install ultralytics"
        ) from error
    return ultralytics


class YoloDetector:
    """One network, called on one image after the other.

    Weights in PyTorch's ``.pt`` form can run code when they are loaded: use only files whose origin you
    trust, or an export to ONNX.
    """

    def __init__(self, name: str, weights: str, threshold: float, device: str) -> None:
        self._network = require_ultralytics(name, weights).YOLO(weights)
        self._options = {"conf": threshold, "device": device, "verbose": False}

    def __call__(self, pixels: NDArray[np.uint8]) -> list[tuple[float, Box]]:
        """Scores and boxes in an image (H, W, 3), RGB."""
        # Arrays are taken for BGR, as OpenCV reads them.
        boxes = self._network.predict(np.ascontiguousarray(pixels[..., ::-1]), **self._options)[0].boxes
        corners = np.asarray(boxes.xyxy.cpu(), dtype=np.float64).reshape(-1, 4)
        scores = np.asarray(boxes.conf.cpu(), dtype=np.float64).reshape(-1)
        found = zip(scores.tolist(), corners.tolist(), strict=True)
        return [(score, (x0, y0, x1, y1)) for score, (x0, y0, x1, y1) in found]
