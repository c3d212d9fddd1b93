"""Prompt encoding for Stable Diffusion XL, including long prompts, in training and sampling."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline
    from transformers import CLIPTokenizer

__all__ = ["encode_texts", "prompt_arguments"]

logger = logging.getLogger(__name__)


def encode_texts(
    pipeline: StableDiffusionXLPipeline, texts: Sequence[str | None], chunks: int = 1
) -> tuple[Tensor, Tensor]:
    """Encode prompts with the text encoders and their LoRA, if any; with gradients if enabled.

    A prompt is split into chunks of the encoder's length (CLIP: 75 tokens), each with start and end tokens.
    All prompts have the same number of chunks, padded at the end, so that a prompt's encoding does not depend
    on other prompts. Longer prompts are truncated, with a warning that shows what is lost.

    Args:
        pipeline: Pipeline with the tokenizers and text encoders to use.
        texts: The prompts; ``None`` stands for the unconditional input of classifier-free guidance: zeros, or
            the encoded empty prompt if the pipeline's ``force_zeros_for_empty_prompt`` is false.
        chunks: Chunks per prompt, ≥ 1; 1 is equivalent to the pipeline's own method.

    Returns:
        Both encoders' penultimate states, concatenated along the width, with chunks along the token axis,
        shape (texts, chunks × tokens, width); and the second encoder's pooled projection of the first chunk,
        shape (texts, width).
    """
    states, pooled = [], torch.empty(0)
    for tokenizer, encoder in (
        (pipeline.tokenizer, pipeline.text_encoder),
        (pipeline.tokenizer_2, pipeline.text_encoder_2),
    ):
        converted = [pipeline.maybe_convert_prompt(text or "", tokenizer) for text in texts]
        rows = [row for text in converted for row in _tokens(tokenizer, text, chunks)]
        output = encoder(torch.tensor(rows, device=encoder.device), output_hidden_states=True)
        states.append(output.hidden_states[-2].unflatten(0, (len(texts), chunks)).flatten(1, 2))
        pooled = output[0][::chunks]
    tokens = torch.cat(states, dim=-1)
    if None in texts and pipeline.config.force_zeros_for_empty_prompt:
        dropped = torch.tensor([text is None for text in texts], device=tokens.device)
        tokens, pooled = (
            tokens.masked_fill(dropped[:, None, None], 0),
            pooled.masked_fill(dropped[:, None], 0),
        )
    return tokens, pooled


@torch.no_grad()
def prompt_arguments(
    pipeline: StableDiffusionXLPipeline,
    texts: Sequence[str],
    negative: str | None = None,
    chunks: int = 1,
    scale: float | None = None,
) -> dict[str, Any]:
    """The prompt arguments for a pipeline call.

    Args:
        pipeline: An SDXL pipeline, including ControlNet and T2I-Adapter pipelines.
        texts: The prompts.
        negative: Negative prompt for all of them; ``None`` as for :func:`encode_texts`.
        chunks: As for :func:`encode_texts`; with 1 the pipeline encodes them itself.
        scale: Strength of a text encoder LoRA, as in the call's ``cross_attention_kwargs``.
    """
    from diffusers.utils import scale_lora_layers, unscale_lora_layers

    if chunks == 1:
        return {
            "prompt": list(texts),
            "negative_prompt": None if negative is None else [negative] * len(texts),
        }
    encoders = () if scale is None else (pipeline.text_encoder, pipeline.text_encoder_2)
    for encoder in encoders:
        scale_lora_layers(encoder, scale)
    try:  # one at a time: what a prompt becomes must not depend on its batch
        found = [encode_texts(pipeline, [text], chunks) for text in (negative, *texts)]
    finally:
        for encoder in encoders:
            unscale_lora_layers(encoder, scale)
    (tokens, pooled), asked = found[0], found[1:]
    return {
        "prompt_embeds": torch.cat([one for one, _ in asked]),
        "pooled_prompt_embeds": torch.cat([one for _, one in asked]),
        "negative_prompt_embeds": tokens.repeat(len(texts), 1, 1),
        "negative_pooled_prompt_embeds": pooled.repeat(len(texts), 1),
    }


def _tokens(tokenizer: CLIPTokenizer, text: str, chunks: int) -> list[list[int]]:
    """Token ids of a prompt, one list of the tokenizer's length per chunk."""
    length = tokenizer.model_max_length
    room = length - 2
    found = tokenizer(text, add_special_tokens=False, verbose=False).input_ids
    if lost := found[chunks * room :]:
        logger.warning(
            "caption cut to %d tokens (prompt_chunks = %d), without its end %r",
            chunks * length,
            chunks,
            tokenizer.decode(lost),
        )
    starts = range(0, chunks * room, room)
    rows = [[tokenizer.bos_token_id, *found[i : i + room], tokenizer.eos_token_id] for i in starts]
    return [row + [tokenizer.pad_token_id] * (length - len(row)) for row in rows]
