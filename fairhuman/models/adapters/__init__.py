"""Adapters for a frozen base, with a common interface; :data:`ADAPTERS` lists their kinds."""

from fairhuman.models.adapters._controlnet import ControlNet
from fairhuman.models.adapters._interface import Adapter
from fairhuman.models.adapters._kinds import (
    ADAPTERS,
    adapter_kind,
    fingerprint_adapters,
    kinds_with,
    load_adapter,
)
from fairhuman.models.adapters._kohya import LAYOUTS, convert_lora
from fairhuman.models.adapters._lora import ATTENTION, LORA_FILE, LoRA, load_lora
from fairhuman.models.adapters._mole import TRANSFORMER, MoLE
from fairhuman.models.adapters._t2i import T2I
from fairhuman.models.adapters._union import ControlNetUnion

__all__ = [
    "ADAPTERS",
    "ATTENTION",
    "LAYOUTS",
    "LORA_FILE",
    "TRANSFORMER",
    "T2I",
    "Adapter",
    "ControlNet",
    "ControlNetUnion",
    "LoRA",
    "MoLE",
    "adapter_kind",
    "convert_lora",
    "fingerprint_adapters",
    "kinds_with",
    "load_adapter",
    "load_lora",
]
