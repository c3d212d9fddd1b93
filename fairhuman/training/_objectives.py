"""The objectives of one step: which images, in which parts, and the losses of a part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fairhuman.models import Batch
from fairhuman.models.adapters import Adapter
from fairhuman.objectives import present, regional_losses
from fairhuman.seeds import example_generator, example_index
from fairhuman.training._batches import Example, Examples, collate
from fairhuman.training._deviations import Deviations
from fairhuman.training._noising import min_snr_weights
from fairhuman.training._precision import PRECISIONS
from fairhuman.training._settings import TrainSettings
from fairhuman.training._setup import autocast

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["Objectives", "Part"]


@dataclass(frozen=True)
class Part:
    """Images of a step that pass through the network together.

    Attributes:
        batch: The images.
        weights: Factor on each image's errors, shape (batch,), or ``None`` for 1.
    """

    batch: Batch
    weights: Tensor | None


class Objectives:
    """What a run's steps minimise.

    Args:
        settings: The run's.
        adapter: What is trained.
        examples: The training set.
        accelerator: Device and processes.
        deviations: What is done as in the released code.

    Raises:
        ValueError: Min-SNR weights for a base that predicts a flow.
    """

    def __init__(
        self,
        settings: TrainSettings,
        adapter: Adapter,
        examples: Examples,
        accelerator: Accelerator,
        deviations: Deviations,
    ) -> None:
        self.settings, self.adapter, self.examples = settings, adapter, examples
        self.accelerator, self.deviations = accelerator, deviations
        self.error_weights(torch.zeros(1, dtype=torch.long))  # refused now, not at the first step

    def draw(self, step: int) -> list[Example]:
        """This process's share of a step's images, with timesteps and noises."""
        settings, processes = self.settings, self.accelerator.num_processes
        share = settings.batch_size // processes
        first = step * settings.batch_size + self.accelerator.process_index * share
        return [
            self.examples.draw(
                example_index(settings.seed, position, len(self.examples)),
                example_generator(settings.seed, position),
                dropout=settings.condition_dropout,
                noise_offset=settings.noise_offset,
            )
            for position in range(first, first + share)
        ]

    def parts(self, examples: Sequence[Example]) -> Sequence[Part]:
        """The images in the parts that pass through the network one after another."""
        size, dtype = len(examples) // self.settings.accumulation, PRECISIONS[self.settings.precision]
        found = []
        for first in range(0, len(examples), size):
            part = examples[first : first + size]
            batch = collate(part, self.examples.scheduler, self.accelerator.device, dtype)
            steps = torch.tensor([example.timestep for example in part])
            found.append(Part(batch, self.error_weights(steps)))
        return self.deviations.parts(found)

    def error_weights(self, steps: Tensor) -> Tensor | None:
        """Factor on the errors of images at these places in the schedule, or ``None`` for 1."""
        scheduler, gamma = self.examples.scheduler, self.settings.min_snr
        weights = None if gamma is None else min_snr_weights(scheduler, steps, gamma)
        weights = self.deviations.error_weights(weights, scheduler, steps)
        return None if weights is None else weights.to(self.accelerator.device)

    def counts(self, parts: Sequence[Part]) -> dict[str, float] | None:
        """Mean number of images with each region per part: makes ``mask`` losses those of the whole."""
        processes = self.accelerator.num_processes
        if self.settings.reduction != "mask" or len(parts) * processes == 1:
            return None
        names = list(self.settings.regions)
        found = torch.tensor(
            [float(sum(present(part.batch.masks[name]).sum() for part in parts)) for name in names],
            device=self.accelerator.device,
        )
        if processes > 1:
            found = self.accelerator.reduce(found, "sum")
        return dict(zip(names, (found / (len(parts) * processes)).tolist(), strict=True))

    def predict(self, batch: Batch) -> Tensor:
        """The network's answer to a batch."""
        with autocast(self.settings, self.accelerator.device):
            return self.adapter.predict(batch)

    def losses(
        self, part: Part, prediction: Tensor, counts: Mapping[str, float] | None = None
    ) -> dict[str, Tensor]:
        """Loss of each objective on a part, given the network's answer to it."""
        batch, settings = part.batch, self.settings
        scale = self.deviations.local_scale(settings.local_scale)
        further = {"weights": part.weights, "counts": counts}
        return regional_losses(prediction, batch.target, batch.masks, settings.reduction, scale, **further)
