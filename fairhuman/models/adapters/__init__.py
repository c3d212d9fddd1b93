"""Adapters on a frozen base, each behind one interface."""

from collections.abc import Mapping

from fairhuman.models.adapters._controlnet import ControlNet
from fairhuman.models.adapters._interface import Adapter, NoisedBatch
from fairhuman.models.adapters._lora import ATTENTION, LORA_FILE, LoRA, load_lora

ADAPTERS: Mapping[str, type[Adapter]] = {kind.kind: kind for kind in (LoRA, ControlNet)}
"""Kind → class."""

__all__ = ["ADAPTERS", "ATTENTION", "LORA_FILE", "Adapter", "ControlNet", "LoRA", "NoisedBatch", "load_lora"]
