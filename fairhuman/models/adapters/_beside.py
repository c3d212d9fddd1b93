"""Shared code of adapters that are separate networks with condition images as input."""

from __future__ import annotations

import json
import os
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor

from fairhuman.data import CONDITIONS, condition_image
from fairhuman.files import written_whole
from fairhuman.models._quiet import quiet
from fairhuman.models.adapters._card import write_card
from fairhuman.models.adapters._interface import Adapter
from fairhuman.settings import require

if TYPE_CHECKING:
    from diffusers import ModelMixin, StableDiffusionXLPipeline

__all__ = ["NETWORK_FILE", "BesideUNet"]

NETWORK_FILE, _ABOUT = "diffusion_pytorch_model.safetensors", "conditions.json"


class BesideUNet(Adapter):
    """A network with outputs that are added inside the frozen UNet.

    Args:
        pipeline: The base; its weights are frozen.
        conditions: Its condition images: ``pose``, ``depth`` or both.
        seed: Seed of the initial weights.
        start: A trained adapter of the same kind to continue from: a run folder or the network's folder.

    Attributes:
        network_class: Name of the network's diffusers class, used to build, save and load it.
        network: The network, in float32 regardless of the base's type.

    Raises:
        ValueError: The network cannot be built for this base, or ``start`` does not fit.
    """

    network_class: ClassVar[str]
    network: Any

    def __init__(
        self,
        pipeline: StableDiffusionXLPipeline,
        *,
        conditions: Sequence[str] = CONDITIONS,
        seed: int = 0,
        start: str | os.PathLike[str] | None = None,
    ) -> None:
        self.pipeline, self.conditions, self.scale = pipeline, tuple(conditions), 1.0
        pipeline.unet.requires_grad_(False)
        if start is None:
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                self.network = self.build(pipeline)
        else:
            self.network = self.read(Path(start))
            self.check()
        with quiet():
            self.network.to(pipeline.unet.device, torch.float32).requires_grad_(True)
        self.prepare()

    @classmethod
    def check_options(cls, options: Mapping[str, Any]) -> None:
        conditions = options["conditions"]
        known = set(conditions) <= set(CONDITIONS) and len(set(conditions)) == len(conditions)
        require("conditions", known, f"must be among {', '.join(CONDITIONS)}, each once", conditions)
        require("conditions", bool(conditions), "must name at least one", conditions)

    @classmethod
    def is_at(cls, path: Path) -> bool:
        config = path / "config.json"
        if not config.is_file():
            return super().is_at(path)
        return json.loads(config.read_text()).get("_class_name") == cls.network_class

    @classmethod
    def load(
        cls,
        pipeline: StableDiffusionXLPipeline,
        path: str | os.PathLike[str],
        conditions: Sequence[str] | None = None,
    ) -> Self:
        if conditions is None:
            about = cls.place(Path(path)) / _ABOUT
            conditions = json.loads(about.read_text())["conditions"] if about.is_file() else CONDITIONS
        adapter = cls(pipeline, conditions=conditions, start=path)
        with quiet():
            adapter.network.to(pipeline.unet.dtype).requires_grad_(False).eval()
        return adapter

    @classmethod
    @abstractmethod
    def build(cls, pipeline: StableDiffusionXLPipeline) -> ModelMixin:
        """Build a new network for the base; random parts use the current random state."""

    @classmethod
    def model(cls) -> Any:
        """The network's diffusers class."""
        import diffusers

        return getattr(diffusers, cls.network_class)

    def prepare(self) -> None:  # noqa: B027 - most networks need nothing
        """Final changes to a new or loaded network."""

    @abstractmethod
    def check(self) -> None:
        """Check that a network was made for this base.

        Raises:
            ValueError: It was made for another base; the message names the difference.
        """

    @classmethod
    def place(cls, path: Path) -> Path:
        """The network's folder, given itself or its run folder."""
        return path / cls.kind if (path / cls.kind).is_dir() else path

    @classmethod
    def read(cls, path: Path) -> ModelMixin:
        """Load the network from a run folder or its own folder."""
        folder = cls.place(path)
        if not (folder / NETWORK_FILE).is_file():
            raise FileNotFoundError(f"{cls.kind}: no such file: {folder / NETWORK_FILE}")
        return cls.model().from_pretrained(str(folder), use_safetensors=True)

    @property
    def parameters(self) -> dict[str, Tensor]:
        return {name: p for name, p in self.network.named_parameters() if p.requires_grad}

    @property
    def scale(self) -> float:
        return self._scale

    @scale.setter
    def scale(self, value: float) -> None:
        self._scale = float(value)

    def save(self, folder: Path, facts: Mapping[str, Any]) -> Path:
        with written_whole(folder / self.kind) as partial:
            self.network.save_pretrained(partial)
            write_card(partial, self, facts)
            (partial / _ABOUT).write_text(json.dumps({"conditions": self.conditions}) + "\n")
        return folder / self.weights

    def checkpoint_gradients(self) -> None:
        super().checkpoint_gradients()
        self.network.enable_gradient_checkpointing()
        self.network.train()

    def shown(self) -> str:
        return " over ".join(f"the {name}" for name in CONDITIONS if name in self.conditions)

    def parts(self) -> dict[str, Any]:
        """Parts that a sampling pipeline shares with the base."""
        name = "force_zeros_for_empty_prompt"
        return self.pipeline.components | {name: self.pipeline.config[name]}

    def remove(self) -> None:
        """Do nothing: the base was not changed."""

    def picture(self, conditions: Mapping[str, Tensor]) -> Tensor:
        """All conditions in one image, shape (batch, 3, H, W), in the network's type."""
        given = (conditions[name] if name in self.conditions else None for name in CONDITIONS)
        return condition_image(*given).to(self.network.device, self.network.dtype)
