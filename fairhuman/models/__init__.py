"""Base models: a miniature of Stable Diffusion XL, and how to load one of any size."""

from fairhuman.models._quiet import ignore_missing_torchvision

ignore_missing_torchvision()  # before diffusers is imported

from fairhuman.models._architecture import Architecture, build_autoencoder, build_pipeline  # noqa: E402
from fairhuman.models._base import EMBEDDED, load_base  # noqa: E402
from fairhuman.models._fuse import fuse  # noqa: E402
from fairhuman.models._tiny import TINY, tiny_pipeline  # noqa: E402
from fairhuman.models._tokenizer import word_tokenizer  # noqa: E402

__all__ = [
    "EMBEDDED",
    "TINY",
    "Architecture",
    "build_autoencoder",
    "build_pipeline",
    "fuse",
    "load_base",
    "tiny_pipeline",
    "word_tokenizer",
]
