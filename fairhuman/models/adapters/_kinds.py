"""The table of adapter kinds, used by settings, commands, cards, sampling and sweeps.

A new kind needs a file with a subclass of :class:`Adapter` and an entry in :data:`ADAPTERS`.
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
    """Attach a trained adapter of any kind to the base it was trained on.

    Args:
        pipeline: The base. An attached LoRA is removed.
        path: A run folder, a network folder, or a file.
        conditions: Condition images of a separate network, ``pose`` and ``depth``. Default: those used in
            training.

    Raises:
        FileNotFoundError: The path has no known adapter.
        ValueError: The adapter does not fit this base.
    """
    return adapter_kind(path).load(pipeline, path, conditions)


def adapter_kind(path: str | os.PathLike[str]) -> type[Adapter]:
    """The class of a trained adapter on disk.

    Raises:
        FileNotFoundError: The path has no known adapter.
    """
    path = Path(path)
    for adapter in ADAPTERS.values():
        if adapter.is_at(path):
            return adapter
    if path.is_file() and path.suffix == ".safetensors":  # a LoRA may have any name
        return LoRA
    raise FileNotFoundError(f"adapter: no such file: {path} has no trained adapter")


def fingerprint_adapters(paths: Iterable[str | os.PathLike[str]], kind: str) -> str:
    """Digest of trained weights in run folders, network folders or files; missing ones are skipped."""
    weights = Path(ADAPTERS[kind].weights)
    places = ((path / weights, path / weights.name, path) for path in map(Path, paths))
    found = (next((file for file in files if file.is_file()), None) for files in places)
    return fingerprint_files(file for file in found if file is not None)
