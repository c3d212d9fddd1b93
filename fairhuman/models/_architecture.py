"""The untrained parts of a small Stable Diffusion XL pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, Self

import torch
from pydantic import model_validator

from fairhuman.models._quiet import quiet
from fairhuman.models._tokenizer import word_tokenizer
from fairhuman.settings import Count, Settings, Wholes, require

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, StableDiffusionXLPipeline, UNet2DConditionModel
    from transformers import CLIPTextConfig, CLIPTokenizer

SDXL_UNET: Final[Mapping[str, Any]] = MappingProxyType(
    {
        "sample_size": 128,
        "block_out_channels": (320, 640, 1280),
        "down_block_types": ("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        "up_block_types": ("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        "transformer_layers_per_block": (1, 2, 10),
        "attention_head_dim": (5, 10, 20),
        "cross_attention_dim": 2048,
        "use_linear_projection": True,
        "addition_embed_type": "text_time",
        "addition_time_embed_dim": 256,
        "projection_class_embeddings_input_dim": 2816,
    }
)
"""The UNet of stabilityai/stable-diffusion-xl-base-1.0, as differences from diffusers' defaults."""


class Architecture(Settings):
    """Sizes of a small Stable Diffusion XL model; the defaults are those of the shipped base.

    Classes and wiring are SDXL's: two text encoders with concatenated penultimate hidden states, the second
    encoder's pooled projection and six ``time_ids`` added to the time embedding
    (``addition_embed_type="text_time"``), and a KL autoencoder with factor 8.
    """

    image_size: Count = 256
    """Width and height of the images in pixels; a multiple of 8 × 2^(UNet levels − 1)."""
    latent_channels: Count = 16
    """Latent channels; SDXL has 4, too few for a small decoder to reconstruct faces."""
    autoencoder_channels: Wholes = (16, 48, 96, 160)
    """Channels per autoencoder level, full resolution first; four levels give the factor 8."""
    autoencoder_layers: Count = 1
    """Residual blocks per autoencoder level."""
    unet_channels: Wholes = (96, 128, 192)
    """Channels per UNet level; cross-attention at all levels except the first, as in SDXL."""
    unet_layers: Count = 1
    """Residual blocks per UNet level."""
    attention_head_dim: Count = 32
    """Channels per attention head."""
    text_width: Count = 128
    """Hidden size of each text encoder."""
    text_layers: Count = 3
    """Layers of each text encoder; the last one feeds only the pooled projection."""
    max_tokens: Count = 40
    """Maximum prompt length in tokens, including the start and end tokens."""
    norm_groups: Count = 8
    """Groups of each group norm; divides every channel count."""
    time_embed_dim: Count = 32
    """Sinusoidal channels of each of the six ``time_ids``."""

    @model_validator(mode="after")
    def _check(self) -> Self:
        step, norm, head = 8 * 2 ** (len(self.unet_channels) - 1), self.norm_groups, self.attention_head_dim
        require("image_size", self.image_size % step == 0, f"must be a multiple of {step}", self.image_size)
        levels = self.autoencoder_channels
        require("autoencoder_channels", len(levels) == 4, "must name 4 levels (factor 8)", levels)
        for name in ("autoencoder_channels", "unet_channels"):
            channels = getattr(self, name)
            fits = all(one > 0 and one % norm == 0 for one in channels)
            require(name, fits, f"must be multiples of norm_groups = {norm}", channels)
        fits = all(channels % head == 0 for channels in self.unet_channels[1:])
        rule = f"must be multiples of attention_head_dim = {head} after the first"
        require("unet_channels", fits, rule, self.unet_channels)
        return self


def build_pipeline(
    architecture: Architecture, words: Iterable[str], seed: int = 0
) -> StableDiffusionXLPipeline:
    """Build an untrained pipeline; the same arguments give the same weights.

    Args:
        architecture: Sizes of the parts.
        words: Words that the tokenizers keep as single tokens.
        seed: Seed of the random weights. The global random state is unchanged.

    Returns:
        A ``StableDiffusionXLPipeline`` in float32 on the CPU with a UniPC scheduler for v-prediction with
        zero terminal signal-to-noise ratio (Lin et al., 2024). Plain backgrounds need this: with SDXL's
        schedule, the mean colour of a small image remains visible in the noise.
    """
    with quiet():
        from diffusers import StableDiffusionXLPipeline, UniPCMultistepScheduler
    from transformers import CLIPTextModel, CLIPTextModelWithProjection

    words = list(words)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        vae = build_autoencoder(architecture)
        tokenizer = word_tokenizer(words, architecture.max_tokens)
        text = _text_config(architecture, tokenizer)
        text_encoder = CLIPTextModel(text)
        text_encoder_2 = CLIPTextModelWithProjection(text)
        unet = _build_unet(architecture)
    return StableDiffusionXLPipeline(
        vae=vae,
        text_encoder=text_encoder.eval(),
        text_encoder_2=text_encoder_2.eval(),
        tokenizer=tokenizer,
        tokenizer_2=word_tokenizer(words, architecture.max_tokens),
        unet=unet.eval(),
        scheduler=UniPCMultistepScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            prediction_type="v_prediction",
            rescale_betas_zero_snr=True,
            timestep_spacing="trailing",
        ),
        force_zeros_for_empty_prompt=True,
        add_watermarker=False,
    )


def build_autoencoder(architecture: Architecture) -> AutoencoderKL:
    """Build only the untrained autoencoder, with weights from the current random state."""
    from diffusers import AutoencoderKL

    levels = len(architecture.autoencoder_channels)
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=architecture.autoencoder_channels,
        layers_per_block=architecture.autoencoder_layers,
        latent_channels=architecture.latent_channels,
        norm_num_groups=architecture.norm_groups,
        sample_size=architecture.image_size,
        scaling_factor=1.0,
        force_upcast=False,
        # Attention would tie the autoencoder to one image size; crops train a convolutional one.
        mid_block_add_attention=False,
    ).eval()


def _text_config(architecture: Architecture, tokenizer: CLIPTokenizer) -> CLIPTextConfig:
    from transformers import CLIPTextConfig

    return CLIPTextConfig(
        vocab_size=len(tokenizer),
        hidden_size=architecture.text_width,
        intermediate_size=4 * architecture.text_width,
        projection_dim=architecture.text_width,
        num_hidden_layers=architecture.text_layers,
        num_attention_heads=max(1, architecture.text_width // 32),
        max_position_embeddings=architecture.max_tokens,
        bos_token_id=tokenizer.bos_token_id,
        eos_token_id=tokenizer.eos_token_id,
        pad_token_id=tokenizer.pad_token_id,
    )


def _build_unet(architecture: Architecture) -> UNet2DConditionModel:
    from diffusers import UNet2DConditionModel

    levels = len(architecture.unet_channels)
    return UNet2DConditionModel(
        sample_size=architecture.image_size // 8,
        in_channels=architecture.latent_channels,
        out_channels=architecture.latent_channels,
        down_block_types=("DownBlock2D",) + ("CrossAttnDownBlock2D",) * (levels - 1),
        up_block_types=("CrossAttnUpBlock2D",) * (levels - 1) + ("UpBlock2D",),
        block_out_channels=architecture.unet_channels,
        layers_per_block=architecture.unet_layers,
        norm_num_groups=architecture.norm_groups,
        cross_attention_dim=2 * architecture.text_width,
        # diffusers calls the number of heads `attention_head_dim`; SDXL's config does the same.
        attention_head_dim=tuple(
            max(1, c // architecture.attention_head_dim) for c in architecture.unet_channels
        ),
        use_linear_projection=True,
        addition_embed_type="text_time",
        addition_time_embed_dim=architecture.time_embed_dim,
        projection_class_embeddings_input_dim=architecture.text_width + 6 * architecture.time_embed_dim,
    )
