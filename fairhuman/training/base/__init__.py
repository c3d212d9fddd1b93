"""How the embedded base is made: an autoencoder on crops, then a UNet and its text encoders on latents."""

from fairhuman.training.base._autoencoder import train_autoencoder
from fairhuman.training.base._corpus import Corpus
from fairhuman.training.base._curves import training_curves, write_training
from fairhuman.training.base._denoiser import LatentSet, train_denoiser, views_seen
from fairhuman.training.base._latents import encode_corpus, normalise_latents
from fairhuman.training.base._recipe import load_autoencoder, load_training, train_base
from fairhuman.training.base._settings import AutoencoderSettings, BaseSettings, DenoiserSettings

__all__ = [
    "AutoencoderSettings",
    "BaseSettings",
    "Corpus",
    "DenoiserSettings",
    "LatentSet",
    "encode_corpus",
    "load_autoencoder",
    "load_training",
    "normalise_latents",
    "train_autoencoder",
    "train_base",
    "train_denoiser",
    "training_curves",
    "views_seen",
    "write_training",
]
