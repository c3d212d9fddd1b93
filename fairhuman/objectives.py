"""The losses of Eq. 2, one for the whole image and one per region, and a preservation loss."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, get_args

import torch
from torch import Tensor

__all__ = [
    "GLOBAL",
    "PRESERVATION",
    "Reduction",
    "outside",
    "present",
    "preservation_loss",
    "regional_errors",
    "regional_losses",
]

GLOBAL = "global"
PRESERVATION = "preservation"
Reduction = Literal["image", "mask", "sum"]


def regional_losses(
    prediction: Tensor,
    target: Tensor,
    masks: Mapping[str, Tensor],
    reduction: Reduction = "image",
    local_scale: float = 1.0,
    *,
    weights: Tensor | None = None,
    counts: Mapping[str, float] | None = None,
) -> dict[str, Tensor]:
    """The objectives of Eq. 2, ``‖ε − ε̂‖²`` and ``‖m ⊙ (ε − ε̂)‖²`` for each mask ``m``.

    The paper writes norms without specifying their scale. There are three readings:

    - ``image``: the mean over *all* latent elements, in both Eq. 1 and Eq. 2, as in the authors' code. A
      small face gives a small loss.
    - ``mask``: the mean over the region, weighted by ``m²``, then over the images that contain it.
    - ``sum``: the squared norm as printed, summed over elements, averaged over images.

    Args:
        prediction: The network's output, shape (batch, channels, h, w).
        target: Training target, same shape (see :func:`fairhuman.training.training_target`).
        masks: Name → mask on the latent grid, shape (batch, 1, h, w), values in [0, 1].
        local_scale: Factor on every loss except the global one. The authors' LoRA script multiplies the
            masked residual by 5 before squaring, which is ``local_scale=25``.
        weights: Factor on each image's errors, shape (batch,), such as min-SNR's.
        counts: For ``mask``: region → number of images to divide its errors by, instead of the number of
            images in this batch that contain it. If this is one of several parts of a batch, passing the mean
            number per part makes the mean over parts equal to the loss of the whole batch.

    Returns:
        Name → scalar, ``"global"`` first, then the regions in the order of ``masks``. A region
        absent from the whole batch has loss 0 and zero gradient (see :func:`present`).

    Raises:
        ValueError: Shapes do not match, the reduction is unknown, or the scale is not positive.

    >>> masks = {"face": torch.tensor([[[[1.0, 0.0]]]])}
    >>> losses = regional_losses(torch.tensor([[[[2.0, 1.0]]]]), torch.zeros(1, 1, 1, 2), masks)
    >>> {name: value.item() for name, value in losses.items()}
    {'global': 2.5, 'face': 2.0}
    """
    if not local_scale > 0:
        raise ValueError(f"local_scale: must be > 0, got {local_scale}")
    errors = regional_errors(prediction, target, masks, reduction)
    if weights is not None:
        if weights.shape != (len(prediction),):
            raise ValueError(f"weights: shape must be ({len(prediction)},), got {tuple(weights.shape)}")
        errors = {name: error * weights for name, error in errors.items()}
    losses = {GLOBAL: errors.pop(GLOBAL).mean()}
    for name, error in errors.items():
        if reduction == "mask":
            count = present(masks[name]).sum() if counts is None else counts[name]
            losses[name] = local_scale * error.sum() / (count or 1)
        else:
            losses[name] = local_scale * error.mean()
    return losses


def preservation_loss(
    prediction: Tensor,
    kept: Tensor,
    masks: Mapping[str, Tensor],
    reduction: Reduction = "image",
    *,
    weights: Tensor | None = None,
    counts: Mapping[str, float] | None = None,
) -> Tensor:
    """Distance from the base's prediction outside all regions: ``‖o ⊙ (ε_base − ε̂)‖²``.

    Args:
        prediction: The network's output, shape (batch, channels, h, w).
        kept: The frozen base's prediction for the same input, same shape.
        masks: The regions; ``o`` is :func:`outside` of them.
        reduction, weights, counts: As for :func:`regional_losses`; ``counts`` holds ``"preservation"``.

    Returns:
        A scalar, without gradient inside the regions.

    Raises:
        ValueError: As :func:`regional_losses`, or there are no masks.

    >>> masks = {"face": torch.tensor([[[[1.0, 0.5, 0.0]]]])}
    >>> preservation_loss(torch.tensor([[[[7.0, 7.0, 3.0]]]]), torch.zeros(1, 1, 1, 3), masks).item()
    3.0
    """
    given = {PRESERVATION: outside(masks)}
    losses = regional_losses(prediction, kept, given, reduction, weights=weights, counts=counts)
    return losses[PRESERVATION]


def outside(masks: Mapping[str, Tensor]) -> Tensor:
    """1 outside all regions and 0 inside, in the shape of each mask, (batch, 1, h, w).

    Raises:
        ValueError: There are no masks.
    """
    if not masks:
        raise ValueError("masks: must hold at least one region, got none")
    reached = torch.stack([mask > 0 for mask in masks.values()]).any(0)
    return (~reached).float()


def regional_errors(
    prediction: Tensor,
    target: Tensor,
    masks: Mapping[str, Tensor],
    reduction: Reduction = "image",
) -> dict[str, Tensor]:
    """The objectives of Eq. 2 for each image: name → shape (batch,).

    Arguments as for :func:`regional_losses`; images without a region have error 0 for it.
    """
    if reduction not in get_args(Reduction):
        raise ValueError(f"reduction: must be 'image', 'mask' or 'sum', got {reduction!r}")
    if prediction.ndim != 4 or prediction.shape != target.shape:
        raise ValueError(
            "prediction and target: must have one shape (batch, channels, h, w), "
            f"got {tuple(prediction.shape)} and {tuple(target.shape)}"
        )
    if GLOBAL in masks:
        raise ValueError(f"masks: {GLOBAL!r} names the objective of the whole image, not a region")
    # Squares are summed in float32 even when the network runs in half precision.
    squares = (prediction.float() - target.float()).square()
    errors = {GLOBAL: _reduce(squares, squares.new_ones(len(squares), 1, 1, 1), reduction)}
    for name, mask in masks.items():
        expected = (len(prediction), 1, *prediction.shape[2:])
        if tuple(mask.shape) != expected:
            raise ValueError(f"masks[{name!r}]: shape must be {expected}, got {tuple(mask.shape)}")
        errors[name] = _reduce(squares, mask.float().square(), reduction)
    return errors


def _reduce(squares: Tensor, weights: Tensor, reduction: Reduction) -> Tensor:
    weighted = squares * weights
    if reduction == "image":
        return weighted.mean(dim=(1, 2, 3))
    total = weighted.sum(dim=(1, 2, 3))
    if reduction == "sum":
        return total
    area = weights.expand_as(squares).sum(dim=(1, 2, 3))
    return total / torch.where(area > 0, area, 1.0)


def present(mask: Tensor) -> Tensor:
    """Which images contain the region: shape (batch, 1, h, w) → booleans of shape (batch,)."""
    return mask.flatten(1).amax(dim=1) > 0
