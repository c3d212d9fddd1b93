"""The adapter interface: prediction with a frozen base, training, saving and sampling."""

from __future__ import annotations

import inspect
import os
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import torch
from torch import Tensor

from fairhuman.models._batch import Batch

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel

__all__ = ["Adapter"]


class Adapter(ABC):
    """A small network added to a frozen base: ``y = N_base + β·N_new`` (Eq. 12).

    Each kind of adapter is a class. Its arguments are the base and, by keyword, its options and ``seed``,
    which determines the initial weights. All differences between kinds are expressed through this interface.

    Attributes:
        kind: Name in settings and commands, such as ``lora``.
        title: Name in a model card, such as ``LoRA``.
        summary: Short description with an article.
        weights: Path, relative to a run folder, where :meth:`save` writes the weights.
        usage: Python code for sampling, with ``BASE`` and ``THIS_FOLDER`` as placeholders.
        pipeline: The base.
        conditions: Names of its condition images: ``pose``, ``depth``.
    """

    kind: ClassVar[str]
    title: ClassVar[str]
    summary: ClassVar[str]
    weights: ClassVar[str]
    usage: ClassVar[str]
    pipeline: StableDiffusionXLPipeline
    conditions: tuple[str, ...] = ()

    @abstractmethod
    def __init__(self, pipeline: StableDiffusionXLPipeline, *, seed: int = 0, **options: Any) -> None:
        """Create a new adapter on a base and freeze the base."""

    @classmethod
    def options(cls) -> dict[str, Any]:
        """Option → default: the keyword arguments of the class except the seed."""
        parameters = inspect.signature(cls).parameters.values()
        found = {one.name: one.default for one in parameters if one.kind is one.KEYWORD_ONLY}
        return {name: default for name, default in found.items() if name != "seed"}

    @classmethod  # noqa: B027 - any combination may be good
    def check_options(cls, options: Mapping[str, Any]) -> None:
        """Validate options before anything is loaded.

        Args:
            options: A value of the right type for each of :meth:`options`.

        Raises:
            ValueError: An option is out of range or contradicts another; the message names option, rule and
                value.
        """

    @classmethod
    def is_at(cls, path: Path) -> bool:
        """Whether a path (run folder, folder or file) has a trained adapter of this kind."""
        return (path / cls.weights).is_file()

    @classmethod
    @abstractmethod
    def load(
        cls,
        pipeline: StableDiffusionXLPipeline,
        path: str | os.PathLike[str],
        conditions: Sequence[str] | None = None,
    ) -> Self:
        """Load a trained adapter for sampling, in the base's type, replacing any other adapter.

        Args:
            pipeline: The base it was trained on.
            path: A run folder, or the saved weights.
            conditions: Its condition images. Default: those used in training.

        Raises:
            FileNotFoundError: The adapter does not exist, or its run is incomplete.
            ValueError: The adapter does not fit this base.
        """

    @property
    def unet(self) -> UNet2DConditionModel:
        """The base's UNet."""
        return self.pipeline.unet

    @property
    @abstractmethod
    def parameters(self) -> dict[str, Tensor]:
        """All trained parameters by name, in a fixed order."""

    @property
    @abstractmethod
    def scale(self) -> float:
        """β of Eq. 12: 0 is the base, 1 the adapter as trained."""

    @scale.setter
    @abstractmethod
    def scale(self, value: float) -> None: ...

    @abstractmethod
    def predict(self, batch: Batch) -> Tensor:
        """The prediction for a batch and its conditions, shape (batch, channels, h, w)."""

    @torch.no_grad()
    def predict_base(self, batch: Batch) -> Tensor:
        """The prediction of the base alone for a batch, without gradients."""
        scale, self.scale = self.scale, 0.0
        try:
            return batch.predict(self.unet)
        finally:
            self.scale = scale

    @abstractmethod
    def save(self, folder: Path, facts: Mapping[str, Any]) -> Path:
        """Write a model card and then the weights below ``folder``, each atomically.

        Args:
            folder: A run's folder.
            facts: Training facts for the card: setting → value.

        Returns:
            The weights file, in the layout of plain diffusers.
        """

    @abstractmethod
    def sampler(self) -> DiffusionPipeline:
        """A plain diffusers pipeline with the adapter; it shares the base's parts."""

    def arguments(self, conditions: Mapping[str, Tensor]) -> dict[str, Any]:
        """Arguments for a call of :meth:`sampler` besides prompts: condition images and β.

        Args:
            conditions: Name → one image per prompt, shape (batch, 3, H, W), values in [0, 1].
        """
        return {}

    def shown(self) -> str:
        """Description of its condition images for the model card."""
        return " and ".join(f"the {name}" for name in self.conditions)

    def checkpoint_gradients(self) -> None:
        """Enable gradient checkpointing, which trades time for memory."""
        self.unet.enable_gradient_checkpointing()
        self.unet.train()  # diffusers checkpoints in training mode only; the UNet has no dropout

    @abstractmethod
    def remove(self) -> None:
        """Restore the base to its previous state."""
