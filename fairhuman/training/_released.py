"""Deviations of the authors' released code from their paper, as switches, so that they can be measured.

All are off by default. A name in ``TrainSettings.released`` turns one on; :data:`RELEASED` says what it does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from fairhuman.fairness import Strategy, get_strategy
from fairhuman.training._noising import prediction_type
from fairhuman.training._wrapped import Wrapped

if TYPE_CHECKING:
    from fairhuman.training._noising import NoiseScheduler
    from fairhuman.training._settings import TrainSettings

__all__ = ["GRAD_SCALE", "LOCAL_SCALE", "RELEASED", "AsReleased", "check_released", "image_error_weights"]

RELEASED = {
    "local_scale_inside": "regional residuals are multiplied by 5 before they are squared (LoRA script)",
    "times_k": "the direction is multiplied by the number of objectives",
    "scaled_gradients": "weights are computed from gradients that still carry the loss scale of float16",
    "independent_flips": "the image and each mask draw a flip and a crop of their own (LoRA script)",
    "exhausted_generator": "the strategy is given no parameters: what remains is the plain sum of the "
    "gradients (ControlNet and T2I-Adapter scripts)",
    "x0_term": "the squared error of the predicted clean latent is added to each objective "
    "(ControlNet script)",
    "overwriting_accumulation": "each part of an accumulated step overwrites the gradient of those before",
}
"""Name → what the released code does there."""

LOCAL_SCALE = 25.0
"""``local_scale_inside``: 5²."""
GRAD_SCALE = 65536.0
"""``scaled_gradients``: the loss scale at which float16 training starts."""
_BY_STRATEGY = ("times_k", "scaled_gradients", "overwriting_accumulation")


def check_released(settings: TrainSettings) -> None:
    """Refuse unknown names, and switches that would be without effect.

    Raises:
        ValueError: Names the switch and what it contradicts.
    """
    names = settings.released
    for name in names:
        if name not in RELEASED or names.count(name) > 1:
            raise ValueError(f"released: must be among {', '.join(RELEASED)}, each once, got {name!r}")
    if "exhausted_generator" in names:
        idle = [name for name in _BY_STRATEGY if name in names]
        if idle:
            raise ValueError(f"released: with exhausted_generator, {idle[0]} has no effect")
    if "overwriting_accumulation" in names and settings.accumulation == 1:
        raise ValueError("released: overwriting_accumulation needs accumulation > 1, got 1")
    if "local_scale_inside" in names and settings.local_scale != 1:
        raise ValueError(
            f"released: local_scale_inside sets local_scale to {LOCAL_SCALE:g}; it must not be given as "
            f"well, got {settings.local_scale:g}"
        )
    if "independent_flips" in names and settings.flip == 0 and settings.crop == "center":
        raise ValueError("released: independent_flips needs flip > 0 or a random crop; nothing is drawn here")
    if "independent_flips" in names and not settings.regions:
        raise ValueError("released: independent_flips needs regions, got none")


class AsReleased(Wrapped):
    """A strategy as the released code applies it.

    Args:
        strategy: Decides the weights.
        released: Switches; those that don't concern strategies are passed over.

    Attributes:
        scale: For ``scaled_gradients``, the loss scale that gradients carry; the loop sets it in float16.
    """

    def __init__(self, strategy: Strategy, released: tuple[str, ...]) -> None:
        super().__init__(get_strategy("ls") if "exhausted_generator" in released else strategy)
        self.released, self.scale = released, GRAD_SCALE

    def weights(self, losses: Tensor, gramian: Tensor | None, present: Tensor) -> Tensor:
        if gramian is not None and "scaled_gradients" in self.released:
            gramian = gramian * self.scale**2
        weights = super().weights(losses, gramian, present)
        return weights * len(weights) if "times_k" in self.released else weights


def image_error_weights(scheduler: NoiseScheduler, steps: Tensor) -> Tensor:
    """How much an error of the prediction is an error of the clean latent predicted from it, shape (batch,):
    (1 − ᾱ) / ᾱ for ε-prediction, 1 − ᾱ for v-prediction, σ² for a flow.

    Args:
        scheduler: From :func:`fairhuman.training.noise_scheduler`.
        steps: Places in the schedule, shape (batch,).
    """
    kind = prediction_type(scheduler)
    if kind == "flow_prediction":
        return scheduler.sigmas[scheduler.config.num_train_timesteps - 1 - steps.cpu()].square().float()
    share = scheduler.alphas_cumprod[steps.cpu()].double()
    noise = 1 - share
    return (
        noise if kind == "v_prediction" else noise / share.clamp(min=torch.finfo(torch.float32).eps)
    ).float()
