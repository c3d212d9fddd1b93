"""What a training of the base is: validated settings, in the form of ``params/models/*.yaml``."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import model_validator

from fairhuman.models import Architecture
from fairhuman.settings import Count, Folder, Place, Positive, Settings, Share, Side, Unsigned, Whole, require

__all__ = ["AutoencoderSettings", "BaseSettings", "DenoiserSettings"]


Optimizer = Literal["adamw", "muon"]


def _check_schedule(settings: AutoencoderSettings | DenoiserSettings) -> None:
    total, rule = settings.warmup + settings.decay, f"must be at most steps = {settings.steps}"
    require("warmup + decay", total <= settings.steps, rule, total)


class AutoencoderSettings(Settings):
    """Training of the autoencoder, on crops and at the end on whole images.

    Attributes:
        steps: Optimiser steps.
        images: How many of the training images, the first ones, are used; 0 means all.
        whole_steps: How many of them, the last ones, see whole images: group norms gather their
            statistics over all they see, so a network that has only seen crops errs on images.
        crop: Side of a crop in pixels, a multiple of 8.
        crops: Crops per step.
        whole_images: Whole images per step.
        region_share: Share of the crops that are laid on a face or a hand.
        region_weight: Weight of pixels inside the boxes of faces and hands; 1 is everybody else's.
        gradient_weight: Weight of the absolute error of finite differences, which keeps edges sharp.
        kl_weight: Weight of the Kullback-Leibler term, a mean over latent elements.
        half_share: Share of the steps whose views are shown at half the size, as the small images of a
            corpus of two sizes are.
        scaled_share: Share of the steps that decode scaled and mirrored latents against the images that
            were scaled and mirrored likewise, so that the decoder is equivariant (Kouzelis et al., 2025).
        mirror_weight: Weight of the relative squared error of a mirrored view's latents against its
            mirrored latents, so that the encoder is.
        latent_noise: Largest noise on the latents before they are decoded, in deviations of their channels.
        smooth_weight: Weight of the share of the latents' energy that a 2 × 2 mean takes away.
        optimizer, learning_rate, muon_learning_rate, weight_decay: As for the denoiser.
        warmup, decay: Steps of the rise and of the fall.
        ema: Decay of the moving average of the weights that is kept.
        decoder_only: Leave the encoder as it is, so that latents stay what they were and a UNet trained on
            them stays right.
    """

    steps: Whole = 2000
    images: Whole = 0
    whole_steps: Whole = 450
    crop: Side = 96
    crops: Count = 16
    whole_images: Count = 2
    region_share: Share = 0.5
    region_weight: Unsigned = 2.0
    gradient_weight: Unsigned = 1.0
    kl_weight: Unsigned = 1e-4
    half_share: Share = 0.0
    scaled_share: Share = 0.0
    mirror_weight: Unsigned = 0.0
    latent_noise: Unsigned = 0.0
    smooth_weight: Unsigned = 0.0
    optimizer: Optimizer = "muon"
    learning_rate: Positive = 2e-3
    muon_learning_rate: Positive = 3e-3
    weight_decay: Unsigned = 0.0
    warmup: Whole = 50
    decay: Whole = 800
    ema: Share = 0.995
    decoder_only: bool = False

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_schedule(self)
        rule = f"must be at most steps = {self.steps}"
        require("whole_steps", self.whole_steps <= self.steps, rule, self.whole_steps)
        return self


class DenoiserSettings(Settings):
    """Training of the UNet and the text encoders, by the plain objective of Eq. 1, on cached latents.

    Attributes:
        steps: Optimiser steps.
        batch_size: Images per step of the full size.
        small_batch_size: Images per step of the half size, which cost a quarter.
        small_share, small_share_later: Share of the steps that see images of the half size, before and from
            ``small_until`` on; used where there is a second training set.
        small_until: Step at which the share changes.
        optimizer: ``adamw``, or ``muon``: Muon (orthogonalised momentum) for the UNet's inner matrices
            and kernels, AdamW for the rest.
        learning_rate: Peak of AdamW; linear warm-up, constant, then linear decay to 0.
        muon_learning_rate: Peak of Muon, in root-mean-square units that match AdamW's.
        weight_decay: Decoupled decay.
        warmup, decay: Steps of the rise and of the fall.
        clip_norm: Largest gradient norm; 0 switches clipping off.
        ema: Decay of the moving average of the weights that is kept.
        caption_dropout: Share of captions replaced by the zeros that guidance starts from.
        mirror: Train on mirrored latents half the time, with left and right exchanged in the caption.
    """

    steps: Count = 4000
    batch_size: Count = 16
    small_batch_size: Count = 64
    small_share: Share = 0.85
    small_share_later: Share = 0.35
    small_until: Whole = 20000
    optimizer: Optimizer = "muon"
    learning_rate: Positive = 1e-3
    muon_learning_rate: Positive = 2e-3
    weight_decay: Unsigned = 1e-2
    warmup: Whole = 100
    decay: Whole = 1200
    clip_norm: Unsigned = 1.0
    ema: Share = 0.999
    caption_dropout: Share = 0.1
    mirror: bool = True

    @model_validator(mode="after")
    def _check(self) -> Self:
        _check_schedule(self)
        return self


class BaseSettings(Settings):
    """A training of the base, from nothing or from a base.

    Attributes:
        data: Folder of the training set (see :class:`fairhuman.data.HumanFolder`).
        output: Folder of the run. It must be absent, empty, or hold this very run, which is then resumed.
        small: Folder of a second training set, whose images have half the size; empty means none.
        start: Base to continue from, a folder, or ``embedded`` for the shipped one; empty means random
            weights. Its autoencoder stays, except that ``refinement`` may train the decoder.
        autoencoder_start: Where the autoencoder's training starts: ``embedded``, the folder of a base, of a
            training or of an autoencoder alone; empty means random weights. Where the architecture has fewer
            latent channels, they start as the principal components of that autoencoder's.
        architecture: Sizes of the networks.
        autoencoder: Training of the autoencoder; left out where there is a ``start``.
        refinement: A second training of it, from the weights of the first; steps 0 leaves it out.
        denoiser: Training of the UNet and the text encoders.
        seed: Decides the weights at the start and every draw.
        precision: ``bfloat16`` is twice as fast as ``float32`` on processors with such instructions
            (AVX512-BF16, AMX) and many times slower on others; weights are kept in float32 either way.
        checkpoint_every: Steps between checkpoints.
        device: Where to train: ``cpu`` or ``cuda``. Draws are made on the CPU, so that both see the same.

    Raises:
        ValueError, TypeError: The message names the field, the rule and the value found.
    """

    data: Folder
    output: Folder
    small: Place = ""
    start: Place = ""
    autoencoder_start: Place = ""
    architecture: Architecture = Architecture()
    autoencoder: AutoencoderSettings = AutoencoderSettings()
    refinement: AutoencoderSettings = AutoencoderSettings(steps=0, whole_steps=0, warmup=0, decay=0)
    denoiser: DenoiserSettings = DenoiserSettings()
    seed: Whole = 0
    precision: Literal["float32", "bfloat16"] = "float32"
    checkpoint_every: Count = 300
    device: Literal["cpu", "cuda"] = "cpu"

    @model_validator(mode="after")
    def _check(self) -> Self:
        if self.start and self.refinement.steps and not self.refinement.decoder_only:
            raise ValueError(
                "refinement: must have decoder_only with a start, whose UNet knows the encoder's latents,"
                " got decoder_only false"
            )
        return self
