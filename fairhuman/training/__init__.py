"""Training: adapters with fair regional objectives, and the embedded base itself."""

from typing import Any

from fairhuman.training._batches import Batch, Example, Examples, collate
from fairhuman.training._encoding import (
    Encodings,
    LatentDistribution,
    TextEmbedding,
    encode_image,
    encode_prompt,
)
from fairhuman.training._heldout import HeldOut, heldout_errors
from fairhuman.training._loop import train
from fairhuman.training._noising import noise_scheduler
from fairhuman.training._released import RELEASED
from fairhuman.training._run import Run
from fairhuman.training._settings import TrainSettings

__all__ = [
    "RELEASED",
    "Batch",
    "Encodings",
    "Example",
    "Examples",
    "HeldOut",
    "LatentDistribution",
    "Run",
    "TextEmbedding",
    "TrainSettings",
    "collate",
    "encode_image",
    "encode_prompt",
    "heldout_errors",
    "load_lora",
    "noise_scheduler",
    "train",
]


def __getattr__(name: str) -> Any:
    if name != "load_lora":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from fairhuman.models.adapters import load_lora  # loads diffusers, which settings and logs don't need

    return load_lora
