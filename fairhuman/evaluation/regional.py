"""Held-out losses by region: how well each system denoises unseen faces, hands and whole images.

Systems are compared on identical noised latents, so that an image's losses are paired.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import pandas as pd

from fairhuman.data import Buckets, HumanFolder, JointTransform
from fairhuman.models.adapters import load_adapter
from fairhuman.objectives import Reduction
from fairhuman.regions import MaskMode
from fairhuman.training import Examples, HeldOut, heldout_errors

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

__all__ = ["heldout_losses", "loss_table"]


def heldout_losses(
    pipeline: StableDiffusionXLPipeline,
    systems: Mapping[str, str | os.PathLike[str] | None],
    data: HumanFolder | str | os.PathLike[str],
    *,
    regions: Sequence[str] = ("face", "hand"),
    resolution: int | None = None,
    buckets: Buckets | None = None,
    images: int | None = None,
    draws: int = 4,
    seed: int = 0,
    mask_mode: MaskMode = "soft",
    reduction: Reduction = "mask",
    adapter_scale: float = 1.0,
    batch_size: int = 16,
) -> dict[str, pd.DataFrame]:
    """Loss of each image and region under each system, at timesteps and noise fixed by ``seed``.

    Args:
        pipeline: The base. Attached LoRAs are removed.
        systems: Name → trained adapter (run folder or file), or ``None`` for the base itself.
        data: The held-out set. Conditioned adapters get each image's pose and depth.
        regions: Regions to measure besides ``global``; only if ``data`` is a path.
        resolution: Side length in pixels. Default: the base's.
        buckets: Target sizes instead of the square.
        images: Number of images, from the start. Default: all.
        draws: Noised versions of each image, at evenly spread timesteps.
        seed: Seed of timesteps and noise, the same for all systems.
        mask_mode: How masks are resampled to the latent grid.
        reduction: ``mask``: mean squared error inside the region, comparable between regions;
            ``image``: the training objective's scale.
        adapter_scale: β of Eq. 12.
        batch_size: Number of images evaluated at a time.

    Returns:
        Name → table with the columns ``image`` (its number), ``region`` and ``loss`` (mean over the
        draws); one row for each image that has the region.

    Raises:
        ValueError, FileNotFoundError: An adapter is missing or does not fit, or a data set or value is
            invalid.
    """
    folder = data if isinstance(data, HumanFolder) else HumanFolder(data, regions)
    if resolution is None:
        resolution = pipeline.unet.config.sample_size * pipeline.vae_scale_factor
    pipeline.unload_lora_weights()
    examples: dict[tuple[str, ...], Examples] = {}
    tables = {}
    for name, path in systems.items():
        adapter = None if path is None else load_adapter(pipeline, path)
        conditions = () if adapter is None else adapter.conditions
        if conditions not in examples:
            posed = HumanFolder(folder.path, folder.regions, conditions) if conditions else folder
            transform = JointTransform(resolution, buckets=buckets)
            examples[conditions] = Examples(pipeline, posed, transform, mask_mode=mask_mode)
        if adapter is not None:
            adapter.scale = adapter_scale
        found = heldout_errors(
            pipeline.unet if adapter is None else adapter,
            examples[conditions],
            images=images,
            draws=draws,
            seed=seed,
            reduction=reduction,
            batch_size=batch_size,
        )
        tables[name] = loss_table(found)
        if adapter is not None:
            adapter.remove()
    return tables


def loss_table(found: HeldOut) -> pd.DataFrame:
    """One row for each image and region it has: ``image``, ``region``, ``loss``."""
    table = pd.DataFrame({name: found.per_image(name) for name in found.errors})
    table = table.rename_axis("image").reset_index()
    return table.melt("image", var_name="region", value_name="loss").dropna().reset_index(drop=True)
