"""Base models with Stable Diffusion XL's architecture, and adapters for them."""

from fairhuman.models._architecture import SDXL_UNET, Architecture, build_autoencoder, build_pipeline
from fairhuman.models._base import EMBEDDED, load_base
from fairhuman.models._batch import Batch
from fairhuman.models._fingerprints import fingerprint_base
from fairhuman.models._fuse import fuse
from fairhuman.models._prompts import encode_texts, prompt_arguments
from fairhuman.models._tiny import TINY, tiny_pipeline
from fairhuman.models._tokenizer import word_tokenizer

__all__ = [
    "SDXL_UNET",
    "EMBEDDED",
    "TINY",
    "Architecture",
    "Batch",
    "build_autoencoder",
    "build_pipeline",
    "encode_texts",
    "fingerprint_base",
    "fuse",
    "load_base",
    "prompt_arguments",
    "tiny_pipeline",
    "word_tokenizer",
]
