"""The objectives of one step: its images, their parts, and the losses of a part."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fairhuman.models import Batch
from fairhuman.models.adapters import Adapter
from fairhuman.objectives import PRESERVATION, outside, present, preservation_loss, regional_losses
from fairhuman.seeds import caption_generator, example_generator
from fairhuman.training._batches import Example, Examples, collate
from fairhuman.training._cropping import bucket_sizes
from fairhuman.training._deviations import Deviations
from fairhuman.training._noising import min_snr_weights
from fairhuman.training._order import Order
from fairhuman.training._precision import PRECISIONS
from fairhuman.training._settings import TrainSettings
from fairhuman.training._setup import autocast

if TYPE_CHECKING:
    from accelerate import Accelerator

__all__ = ["Objectives", "Part", "by_presence", "shares"]


@dataclass(frozen=True)
class Part:
    """Images of a step that pass through the network together.

    Attributes:
        batch: The images.
        weights: Factor on each image's errors, shape (batch,), or ``None`` for 1.
        kept: The base's own prediction for the images, if the preservation objective is active.
    """

    batch: Batch
    weights: Tensor | None
    kept: Tensor | None = None


class Objectives:
    """The objectives of a run's steps.

    Args:
        settings: Settings of the run.
        adapter: The trained adapter.
        examples: The training set.
        accelerator: Device and processes.
        deviations: Active deviations of the released code.
        regularisation: The regularisation set, if any.

    Raises:
        ValueError: Min-SNR weights are requested for a base that predicts a flow.
    """

    def __init__(
        self,
        settings: TrainSettings,
        adapter: Adapter,
        examples: Examples,
        accelerator: Accelerator,
        deviations: Deviations,
        regularisation: Examples | None = None,
    ) -> None:
        self.settings, self.adapter, self.examples = settings, adapter, examples
        self.accelerator, self.deviations = accelerator, deviations
        self.sets = [one for one in (examples, regularisation) if one is not None]
        sizes = [(one.data.repeats, bucket_sizes(one.data, one.transform)) for one in self.sets]
        self.order = Order(settings.seed, settings.batch_size, sizes)
        self.error_weights(torch.zeros(1, dtype=torch.long))  # refused now, not at the first step

    def draw(self, step: int) -> list[Example]:
        """This process's share of a step's images, with timesteps and noises."""
        settings, processes = self.settings, self.accelerator.num_processes
        share, changes = settings.batch_size // processes, settings.captions.changes
        first, before = self.accelerator.process_index * share, step * settings.batch_size
        return [
            self.sets[which].draw(
                index,
                example_generator(settings.seed, before + place),
                dropout=settings.condition_dropout or 0.0,
                noise_offset=settings.noise_offset,
                caption=caption_generator(settings.seed, before + place) if changes else None,
            )
            for place, (which, index) in enumerate(self.order.images(step))
            if first <= place < first + share
        ]

    def parts(self, examples: Sequence[Example], *, grouped: bool = False) -> Sequence[Part]:
        """Split the images into parts that pass through the network one after another.

        Args:
            examples: The images.
            grouped: Group images with the same regions, without making parts larger: an objective then needs
                no backward pass through images without its region.
        """
        size, dtype = len(examples) // self.settings.accumulation, PRECISIONS[self.settings.precision]
        groups = by_presence(examples) if grouped else [examples]
        found = []
        for part in (group[i : i + size] for group in groups for i in range(0, len(group), size)):
            batch = collate(part, self.examples.scheduler, self.accelerator.device, dtype)
            found.append(Part(batch, self.weights(part), self.kept(batch)))
        return self.deviations.parts(found)

    def weights(self, examples: Sequence[Example]) -> Tensor | None:
        """Factor on the errors of each of these images, or ``None`` for 1."""
        weights = self.error_weights(torch.tensor([example.timestep for example in examples]))
        own = torch.tensor([example.weight for example in examples], device=self.accelerator.device)
        return weights if bool((own == 1).all()) else own if weights is None else own * weights

    def error_weights(self, steps: Tensor) -> Tensor | None:
        """Factor on the errors of images at these schedule indices, or ``None`` for 1."""
        scheduler, gamma = self.examples.scheduler, self.settings.min_snr
        weights = None if gamma is None else min_snr_weights(scheduler, steps, gamma)
        weights = self.deviations.error_weights(weights, scheduler, steps)
        return None if weights is None else weights.to(self.accelerator.device)

    def counts(self, parts: Sequence[Part]) -> dict[str, float] | None:
        """Mean number of images with each region per process, for ``mask`` losses over the whole step."""
        processes = self.accelerator.num_processes
        if self.settings.reduction != "mask" or len(parts) * processes == 1:
            return None
        names = list(self.settings.regions)
        places = [{name: part.batch.masks[name] for name in names} for part in parts]
        if self.settings.preservation:
            names.append(PRESERVATION)
            places = [masks | {PRESERVATION: outside(masks)} for masks in places]
        found = torch.tensor(
            [float(sum(present(masks[name]).sum() for masks in places)) for name in names],
            device=self.accelerator.device,
        )
        if processes > 1:
            found = self.accelerator.reduce(found, "sum")
        return dict(zip(names, (found / processes).tolist(), strict=True))

    def predict(self, batch: Batch) -> Tensor:
        """The network's prediction for a batch."""
        with autocast(self.settings, self.accelerator.device):
            return self.adapter.predict(batch)

    def kept(self, batch: Batch) -> Tensor | None:
        """The base's own prediction for a batch if needed for preservation, without gradients."""
        if not self.settings.preservation:
            return None
        # A separate context, because autocast would cache weights cast without gradients.
        with autocast(self.settings, self.accelerator.device):
            return self.adapter.predict_base(batch)

    def losses(
        self,
        part: Part,
        prediction: Tensor,
        counts: Mapping[str, float] | None = None,
        share: float = 1.0,
    ) -> dict[str, Tensor]:
        """Loss of each objective on a part, given the network's prediction.

        Args:
            part, prediction: The part and the prediction.
            counts: From :meth:`counts`.
            share: The part's fraction of the images, by which the caller multiplies the losses.
        """
        batch, settings = part.batch, self.settings
        scale = self.deviations.local_scale(settings.local_scale)
        counts = counts and {name: share * count for name, count in counts.items()}
        further = {"weights": part.weights, "counts": counts}
        losses = regional_losses(prediction, batch.target, batch.masks, settings.reduction, scale, **further)
        if part.kept is not None:
            losses[PRESERVATION] = preservation_loss(
                prediction, part.kept, batch.masks, settings.reduction, **further
            )
        return losses

    def absent(self, part: Part, losses: Mapping[str, Tensor]) -> list[str]:
        """Objectives without effect on a part: regions in none of its images, and a preservation loss of 0,
        as at the first step, because strategies divide by losses or gradient norms."""
        here = {name: present(mask).any() for name, mask in part.batch.masks.items()}
        if PRESERVATION in losses:
            here[PRESERVATION] = losses[PRESERVATION].detach() != 0
        found = torch.stack(list(here.values())).tolist() if here else []
        return [name for name, there in zip(here, found, strict=True) if not there]


def by_presence(examples: Sequence[Example]) -> list[list[Example]]:
    """The examples grouped by their regions, with groups and examples in the given order."""
    groups: dict[tuple[bool, ...], list[Example]] = {}
    for example in examples:
        here = tuple(bool(present(mask[None])) for mask in example.encoded.masks.values())
        groups.setdefault(here, []).append(example)
    return list(groups.values())


def shares(parts: Sequence[Part]) -> list[float]:
    """Each part's fraction of the images."""
    sizes = [len(part.batch.noisy) for part in parts]
    return [size / sum(sizes) for size in sizes]
