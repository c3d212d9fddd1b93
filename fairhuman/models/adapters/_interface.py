"""What every adapter can do: predict with a frozen base, be trained, saved and sampled with."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from torch import Tensor

from fairhuman.models._batch import Batch

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, StableDiffusionXLPipeline, UNet2DConditionModel

__all__ = ["Adapter"]


class Adapter(ABC):
    """A small network on or beside a frozen base: ``y = N_base + β·N_new`` (Eq. 12).

    Attributes:
        kind: Name of the kind, such as ``lora``.
        weights: Where, below a run's folder, :meth:`save` leaves the weights.
        pipeline: The base.
        conditions: Names of the condition images it reads; ``pose`` and ``depth`` are known.
    """

    kind: ClassVar[str]
    weights: ClassVar[str]
    pipeline: StableDiffusionXLPipeline
    conditions: tuple[str, ...] = ()

    @property
    def unet(self) -> UNet2DConditionModel:
        """The base's UNet."""
        return self.pipeline.unet

    @property
    @abstractmethod
    def parameters(self) -> dict[str, Tensor]:
        """Name → parameter of everything that is trained, in a fixed order."""

    @property
    @abstractmethod
    def scale(self) -> float:
        """β of Eq. 12: 0 is the base, 1 what was trained."""

    @scale.setter
    @abstractmethod
    def scale(self, value: float) -> None: ...

    @abstractmethod
    def predict(self, batch: Batch) -> Tensor:
        """The prediction for a batch and its conditions, shape (batch, channels, h, w)."""

    @abstractmethod
    def save(self, folder: Path, facts: Mapping[str, Any]) -> Path:
        """Write the weights and a model card below ``folder``, each whole or not at all, weights last.

        Args:
            folder: A run's folder.
            facts: What the card says of the training: setting → value.

        Returns:
            The file of the weights, in the layout that plain diffusers reads.
        """

    @abstractmethod
    def sampler(self) -> DiffusionPipeline:
        """A pipeline of plain diffusers that samples with the adapter; it shares the base's parts."""

    def arguments(self, conditions: Mapping[str, Tensor]) -> dict[str, Any]:
        """What a call of :meth:`sampler` needs beside prompts: condition images and β.

        Args:
            conditions: Name → image of each prompt, shape (batch, 3, H, W), values in [0, 1].
        """
        return {}

    def checkpoint_gradients(self) -> None:
        """Trade time for memory in what is trained through."""
        self.unet.enable_gradient_checkpointing()
        self.unet.train()  # diffusers checkpoints in training mode only; the UNet has no dropout

    @abstractmethod
    def remove(self) -> None:
        """Leave the base as it was before."""
