"""Names of SDXL's parts in Stability AI's own code, which other tools read and write.

Source: the layouts of ``generative-models`` and OpenCLIP, as diffusers' ``from_single_file`` reads them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

__all__ = ["TEXT_PREFIXES", "original_state", "original_unet_name", "unet_names"]

TEXT_PREFIXES = {
    "text_encoder": "conditioner.embedders.0.transformer.",
    "text_encoder_2": "conditioner.embedders.1.model.",
}
"""Prefix of each text encoder's tensor names."""

_RESNET = {
    "norm1": "in_layers.0",
    "conv1": "in_layers.2",
    "time_emb_proj": "emb_layers.1",
    "norm2": "out_layers.0",
    "conv2": "out_layers.3",
    "conv_shortcut": "skip_connection",
}
_AUTOENCODER = [
    (r"conv_norm_out", "norm_out"),
    (r"conv_shortcut", "nin_shortcut"),
    (r"down_blocks\.(\d+)\.resnets", r"down.\1.block"),
    (r"down_blocks\.(\d+)\.downsamplers\.0", r"down.\1.downsample"),
    (r"mid_block\.resnets\.0", "mid.block_1"),
    (r"mid_block\.resnets\.1", "mid.block_2"),
    (r"mid_block\.attentions\.0", "mid.attn_1"),
    (r"attn_1\.group_norm", "attn_1.norm"),
    (r"attn_1\.to_([qkv])", r"attn_1.\1"),
    (r"attn_1\.to_out\.0", "attn_1.proj_out"),
]
_OPEN_CLIP = [
    (r"^text_model\.embeddings\.token_embedding", "token_embedding"),
    (r"^text_model\.embeddings\.position_embedding\.weight", "positional_embedding"),
    (r"^text_model\.final_layer_norm", "ln_final"),
    (r"^text_projection\.weight", "text_projection"),
    (r"^text_model\.encoder\.layers", "transformer.resblocks"),
    (r"\.layer_norm([12])", r".ln_\1"),
    (r"\.mlp\.fc1", ".mlp.c_fc"),
    (r"\.mlp\.fc2", ".mlp.c_proj"),
    (r"\.self_attn\.out_proj", ".attn.out_proj"),
]


def unet_names(config: Mapping[str, Any]) -> dict[str, str]:
    """Map modules of diffusers' UNet to original names, for all prefixes of module names.

    Args:
        config: Configuration of a ``UNet2DConditionModel``.

    Returns:
        For example ``"down_blocks.1.attentions.0"`` → ``"input_blocks.4.1"`` in SDXL.
    """
    layers, levels = config["layers_per_block"], len(config["block_out_channels"])
    names = {
        "time_embedding.linear_1": "time_embed.0",
        "time_embedding.linear_2": "time_embed.2",
        "add_embedding.linear_1": "label_emb.0.0",
        "add_embedding.linear_2": "label_emb.0.2",
        "conv_in": "input_blocks.0.0",
        "conv_norm_out": "out.0",
        "conv_out": "out.2",
        "mid_block.resnets.0": "middle_block.0",
        "mid_block.attentions.0": "middle_block.1",
        "mid_block.resnets.1": "middle_block.2",
    }
    for level in range(levels):
        for layer in range(layers):
            place = f"input_blocks.{1 + level * (layers + 1) + layer}"
            names[f"down_blocks.{level}.resnets.{layer}"] = f"{place}.0"
            names[f"down_blocks.{level}.attentions.{layer}"] = f"{place}.1"
        names[f"down_blocks.{level}.downsamplers.0.conv"] = f"input_blocks.{(level + 1) * (layers + 1)}.0.op"
        for layer in range(layers + 1):
            place = f"output_blocks.{level * (layers + 1) + layer}"
            names[f"up_blocks.{level}.resnets.{layer}"] = f"{place}.0"
            names[f"up_blocks.{level}.attentions.{layer}"] = f"{place}.1"
        after = 2 if "Attn" in config["up_block_types"][level] else 1
        last = level * (layers + 1) + layers
        names[f"up_blocks.{level}.upsamplers.0.conv"] = f"output_blocks.{last}.{after}.conv"
    return names


def original_unet_name(module: str, names: Mapping[str, str]) -> str | None:
    """The original name of a module of the UNet, or of a tensor in it; ``None`` if it has none.

    Args:
        module: As in ``named_modules()`` or ``state_dict()``.
        names: Result of :func:`unet_names`.
    """
    known = next((name for name in names if f"{module}.".startswith(f"{name}.")), None)
    if known is None:
        return None
    rest = module.removeprefix(known)
    if ".resnets." in known and rest:
        inner, *end = rest[1:].split(".")
        rest = "".join(f".{part}" for part in (_RESNET[inner], *end))
    return names[known] + rest


def original_state(pipeline: StableDiffusionXLPipeline) -> dict[str, Tensor]:
    """A pipeline's weights under their original names, in their own type.

    Raises:
        ValueError: A layer of the UNet has no original name.
    """
    state = _unet(pipeline.unet)
    levels = len(pipeline.vae.config["block_out_channels"])
    for name, tensor in pipeline.vae.state_dict().items():
        # An attention's matrices are convolutions there.
        square = "attentions" in name and name.endswith("weight") and tensor.ndim == 2
        name = _renamed(name, _AUTOENCODER)
        name = re.sub(r"up_blocks\.(\d+)\.resnets", lambda m: f"up.{levels - 1 - int(m[1])}.block", name)
        name = re.sub(
            r"up_blocks\.(\d+)\.upsamplers\.0", lambda m: f"up.{levels - 1 - int(m[1])}.upsample", name
        )
        state[f"first_stage_model.{name}"] = tensor[:, :, None, None] if square else tensor
    for name, tensor in pipeline.text_encoder.state_dict().items():
        state[f"{TEXT_PREFIXES['text_encoder']}text_model.{name.removeprefix('text_model.')}"] = tensor
    second = _open_clip(pipeline.text_encoder_2.state_dict())
    state |= {f"{TEXT_PREFIXES['text_encoder_2']}{name}": tensor for name, tensor in second.items()}
    return {name: tensor.contiguous() for name, tensor in state.items()}


def _unet(unet: Any) -> dict[str, Tensor]:
    names, state = unet_names(unet.config), {}
    for name, tensor in unet.state_dict().items():
        original = original_unet_name(name, names)
        if original is None:
            raise ValueError(f"base: SDXL's original layout has no name for the UNet's {name}")
        state[f"model.diffusion_model.{original}"] = tensor
    return state


def _open_clip(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """OpenCLIP stores the query, key and value matrices as one, and the projection transposed."""
    found = {}
    for name, tensor in state.items():
        if ".k_proj." in name or ".v_proj." in name:
            continue
        if ".q_proj." in name:
            parts = [state[name.replace(".q_proj.", f".{part}_proj.")] for part in "qkv"]
            name = name.replace(".self_attn.q_proj.", ".attn.in_proj_")
            tensor = torch.cat(parts)
        elif name == "text_projection.weight":
            tensor = tensor.T
        found[_renamed(name, _OPEN_CLIP)] = tensor
    return found


def _renamed(name: str, rules: Iterable[tuple[str, str]]) -> str:
    for pattern, replacement in rules:
        name = re.sub(pattern, replacement, name)
    return name
