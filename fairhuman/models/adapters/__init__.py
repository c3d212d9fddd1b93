"""Adapters on a frozen base, each behind one interface."""

from fairhuman.models.adapters._controlnet import ControlNet
from fairhuman.models.adapters._interface import Adapter
from fairhuman.models.adapters._load import ADAPTERS, adapter_kind, load_adapter
from fairhuman.models.adapters._lora import ATTENTION, LORA_FILE, LoRA, load_lora
from fairhuman.models.adapters._mole import TRANSFORMER, MoLE
from fairhuman.models.adapters._t2i import T2I
from fairhuman.models.adapters._union import ControlNetUnion

__all__ = [
    "ADAPTERS",
    "ATTENTION",
    "LORA_FILE",
    "TRANSFORMER",
    "T2I",
    "Adapter",
    "ControlNet",
    "ControlNetUnion",
    "LoRA",
    "MoLE",
    "adapter_kind",
    "load_adapter",
    "load_lora",
]
