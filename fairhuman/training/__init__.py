"""Training of adapters with fair regional objectives, and of base models."""

from fairhuman.models import Batch
from fairhuman.models.adapters import load_lora
from fairhuman.training._batches import Example, Examples, collate
from fairhuman.training._deviations import RELEASED
from fairhuman.training._encoding import (
    Encodings,
    LatentDistribution,
    TextEmbedding,
    encode_image,
    encode_prompt,
)
from fairhuman.training._heldout import HeldOut, heldout_errors
from fairhuman.training._loop import train
from fairhuman.training._noising import noise_scheduler, training_target
from fairhuman.training._run import Run
from fairhuman.training._settings import TrainSettings
from fairhuman.training._setup import adapter_at, checkpoint_at

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
    "adapter_at",
    "checkpoint_at",
    "collate",
    "encode_image",
    "encode_prompt",
    "heldout_errors",
    "load_lora",
    "noise_scheduler",
    "train",
    "training_target",
]
