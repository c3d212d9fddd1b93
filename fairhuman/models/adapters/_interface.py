"""What every adapter can do: predict with a frozen base, be trained, saved and sampled with."""

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
    """A small network on or beside a frozen base: ``y = N_base + β·N_new`` (Eq. 12).

    Each kind of adapter is a class, called with the base and, by keyword, its options and ``seed``,
    which decides the start alone. What differs between kinds is said here and nowhere else.

    Attributes:
        kind: Name of the kind in settings and commands, such as ``lora``.
        title: Its name in a model card, such as ``LoRA``.
        summary: What is trained, in a few words with an article.
        weights: Where, below a run's folder, :meth:`save` leaves the weights.
        usage: Python code that samples with it, given ``BASE`` and ``THIS_FOLDER``.
        pipeline: The base.
        conditions: Names of the condition images it reads; ``pose`` and ``depth`` are known.
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
        """A new adapter on a base, which it freezes."""

    @classmethod
    def options(cls) -> dict[str, Any]:
        """Option → default: the keyword arguments of the class but the seed."""
        parameters = inspect.signature(cls).parameters.values()
        found = {one.name: one.default for one in parameters if one.kind is one.KEYWORD_ONLY}
        return {name: default for name, default in found.items() if name != "seed"}

    @classmethod  # noqa: B027 - any combination may be good
    def check_options(cls, options: Mapping[str, Any]) -> None:
        """Refuse options that are out of range or contradict each other, before anything is loaded.

        Args:
            options: A value for each of :meth:`options`, of the right type.

        Raises:
            ValueError: Names the option, the rule and the value.
        """

    @classmethod
    def is_at(cls, path: Path) -> bool:
        """Whether a trained adapter of this kind lies at a path: in a run's folder, a folder or a file."""
        return (path / cls.weights).is_file()

    @classmethod
    @abstractmethod
    def load(
        cls,
        pipeline: StableDiffusionXLPipeline,
        path: str | os.PathLike[str],
        conditions: Sequence[str] | None = None,
    ) -> Self:
        """A trained adapter for sampling, in the type of the base and in place of any other.

        Args:
            pipeline: The base it was trained on.
            path: A run's folder, or what was saved there.
            conditions: Condition images that it reads; by default those it was trained with.

        Raises:
            FileNotFoundError: No such adapter, or a run that is not complete.
            ValueError: It does not fit this base.
        """

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

    @torch.no_grad()
    def predict_base(self, batch: Batch) -> Tensor:
        """What the base alone predicts for a batch, as if there were no adapter; without gradients."""
        scale, self.scale = self.scale, 0.0
        try:
            return batch.predict(self.unet)
        finally:
            self.scale = scale

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

    def shown(self) -> str:
        """What its condition images show, for the model card."""
        return " and ".join(f"the {name}" for name in self.conditions)

    def checkpoint_gradients(self) -> None:
        """Trade time for memory in what is trained through."""
        self.unet.enable_gradient_checkpointing()
        self.unet.train()  # diffusers checkpoints in training mode only; the UNet has no dropout

    @abstractmethod
    def remove(self) -> None:
        """Leave the base as it was before."""
