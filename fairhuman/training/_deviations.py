"""Switches for the deviations of the authors' released code from their paper.

All are off by default, and each can be measured. A name in ``TrainSettings.released`` turns one on;
:data:`RELEASED` describes it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from fairhuman.fairness import Strategy, get_strategy
from fairhuman.training._noising import prediction_type
from fairhuman.training._precision import LossScale

if TYPE_CHECKING:
    from fairhuman.training._noising import NoiseScheduler

__all__ = ["RELEASED", "Deviations", "check_released", "image_error_weights"]

RELEASED = {
    "local_scale_inside": "regional residuals are multiplied by 5 before they are squared (LoRA script)",
    "times_k": "the direction is multiplied by the number of objectives",
    "scaled_gradients": "weights are computed from gradients that still carry the loss scale of float16",
    "independent_flips": "the image and each mask draw separate flips and crops (LoRA script)",
    "exhausted_generator": "the strategy is given no parameters: what remains is the plain sum of the "
    "gradients (ControlNet and T2I-Adapter scripts)",
    "x0_term": "the squared error of the predicted clean latent is added to each objective "
    "(ControlNet script)",
    "overwriting_accumulation": "each part of an accumulated step overwrites the gradient of those before",
}
"""Name → behaviour of the released code."""

_LOCAL_SCALE = 25.0  # 5²
_BY_STRATEGY = ("times_k", "scaled_gradients", "overwriting_accumulation")
_Part = TypeVar("_Part")


class Deviations:
    """The deviations active in a run. Training passes its values through these methods; each returns its
    input unchanged unless its switch is on.

    Args:
        names: Switches from :data:`RELEASED`.
    """

    def __init__(self, names: Collection[str] = ()) -> None:
        self.names = frozenset(names)

    @property
    def independent_masks(self) -> bool:
        """Whether masks are transformed independently of images."""
        return "independent_flips" in self.names

    def strategy(self, strategy: Strategy) -> Strategy:
        """The strategy that computes the weights."""
        return get_strategy("ls") if "exhausted_generator" in self.names else strategy

    def gramian(self, gramian: Tensor, loss_scale: LossScale) -> Tensor:
        """The Gram matrix passed to the strategy."""
        if "scaled_gradients" not in self.names:
            return gramian
        return gramian * (loss_scale.value if loss_scale.dynamic else LossScale.START) ** 2

    def weights(self, weights: Tensor) -> Tensor:
        """The weights that are applied."""
        return weights * len(weights) if "times_k" in self.names else weights

    def local_scale(self, scale: float) -> float:
        """The factor on regional losses."""
        return _LOCAL_SCALE if "local_scale_inside" in self.names else scale

    def error_weights(
        self, weights: Tensor | None, scheduler: NoiseScheduler, steps: Tensor
    ) -> Tensor | None:
        """The factor on image errors at these schedule indices, shape (batch,); ``None`` is 1."""
        if "x0_term" not in self.names:
            return weights
        return image_error_weights(scheduler, steps) + (1.0 if weights is None else weights)

    def parts(self, parts: Sequence[_Part]) -> Sequence[_Part]:
        """The parts of a step that contribute gradients."""
        return parts[-1:] if "overwriting_accumulation" in self.names else parts


def check_released(
    names: Sequence[str], *, regions: Sequence[str], accumulation: int, local_scale: float, draws: bool
) -> None:
    """Check for unknown names and for switches without effect.

    Args:
        names: The switches.
        regions, accumulation, local_scale: As in :class:`fairhuman.training.TrainSettings`.
        draws: Whether there are random flips or crops.

    Raises:
        ValueError: A switch is unknown or has no effect; the message gives the reason.
    """
    for name in names:
        if name not in RELEASED or names.count(name) > 1:
            raise ValueError(f"released: must be among {', '.join(RELEASED)}, each once, got {name!r}")
    if "exhausted_generator" in names:
        idle = [name for name in _BY_STRATEGY if name in names]
        if idle:
            raise ValueError(f"released: with exhausted_generator, {idle[0]} has no effect")
    if "overwriting_accumulation" in names and accumulation == 1:
        raise ValueError("released: overwriting_accumulation needs accumulation > 1, got 1")
    if "local_scale_inside" in names and local_scale != 1:
        raise ValueError(
            f"released: local_scale_inside sets local_scale to {_LOCAL_SCALE:g}; it must not be given as "
            f"well, got {local_scale:g}"
        )
    if "independent_flips" in names and not draws:
        raise ValueError("released: independent_flips needs flip > 0 or a random crop; nothing is drawn here")
    if "independent_flips" in names and not regions:
        raise ValueError("released: independent_flips needs regions, got none")


def image_error_weights(scheduler: NoiseScheduler, steps: Tensor) -> Tensor:
    """Factor from prediction error to the error of the predicted clean latent, shape (batch,): (1 − ᾱ) / ᾱ
    for ε-prediction, 1 − ᾱ for v-prediction, σ² for a flow.

    Args:
        scheduler: From :func:`fairhuman.training.noise_scheduler`.
        steps: Schedule indices, shape (batch,).
    """
    kind = prediction_type(scheduler)
    if kind == "flow_prediction":
        return scheduler.sigmas[scheduler.config.num_train_timesteps - 1 - steps.cpu()].square().float()
    share = scheduler.alphas_cumprod[steps.cpu()].double()
    noise = 1 - share
    return (
        noise if kind == "v_prediction" else noise / share.clamp(min=torch.finfo(torch.float32).eps)
    ).float()
