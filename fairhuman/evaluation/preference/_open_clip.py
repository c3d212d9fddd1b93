"""A checkpoint in open_clip's (and OpenAI's) format as a ``transformers.CLIPModel``.

Sizes are read off the tensors. The names correspond as follows; `…` is a layer's number.

=========================================  ====================================================
open_clip                                  transformers
=========================================  ====================================================
visual.class_embedding                     vision_model.embeddings.class_embedding
visual.conv1.weight                        vision_model.embeddings.patch_embedding.weight
visual.positional_embedding                vision_model.embeddings.position_embedding.weight
visual.ln_pre, visual.ln_post              vision_model.pre_layrnorm, vision_model.post_layernorm
visual.proj, text_projection               visual_projection.weight, text_projection.weight, transposed
token_embedding.weight                     text_model.embeddings.token_embedding.weight
positional_embedding                       text_model.embeddings.position_embedding.weight
ln_final                                   text_model.final_layer_norm
(visual.)transformer.resblocks.…           (vision|text)_model.encoder.layers.…
  .ln_1, .ln_2                               .layer_norm1, .layer_norm2
  .attn.in_proj_weight, .attn.in_proj_bias   .self_attn.{q,k,v}_proj, stacked in this order
  .attn.out_proj                             .self_attn.out_proj
  .mlp.c_fc, .mlp.c_proj                     .mlp.fc1, .mlp.fc2
logit_scale                                logit_scale
=========================================  ====================================================
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from torch import Tensor
from transformers import CLIPConfig, CLIPModel

from fairhuman.evaluation.preference._weights import fill

_PLAIN = {
    "visual.class_embedding": "vision_model.embeddings.class_embedding",
    "visual.conv1.weight": "vision_model.embeddings.patch_embedding.weight",
    "visual.positional_embedding": "vision_model.embeddings.position_embedding.weight",
    "positional_embedding": "text_model.embeddings.position_embedding.weight",
    "token_embedding.weight": "text_model.embeddings.token_embedding.weight",
    "logit_scale": "logit_scale",
}
_NORMS = {
    "visual.ln_pre": "vision_model.pre_layrnorm",
    "visual.ln_post": "vision_model.post_layernorm",
    "ln_final": "text_model.final_layer_norm",
}
_PROJECTIONS = {"visual.proj": "visual_projection.weight", "text_projection": "text_projection.weight"}
_INNER = {
    "ln_1": "layer_norm1",
    "ln_2": "layer_norm2",
    "attn.out_proj": "self_attn.out_proj",
    "mlp.c_fc": "mlp.fc1",
    "mlp.c_proj": "mlp.fc2",
}
_BLOCK = re.compile(r"(visual\.)?transformer\.resblocks\.(\d+)\.(.+)")
_IGNORED = ("attn_mask",)  # a constant that older versions stored


def clip_from_open_clip(
    state: Mapping[str, Tensor], *, vision_head: int = 80, text_head: int = 64, activation: str = "gelu"
) -> CLIPModel:
    """Build the model a checkpoint belongs to and give it the weights.

    Args:
        state: Name → tensor, in open_clip's names.
        vision_head: Channels of an attention head of the image tower, which tensors don't tell; 80 in
            ViT-H-14, 64 in ViT-L-14.
        text_head: The same of the text tower; 64 in both.
        activation: ``gelu``, or ``quick_gelu`` for OpenAI's weights.

    Returns:
        The model in float32 and evaluation mode.

    Raises:
        ValueError: A tensor is missing, left over or of another shape.
    """
    state = {name: value for name, value in state.items() if name not in _IGNORED}
    try:
        config = _config(state, vision_head, text_head, activation)
    except (KeyError, IndexError) as error:
        raise ValueError(f"weights: not an open_clip checkpoint: no tensor {error}") from error
    model = CLIPModel(config)
    fill(model, translate(state), "an open_clip model of two transformers")
    return model


def translate(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors under the names of transformers; see the table above."""
    renamed: dict[str, Tensor] = {}
    for name, value in state.items():
        stem, _, kind = name.rpartition(".")
        block = _BLOCK.fullmatch(name)
        if name in _PLAIN:
            renamed[_PLAIN[name]] = value
        elif name in _PROJECTIONS:
            renamed[_PROJECTIONS[name]] = value.T.contiguous()
        elif stem in _NORMS:
            renamed[f"{_NORMS[stem]}.{kind}"] = value
        elif block:
            tower = "vision_model" if block[1] else "text_model"
            renamed |= _layer(f"{tower}.encoder.layers.{block[2]}", block[3], value)
        else:
            renamed[name] = value  # unknown: reported when the model is filled
    return renamed


def _layer(layer: str, name: str, value: Tensor) -> dict[str, Tensor]:
    if name in ("attn.in_proj_weight", "attn.in_proj_bias"):
        kind = name.rpartition("_")[2]
        parts = zip("qkv", value.chunk(3), strict=True)
        return {f"{layer}.self_attn.{part}_proj.{kind}": piece for part, piece in parts}
    inner, _, kind = name.rpartition(".")
    return {f"{layer}.{_INNER.get(inner, inner)}.{kind}": value}


def _config(state: Mapping[str, Tensor], vision_head: int, text_head: int, activation: str) -> CLIPConfig:
    conv, places = state["visual.conv1.weight"], state["visual.positional_embedding"].shape[0]
    width, patch = conv.shape[0], conv.shape[-1]
    vocabulary, text_width = state["token_embedding.weight"].shape
    projection = state["text_projection"].shape[1]
    text = {
        "vocab_size": vocabulary,
        "hidden_size": text_width,
        "intermediate_size": state["transformer.resblocks.0.mlp.c_fc.weight"].shape[0],
        "num_hidden_layers": _depth(state, "transformer."),
        "num_attention_heads": max(1, text_width // text_head),
        "max_position_embeddings": state["positional_embedding"].shape[0],
        "hidden_act": activation,
        "projection_dim": projection,
        # The end token is the vocabulary's last, and where the text's features are read.
        "bos_token_id": vocabulary - 2,
        "eos_token_id": vocabulary - 1,
        "pad_token_id": vocabulary - 1,
    }
    vision = {
        "hidden_size": width,
        "intermediate_size": state["visual.transformer.resblocks.0.mlp.c_fc.weight"].shape[0],
        "num_hidden_layers": _depth(state, "visual.transformer."),
        "num_attention_heads": max(1, width // vision_head),
        "image_size": patch * round((places - 1) ** 0.5),
        "patch_size": patch,
        "hidden_act": activation,
        "projection_dim": projection,
    }
    return CLIPConfig(text_config=text, vision_config=vision, projection_dim=projection)


def _depth(state: Mapping[str, Tensor], prefix: str) -> int:
    start = f"{prefix}resblocks."
    return 1 + max(int(name[len(start) :].split(".")[0]) for name in state if name.startswith(start))
