"""Any trained adapter on a base, by what is found in its folder."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from fairhuman.models.adapters._beside import BesideUNet
from fairhuman.models.adapters._controlnet import ControlNet
from fairhuman.models.adapters._interface import Adapter
from fairhuman.models.adapters._lora import LoRA
from fairhuman.models.adapters._mole import MoLE
from fairhuman.models.adapters._t2i import T2I
from fairhuman.models.adapters._union import ControlNetUnion

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

__all__ = ["ADAPTERS", "adapter_kind", "load_adapter"]

ADAPTERS: dict[str, type[Adapter]] = {
    kind.kind: kind for kind in (LoRA, ControlNet, ControlNetUnion, T2I, MoLE)
}
"""Kind → class."""
_CLASSES = {"ControlNetModel": ControlNet, "ControlNetUnionModel": ControlNetUnion, "T2IAdapter": T2I}


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
    kind = adapter_kind(path)
    if issubclass(kind, BesideUNet):
        return kind.load(pipeline, path, conditions)
    return kind.load(pipeline, path)


def adapter_kind(path: str | os.PathLike[str]) -> type[Adapter]:
    """The class of a trained adapter on disk.

    Raises:
        FileNotFoundError: Nothing there that is known.
    """
    path = Path(path)
    for kind in ADAPTERS.values():
        if (path / kind.weights).is_file():
            return kind
    if (path / "config.json").is_file():
        name = json.loads((path / "config.json").read_text()).get("_class_name")
        if name in _CLASSES:
            return _CLASSES[name]
    if path.is_file() and path.suffix == ".safetensors":
        return MoLE if path.name == MoLE.weights else LoRA
    raise FileNotFoundError(f"adapter: no such file: {path} holds no trained adapter")
