"""The trained reader: attributes and features of images, with weights shipped in the package."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from fairhuman.evaluation.reader._network import ReaderNetwork
from fairhuman.evaluation.reader._views import SIDES, fit
from fairhuman.files import written_whole
from fairhuman.profiles import unknown

WEIGHTS = Path(__file__).with_name("reader.safetensors")


class AttributeReader:
    """Reads caption attributes of people from renders and similar images.

    It has one small convolutional network per view (``whole``, ``head``, ``hand``), trained on renders of the
    preset ``studio`` by ``python -m fairhuman train reader``. It was not trained on photographs, and its
    features are neither Inception's nor CLIP's: distances between them are specific to this reader and not
    comparable with published values.

    Args:
        networks: View → its network.
        classes: View → its attributes, each with the names of its values.
    """

    def __init__(
        self,
        networks: Mapping[str, ReaderNetwork],
        classes: Mapping[str, Mapping[str, Sequence[str]]],
    ) -> None:
        self.networks = {view: network.eval().requires_grad_(False) for view, network in networks.items()}
        self.classes = classes

    @classmethod
    def load(cls, path: str | os.PathLike[str] | None = None) -> AttributeReader:
        """Load a stored reader. Default: the package's.

        Raises:
            FileNotFoundError: The file does not exist.
        """
        path = WEIGHTS if path is None else Path(path)
        if not path.is_file():
            raise FileNotFoundError(f"reader: no weights at {path}")
        with safe_open(path, "pt") as stored:
            classes = json.loads(stored.metadata()["classes"])
            tensors = {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118
        networks = {}
        for view, attributes in classes.items():
            network = ReaderNetwork(SIDES[view], {name: len(values) for name, values in attributes.items()})
            weights = {
                name.removeprefix(f"{view}."): tensor if tensor.dtype == torch.int64 else tensor.float()
                for name, tensor in tensors.items()
                if name.startswith(f"{view}.")
            }
            network.load_state_dict(weights)
            networks[view] = network
        return cls(networks, classes)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the weights atomically in half precision."""
        path = Path(path)
        tensors = {
            f"{view}.{name}": (tensor.half() if tensor.is_floating_point() else tensor).contiguous()
            for view, network in self.networks.items()
            for name, tensor in network.state_dict().items()
        }
        with written_whole(path) as partial:
            save_file(tensors, partial, {"classes": json.dumps(self.classes)})
        return path

    @torch.no_grad()
    def read(self, images: Sequence[np.ndarray], view: str = "whole", batch: int = 64) -> pd.DataFrame:
        """The most likely value of each attribute.

        Args:
            images: Each (height, width, 3), uint8; for ``head`` and ``hand`` crops by
                :func:`fairhuman.boxes.cut_square`.
            view: ``whole``, ``head`` or ``hand``.
            batch: Batch size.

        Returns:
            One row per image, one column per attribute.

        Raises:
            ValueError: The view is unknown.
        """
        network = self._network(view)
        names = {name: np.array(values) for name, values in self.classes[view].items()}
        parts = [
            {name: score.argmax(1).numpy() for name, score in network.scores(pixels).items()}
            for pixels in _parts(images, network.side, batch)
        ]
        chosen = {name: np.concatenate([part[name] for part in parts] or [[]]).astype(int) for name in names}
        return pd.DataFrame({name: values[chosen[name]] for name, values in names.items()})

    @torch.no_grad()
    def features(self, images: Sequence[np.ndarray], view: str = "whole", batch: int = 64) -> np.ndarray:
        """Features of images, shape (count, num_features), float32; arguments as for :meth:`read`."""
        network = self._network(view)
        parts = [network(pixels).numpy() for pixels in _parts(images, network.side, batch)]
        return np.concatenate(parts or [np.empty((0, network.num_features), np.float32)])

    def _network(self, view: str) -> ReaderNetwork:
        if view not in self.networks:
            raise ValueError(f"view: {unknown(view, self.networks)}")
        return self.networks[view]


def _parts(images: Sequence[np.ndarray], side: int, batch: int):
    for start in range(0, len(images), batch):
        yield fit(images[start : start + batch], side)
