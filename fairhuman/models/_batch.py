"""The batch on which a UNet is evaluated in training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from torch import Tensor

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

__all__ = ["Batch"]


@dataclass(frozen=True)
class Batch:
    """Inputs and targets of one UNet evaluation.

    Attributes:
        noisy, target: Shape (batch, channels, h, w).
        masks: Region → shape (batch, 1, h, w), values in [0, 1].
        timesteps: Time as passed to the UNet, shape (batch,); for a diffusion model, the index in its
            schedule.
        tokens, pooled, time_ids: Conditioning; shapes (batch, tokens, width), (batch, width), (batch, 6).
        conditions: Name → image, shape (batch, 3, H, W), values in [0, 1]; black where dropped.
        texts: The captions; ``None`` for dropped ones, see :func:`fairhuman.models.encode_texts`.
    """

    noisy: Tensor
    target: Tensor
    masks: Mapping[str, Tensor]
    timesteps: Tensor
    tokens: Tensor
    pooled: Tensor
    time_ids: Tensor
    conditions: Mapping[str, Tensor]
    texts: tuple[str | None, ...]

    def predict(self, unet: UNet2DConditionModel, **further: Any) -> Tensor:
        """The UNet's prediction, shape (batch, channels, h, w); ``further`` are arguments of its forward."""
        added = {"text_embeds": self.pooled, "time_ids": self.time_ids}
        answer = unet(
            self.noisy, self.timesteps, self.tokens, added_cond_kwargs=added, return_dict=False, **further
        )
        return answer[0]
