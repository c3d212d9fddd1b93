"""The table of adapter kinds: settings, commands, cards, sampling and sweeps know a kind from here alone.

A new kind is a file with a class, as :class:`Adapter` says, and its entry in :data:`ADAPTERS`.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fairhuman.models._fingerprints import fingerprint_files
from fairhuman.models.adapters._controlnet import ControlNet
from fairhuman.models.adapters._interface import Adapter
from fairhuman.models.adapters._lora import LoRA
from fairhuman.models.adapters._mole import MoLE
from fairhuman.models.adapters._t2i import T2I
from fairhuman.models.adapters._union import ControlNetUnion

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

__all__ = ["ADAPTERS", "adapter_kind", "fingerprint_adapters", "kinds_with", "load_adapter"]

ADAPTERS: dict[str, type[Adapter]] = {
    adapter.kind: adapter for adapter in (LoRA, ControlNet, ControlNetUnion, T2I, MoLE)
}
"""Kind → class."""


def kinds_with(option: str) -> tuple[str, ...]:
    """The kinds that have an option.

    >>> kinds_with("rank")
    ('lora', 'mole')
    """
    return tuple(kind for kind, adapter in ADAPTERS.items() if option in adapter.options())


def load_adapter(
    pipeline: StableDiffusionXLPipeline,
    path: str | os.PathLike[str],
    conditions: Sequence[str] | None = None,
) -> Adapter:
    """Put a trained adapter of any kind on, or beside, the base it was trained on.

    Args:
        pipeline: The base. A LoRA that it carries is taken off.
        path: A run's folder, the folder of a network, or a file.
        conditions: What a network beside the UNet reads, ``pose`` and ``depth``; by default what it was
            trained with.

    Raises:
        FileNotFoundError: Nothing there that is known.
        ValueError: It does not fit this base.
    """
    return adapter_kind(path).load(pipeline, path, conditions)


def adapter_kind(path: str | os.PathLike[str]) -> type[Adapter]:
    """The class of a trained adapter on disk.

    Raises:
        FileNotFoundError: Nothing there that is known.
    """
    path = Path(path)
    for adapter in ADAPTERS.values():
        if adapter.is_at(path):
            return adapter
    if path.is_file() and path.suffix == ".safetensors":  # a LoRA may have any name
        return LoRA
    raise FileNotFoundError(f"adapter: no such file: {path} holds no trained adapter")


def fingerprint_adapters(paths: Iterable[str | os.PathLike[str]], kind: str) -> str:
    """Digest of trained weights, each in a run's folder, in a network's folder, or a file; what is missing is
    left to whoever reads it."""
    weights = Path(ADAPTERS[kind].weights)
    places = ((path / weights, path / weights.name, path) for path in map(Path, paths))
    found = (next((file for file in files if file.is_file()), None) for files in places)
    return fingerprint_files(file for file in found if file is not None)
