"""Cost of adapters relative to their base: parameters and time per image (Table 4)."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import torch

from fairhuman.models import SDXL_UNET
from fairhuman.models.adapters import ADAPTERS, Adapter
from fairhuman.profiles import unknown

if TYPE_CHECKING:
    from diffusers import DiffusionPipeline, StableDiffusionXLPipeline
    from torch.nn import Module

__all__ = [
    "Way",
    "extra_memory",
    "make_ways",
    "parameter_bytes",
    "ratios_to",
    "sdxl_sizes",
    "time_in_turn",
]

_BYTES: Final = {"float32": 4, "bf16": 2}


def sdxl_sizes(kinds: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Size of adapters for SDXL's UNet, computed on the meta device without allocation.

    Args:
        kinds: Row name → the adapter's ``kind`` (such as ``lora``) and its arguments.

    Returns:
        One row per adapter: ``method``, ``parameters``, ``MiB float32``, ``MiB bf16`` (1 MiB = 2²⁰ bytes).

    Raises:
        ValueError: The kind is unknown.
    """
    from diffusers import UNet2DConditionModel

    rows = []
    for method, arguments in kinds.items():
        options = dict(arguments)
        kind = options.pop("kind")
        if kind not in ADAPTERS:
            raise ValueError(f"kind: {unknown(kind, ADAPTERS)}")
        with torch.device("meta"):
            unet = UNet2DConditionModel(**SDXL_UNET)
            adapter = ADAPTERS[kind](SimpleNamespace(unet=unet), **options)
        count = sum(parameter.numel() for parameter in adapter.parameters.values())
        sizes = {f"MiB {name}": count * width / 2**20 for name, width in _BYTES.items()}
        rows.append({"method": method, "parameters": count, **sizes})
    return pd.DataFrame(rows)


@dataclass(frozen=True)
class Way:
    """A base with an adapter of random weights, ready to sample.

    Attributes:
        pipeline: The sampling pipeline.
        adapter: None for the base alone, or for a base with a fused LoRA.
        extra_bytes: Bytes stored in addition to the base.
    """

    pipeline: DiffusionPipeline
    adapter: Adapter | None
    extra_bytes: int


def make_ways(
    base: StableDiffusionXLPipeline, kinds: Mapping[str, Mapping[str, Any]], *, seed: int = 0
) -> dict[str, Way]:
    """Adapters on copies of the base's UNet; their cost does not depend on their weights.

    Args:
        base: Left as it is; its other parts are shared.
        kinds: Name to the adapter's ``kind`` and arguments, and ``fuse`` for a LoRA that is merged into the
            base; an empty mapping is the base alone.
        seed: Of the weights: the same for adapters of one kind and size.

    Raises:
        ValueError: An unknown kind, or another kind than ``lora`` to fuse.
    """
    return {name: _make_way(base, dict(options), seed) for name, options in kinds.items()}


def _make_way(base: StableDiffusionXLPipeline, options: dict[str, Any], seed: int) -> Way:
    from diffusers import StableDiffusionXLPipeline

    parts = base.components | {"unet": copy.deepcopy(base.unet)}
    pipeline = StableDiffusionXLPipeline(**parts, add_watermarker=False)
    pipeline.set_progress_bar_config(disable=True)
    if not options:
        return Way(pipeline, None, 0)
    kind, fuse = options.pop("kind"), options.pop("fuse", False)
    if kind not in ADAPTERS:
        raise ValueError(f"kind: {unknown(kind, ADAPTERS)}")
    if fuse and kind != "lora":
        raise ValueError(f"fuse: only a LoRA can be fused, got {kind!r}")
    adapter = ADAPTERS[kind](pipeline, seed=seed, **options)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in adapter.parameters.values():  # new adapters change nothing yet
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.add_((0.02 * noise).to(parameter.device, parameter.dtype))
    adapter.unet.requires_grad_(False)
    if fuse:
        pipeline.fuse_lora()
        pipeline.unload_lora_weights()
        return Way(pipeline, None, parameter_bytes(pipeline.unet) - parameter_bytes(base.unet))
    return Way(adapter.sampler(), adapter, extra_memory(adapter, base.unet))


def parameter_bytes(module: Module) -> int:
    """Bytes of a module's parameters and buffers, each tensor counted once."""
    tensors = {id(tensor): tensor for tensor in (*module.parameters(), *module.buffers())}
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors.values())


def extra_memory(adapter: Adapter | None, base: Module) -> int:
    """Bytes that a system stores in addition to its base, in any precision.

    Args:
        adapter: On its pipeline, or None for a base alone or one that a LoRA was fused into.
        base: The UNet without the adapter.
    """
    if adapter is None:
        return 0
    added = parameter_bytes(adapter.unet) - parameter_bytes(base)
    beside = getattr(adapter, "network", None)
    return added + (0 if beside is None else parameter_bytes(beside))


def time_in_turn(ways: Mapping[str, Callable[[], Any]], *, repeats: int = 5, warm: int = 1) -> pd.DataFrame:
    """Seconds per variant, all measured in rotating order within every repeat.

    Other load on the machine affects all variants equally, so ratios within a repeat are reliable even if
    absolute times are not.

    Args:
        ways: Name → function to time.
        repeats: Number of measurements, at least 1.
        warm: Number of unmeasured warm-up calls.

    Returns:
        One row per repeat, one column per variant.

    Raises:
        ValueError: There is nothing to time, or fewer than one repeat.
    """
    if not ways or repeats < 1:
        raise ValueError(f"ways, repeats: at least one of each, got {len(ways)} and {repeats}")
    names = list(ways)
    for name in names * warm:
        ways[name]()
    rows = []
    for repeat in range(repeats):
        row, turn = {}, repeat % len(names)
        for name in names[turn:] + names[:turn]:
            start = time.perf_counter()
            ways[name]()
            row[name] = time.perf_counter() - start
        rows.append(row)
    return pd.DataFrame(rows)[names]


def ratios_to(seconds: pd.DataFrame, base: str) -> list[dict[str, Any]]:
    """Time of each variant relative to the base within the same repeat: median and quartiles.

    Args:
        seconds: From :func:`time_in_turn`.
        base: The column that is 1 by definition.

    Raises:
        ValueError: The column does not exist.
    """
    if base not in seconds:
        raise ValueError(f"base: {unknown(base, list(seconds))}")
    rows = []
    for name in seconds:
        quartiles: Sequence[float] = np.quantile(seconds[name] / seconds[base], [0.25, 0.5, 0.75])
        low, middle, high = (float(value) for value in quartiles)
        row = {"method": name, "ratio": middle, "quartile_1": low, "quartile_3": high}
        rows.append(row | {"seconds": float(seconds[name].median()), "repeats": len(seconds)})
    return rows
