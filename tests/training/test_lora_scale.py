"""The paper's setting, as far as it can be checked without its weights."""

from types import SimpleNamespace

import torch
from diffusers import UNet2DConditionModel

from fairhuman.models import SDXL_UNET
from fairhuman.models.adapters import LoRA


def test_a_lora_of_rank_256_on_sdxl_has_the_size_of_the_papers():
    with torch.device("meta"):
        unet = UNet2DConditionModel(**SDXL_UNET)
        lora = LoRA(SimpleNamespace(unet=unet), rank=256)
    assert sum(p.numel() for p in unet.parameters() if not p.requires_grad) == 2_567_463_684
    trained = lora.parameters
    assert len(trained) == 2 * 560
    count = sum(parameter.numel() for parameter in trained.values())
    assert count == 371_589_120
    assert round(4 * count / 2**20, 1) == 1417.5  # MiB in float32
