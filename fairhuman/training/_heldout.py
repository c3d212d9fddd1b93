"""The objectives on held-out images, at fixed timesteps and noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from fairhuman.objectives import GLOBAL, Reduction, present, regional_errors
from fairhuman.seeds import heldout_generator
from fairhuman.training._batches import Examples, collate

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

    from fairhuman.models.adapters import Adapter

__all__ = ["HeldOut", "heldout_errors"]


@dataclass(frozen=True)
class HeldOut:
    """Errors of one system on a held-out set.

    Attributes:
        errors: ``"global"`` and each region → shape (images, draws); NaN for images without the region.
        timesteps: Shape (images, draws).
    """

    errors: dict[str, np.ndarray]
    timesteps: np.ndarray

    def per_image(self, name: str) -> np.ndarray:
        """Mean over the draws, shape (images,); NaN for images without the region."""
        return self.errors[name].mean(axis=1)

    def mean(self, name: str) -> float:
        """Mean over the images with the region; NaN if there are none."""
        values = self.per_image(name)
        values = values[np.isfinite(values)]
        return float(values.mean()) if len(values) else float("nan")


@torch.no_grad()
def heldout_errors(
    network: UNet2DConditionModel | Adapter,
    examples: Examples,
    *,
    images: int | None = None,
    draws: int = 4,
    seed: int = 0,
    reduction: Reduction = "mask",
    batch_size: int = 16,
) -> HeldOut:
    """Regional errors at timesteps and noise that depend only on ``seed``, image and draw.

    Systems are therefore compared on identical noised latents. The j-th draw of an image takes its timestep
    from the j-th of ``draws`` equal parts of the schedule, which at least halves the variance.

    Args:
        network: An adapter on its base, or a UNet with its active adapters.
        examples: The held-out set; its transform must not be random.
        images: Number of images, from the start. Default: all.
        draws: Noised versions of each image, ≥ 1.
        seed: Seed of timesteps and noise.
        reduction: ``mask``, the default, is the mean error inside the region, regardless of its size.
        batch_size: Number of images evaluated at a time.

    Raises:
        ValueError: A count is below 1, or the examples' transform is random.
    """
    for name, value in (
        ("draws", draws),
        ("batch_size", batch_size),
        ("images", 1 if images is None else images),
    ):
        if value < 1:
            raise ValueError(f"{name}: must be ≥ 1, got {value}")
    if examples.transform.crop == "random" or examples.transform.flip not in (0, 1):
        raise ValueError(f"examples: the held-out transform must not be random, got {examples.transform}")
    unet: Any = getattr(network, "unet", network)
    count = len(examples) if images is None else min(images, len(examples))
    bounds = np.linspace(0, examples.scheduler.config.num_train_timesteps, draws + 1).round().astype(int)
    pairs = [(image, draw) for image in range(count) for draw in range(draws)]
    sizes = [examples.transform.target((h, w)) for h, w in examples.data.sizes[:count].tolist()]
    alike = [[pair for pair in pairs if sizes[pair[0]] == size] for size in dict.fromkeys(sizes)]
    errors = {name: np.full((count, draws), np.nan) for name in (GLOBAL, *examples.data.regions)}
    timesteps = np.zeros((count, draws), dtype=int)
    for part in (some[i : i + batch_size] for some in alike for i in range(0, len(some), batch_size)):
        drawn = [
            examples.draw(
                image, heldout_generator(seed, image, draw), timesteps=(bounds[draw], bounds[draw + 1])
            )
            for image, draw in part
        ]
        batch = collate(drawn, examples.scheduler, unet.device, unet.dtype)
        prediction = batch.predict(unet) if network is unet else network.predict(batch)
        found = regional_errors(prediction, batch.target, batch.masks, reduction)
        here = {name: present(mask).cpu() for name, mask in batch.masks.items()}
        for row, (image, draw) in enumerate(part):
            timesteps[image, draw] = drawn[row].timestep
            for name, values in found.items():
                if name == GLOBAL or here[name][row]:
                    errors[name][image, draw] = values[row].item()
    return HeldOut(errors, timesteps)
