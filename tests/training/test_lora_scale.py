"""The paper's setting, as far as it can be checked without its weights."""

from types import SimpleNamespace

import torch
from diffusers import UNet2DConditionModel

from fairhuman.models.adapters import LoRA

# The UNet of stabilityai/stable-diffusion-xl-base-1.0.
SDXL = {
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


def test_a_lora_of_rank_256_on_sdxl_has_the_size_of_the_papers():
    with torch.device("meta"):
        unet = UNet2DConditionModel(**SDXL)
        lora = LoRA(SimpleNamespace(unet=unet), rank=256)
    assert sum(p.numel() for p in unet.parameters() if not p.requires_grad) == 2_567_463_684
    trained = lora.parameters
    assert len(trained) == 2 * 560
    count = sum(parameter.numel() for parameter in trained.values())
    assert count == 371_589_120
    assert round(4 * count / 2**20, 1) == 1417.5  # MiB in float32
