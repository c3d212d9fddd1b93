"""ImageReward's network from its published checkpoint: BLIP's image and text towers, and an MLP on top.

Xu et al., *ImageReward: Learning and Evaluating Human Preferences for Text-to-Image Generation*, 2023. The
text tower attends to the image in every layer; the reward is read off its first token. The names of its
tensors are those of transformers, those of the image tower are timm's and are renamed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn
from transformers import BlipTextConfig, BlipVisionConfig
from transformers.models.blip.modeling_blip import BlipVisionModel
from transformers.models.blip.modeling_blip_text import BlipTextModel

from fairhuman.evaluation.preference._weights import fill

#: Mean and deviation of the raw reward over the authors' validation prompts; the score is in these units.
MEAN, DEVIATION = 0.16717362830052426, 1.0333394966054072
HEAD = 64
"""Channels of an attention head of either tower."""
_UNUSED = re.compile(r"blip\.(vision_proj|text_proj)\..*|.*\.position_ids")
_VISION = (
    (r"^cls_token$", "embeddings.class_embedding"),
    (r"^pos_embed$", "embeddings.position_embedding"),
    (r"^patch_embed\.proj\.", "embeddings.patch_embedding."),
    (r"^norm\.", "post_layernorm."),
    (r"^blocks\.", "encoder.layers."),
    (r"\.attn\.proj\.", ".self_attn.projection."),
    (r"\.attn\.", ".self_attn."),
    (r"\.norm([12])\.", r".layer_norm\1."),
)


class RewardNetwork(nn.Module):
    """Pixels and tokens to a normalised reward.

    Args:
        vision: Configuration of the image tower.
        text: Configuration of the text tower.
        widths: Widths of the MLP from the tower's to 1; five linear layers without activations between.
    """

    def __init__(self, vision: BlipVisionConfig, text: BlipTextConfig, widths: list[int]) -> None:
        super().__init__()
        self.vision = BlipVisionModel(vision)
        self.text = BlipTextModel(text, add_pooling_layer=False)
        self.head = nn.Sequential(*(nn.Linear(a, b) for a, b in zip(widths, widths[1:], strict=False)))

    def forward(self, pixels: Tensor, tokens: Tensor, mask: Tensor) -> Tensor:
        """Rewards of shape (batch,) for pixels (batch, 3, height, width), tokens and mask (batch, length)."""
        seen = self.vision(pixel_values=pixels).last_hidden_state
        everywhere = torch.ones(seen.shape[:2], dtype=torch.long, device=seen.device)
        read = self.text(
            input_ids=tokens,
            attention_mask=mask,
            encoder_hidden_states=seen,
            encoder_attention_mask=everywhere,
        ).last_hidden_state
        return (self.head(read[:, 0])[:, 0] - MEAN) / DEVIATION


def reward_network(state: Mapping[str, Tensor]) -> RewardNetwork:
    """Build the network that a checkpoint in ImageReward's names belongs to, sizes read off the tensors.

    Raises:
        ValueError: A tensor is missing, left over or of another shape.
    """
    state = {name: value for name, value in state.items() if not _UNUSED.fullmatch(name)}
    try:
        network = RewardNetwork(*_sizes(state))
    except (KeyError, ValueError) as error:
        raise ValueError(f"weights: not an ImageReward checkpoint: {error}") from error
    fill(network, translate(state), "ImageReward")
    return network


def translate(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors under :class:`RewardNetwork`'s names."""
    renamed = {}
    linear = {number: place for place, number in enumerate(_linear(state))}
    for name, value in state.items():
        part, _, rest = name.removeprefix("blip.").partition(".")
        if part == "visual_encoder":
            for pattern, replacement in _VISION:
                rest = re.sub(pattern, replacement, rest)
            renamed[f"vision.{rest}"] = value
        elif part == "text_encoder":
            renamed[f"text.{rest}"] = value
        elif part == "mlp":
            _, number, kind = rest.split(".")
            renamed[f"head.{linear[int(number)]}.{kind}"] = value
        else:
            renamed[name] = value  # unknown: reported when the network is filled
    return renamed


def _linear(state: Mapping[str, Tensor]) -> list[int]:
    """Numbers of the MLP's linear layers; dropouts lie between."""
    return sorted({int(name.split(".")[2]) for name in state if name.startswith("mlp.layers.")})


def _sizes(state: Mapping[str, Tensor]) -> tuple[BlipVisionConfig, BlipTextConfig, list[int]]:
    patches = state["blip.visual_encoder.patch_embed.proj.weight"]
    width, patch = patches.shape[0], patches.shape[-1]
    places = state["blip.visual_encoder.pos_embed"].shape[1]
    vocabulary, text_width = state["blip.text_encoder.embeddings.word_embeddings.weight"].shape
    vision = BlipVisionConfig(
        hidden_size=width,
        intermediate_size=state["blip.visual_encoder.blocks.0.mlp.fc1.weight"].shape[0],
        num_hidden_layers=_depth(state, "blip.visual_encoder.blocks."),
        num_attention_heads=max(1, width // HEAD),
        image_size=patch * round((places - 1) ** 0.5),
        patch_size=patch,
        layer_norm_eps=1e-6,  # timm's, which transformers does not share
    )
    text = BlipTextConfig(
        vocab_size=vocabulary,
        hidden_size=text_width,
        encoder_hidden_size=width,
        intermediate_size=state["blip.text_encoder.encoder.layer.0.intermediate.dense.weight"].shape[0],
        num_hidden_layers=_depth(state, "blip.text_encoder.encoder.layer."),
        num_attention_heads=max(1, text_width // HEAD),
        max_position_embeddings=state["blip.text_encoder.embeddings.position_embeddings.weight"].shape[0],
    )
    layers = [state[f"mlp.layers.{number}.weight"] for number in _linear(state)]
    return vision, text, [text_width, *(weight.shape[0] for weight in layers)]


def _depth(state: Mapping[str, Tensor], prefix: str) -> int:
    return 1 + max(int(name[len(prefix) :].split(".")[0]) for name in state if name.startswith(prefix))
