"""Gradients of the objectives on a base: where they conflict, and how scale shares out a step among them.

A step from the base is asked what it would be, and none is made: a fresh LoRA gives the parameters, batches
at timesteps of one part of the schedule after another give the gradients, and their inner products tell
everything else. A factor on a loss multiplies its gradient, so other scales need no further backward pass.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from fairhuman.evaluation.statistics import Estimate, estimate_mean
from fairhuman.experiments.dynamics import conflict_table, gradient_table
from fairhuman.fairness import gramian_of
from fairhuman.models.adapters import ATTENTION
from fairhuman.objectives import GLOBAL, Reduction, regional_losses
from fairhuman.seeds import place_generator
from fairhuman.training import Examples, collate

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline, UNet2DConditionModel

__all__ = ["as_if", "cosines_by_timestep", "norms_by_timestep", "regional_gradients", "shares_by_scale"]

Line = dict[str, Any]
_PER_REGION: Final = "mask"
"""Reduction whose gradients are measured beside those of ``image``; ``sum`` only has another unit."""


def regional_gradients(
    pipeline: StableDiffusionXLPipeline,
    examples: Examples,
    *,
    bins: int = 5,
    batches: int = 10,
    batch_size: int = 4,
    rank: int = 16,
    seed: int = 0,
) -> list[Line]:
    """Inner products of the objectives' gradients by a fresh LoRA's parameters, by part of the schedule.

    B of a fresh LoRA is zero, so that the model is the base itself; A, whose gradient vanishes there, plays
    no part. Every batch has different images until the data set is used up, in an order fixed by ``seed``.

    Args:
        pipeline: The base, which is left as it was.
        examples: The images, through that pipeline's encoders.
        bins: Equal parts of the schedule from which timesteps are drawn, ≥ 1.
        batches: Batches in each part, ≥ 1.
        batch_size: Images a batch, ≥ 1.
        rank: Rank of the LoRA on the attention layers, ≥ 1.
        seed: Of the LoRA, the images, timesteps and noises.

    Returns:
        One line a batch, in the form of a training log: ``step`` (number of the batch), ``timesteps``
        (from, below), ``losses`` and ``gramian``. Objectives are ``"global"``, the regions, and the regions
        by the mean over the mask, as ``"face/mask"``: see :func:`as_if`.

    Raises:
        ValueError: A count is below 1.
    """
    for name, value in {"bins": bins, "batches": batches, "batch_size": batch_size, "rank": rank}.items():
        if value < 1:
            raise ValueError(f"{name}: must be ≥ 1, got {value}")
    unet = pipeline.unet
    trained = {name for name, parameter in unet.named_parameters() if parameter.requires_grad}
    parameters = _fresh_lora(unet, rank, seed)
    bounds = np.linspace(0, examples.scheduler.config.num_train_timesteps, bins + 1).round().astype(int)
    order = np.random.default_rng(seed).permutation(len(examples))
    lines = []
    try:
        for part in pairwise(bounds.tolist()):
            for _ in range(batches):
                drawn = []
                for place in range(len(lines) * batch_size, (len(lines) + 1) * batch_size):
                    image = int(order[place % len(order)])
                    drawn.append(examples.draw(image, place_generator(seed, place), timesteps=part))
                batch = collate(drawn, examples.scheduler, unet.device, unet.dtype)
                losses = _both_reductions(batch.predict(unet), batch.target, batch.masks)
                lines.append(
                    {
                        "step": len(lines),
                        "timesteps": list(part),
                        "losses": {name: loss.item() for name, loss in losses.items()},
                        "gramian": _gramian(losses, parameters).tolist(),
                    }
                )
    finally:
        unet.delete_adapters("default")
        for name, parameter in unet.named_parameters():
            parameter.requires_grad_(name in trained)
    return lines


def _fresh_lora(unet: UNet2DConditionModel, rank: int, seed: int) -> list[Tensor]:
    from peft import LoraConfig

    unet.requires_grad_(False)
    config = LoraConfig(r=rank, lora_alpha=rank, init_lora_weights="gaussian", target_modules=list(ATTENTION))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        unet.add_adapter(config)
    named = dict(unet.named_parameters())
    return [named[name] for name in named if "lora_B" in name]


def _both_reductions(prediction: Tensor, target: Tensor, masks: Mapping[str, Tensor]) -> dict[str, Tensor]:
    losses = regional_losses(prediction, target, masks)
    for name, loss in regional_losses(prediction, target, masks, _PER_REGION).items():
        if name != GLOBAL:
            losses[f"{name}/{_PER_REGION}"] = loss
    return losses


def _gramian(losses: Mapping[str, Tensor], parameters: Sequence[Tensor]) -> Tensor:
    last = len(losses) - 1
    return gramian_of(
        [
            torch.autograd.grad(loss, parameters, retain_graph=k < last, allow_unused=True)
            for k, loss in enumerate(losses.values())
        ]
    ).cpu()


def as_if(
    lines: Sequence[Mapping[str, Any]], reduction: Reduction = "image", local_scale: float = 1.0
) -> list[Line]:
    """The same batches with another scale of the regional losses.

    Args:
        lines: From :func:`regional_gradients`.
        reduction: Scale of the losses (see :func:`fairhuman.objectives.regional_losses`). ``sum`` is
            ``image`` times the number of latent elements, for all objectives alike: the direction and all
            shares are the same, and it is refused here.
        local_scale: Factor on the regional losses, > 0.

    Returns:
        Lines of a training log, for :func:`fairhuman.experiments.dynamics.gradient_table` and
        :func:`~fairhuman.experiments.dynamics.conflict_table`.

    Raises:
        ValueError: Another reduction, or a scale that is not positive.
    """
    if reduction not in ("image", _PER_REGION):
        raise ValueError(f"reduction: must be 'image' or {_PER_REGION!r}, got {reduction!r}")
    if not local_scale > 0:
        raise ValueError(f"local_scale: must be > 0, got {local_scale}")
    found = []
    for line in lines:
        names = list(line["losses"])
        local = [name for name in names if name.endswith(f"/{_PER_REGION}") == (reduction == _PER_REGION)]
        kept = [GLOBAL, *(name for name in local if name != GLOBAL)]
        index = [names.index(name) for name in kept]
        factors = np.array([1.0 if name == GLOBAL else local_scale for name in kept])
        gramian = np.array(line["gramian"])[np.ix_(index, index)] * np.outer(factors, factors)
        names = [name.removesuffix(f"/{_PER_REGION}") for name in kept]
        losses = [line["losses"][name] * factor for name, factor in zip(kept, factors.tolist(), strict=True)]
        found.append(
            {
                "step": line["step"],
                "timesteps": line["timesteps"],
                "losses": dict(zip(names, losses, strict=True)),
                "weights": dict.fromkeys(names, 1.0),
                "gramian": gramian.tolist(),
                "finite": bool(np.isfinite(gramian).all()),
            }
        )
    return found


def cosines_by_timestep(lines: Sequence[Mapping[str, Any]], *, seed: int = 0) -> pd.DataFrame:
    """Mean cosine between the gradients of each pair of objectives in each part of the schedule.

    Args:
        lines: From :func:`regional_gradients`.
        seed: Seed of the bootstrap.

    Returns:
        Columns ``first``, ``second``, ``start``, ``end`` (of the part), ``value``, ``low``, ``high``, ``n``
        (batches that have both regions).
    """
    table = conflict_table(as_if(lines))
    rows = []
    for (first, second, start, end), group in _by_part(table, lines, ["first", "second"]):
        found = estimate_mean(group.cosine, bounds=(-1, 1), seed=seed)
        rows.append({"first": first, "second": second, "start": start, "end": end} | _columns(found))
    return pd.DataFrame(rows)


def norms_by_timestep(lines: Sequence[Mapping[str, Any]], *, seed: int = 0) -> pd.DataFrame:
    """Geometric mean of each gradient's norm in each part of the schedule.

    Args:
        lines: From :func:`regional_gradients`.
        seed: Seed of the bootstrap.

    Returns:
        Columns ``objective``, ``start``, ``end``, ``value``, ``low``, ``high``, ``n``.
    """
    table = gradient_table(as_if(lines))
    rows = []
    for (objective, start, end), group in _by_part(table, lines, ["objective"]):
        found = _columns(estimate_mean(np.log(group.norm), seed=seed))
        found |= {name: float(np.exp(found[name])) for name in ("value", "low", "high")}
        rows.append({"objective": objective, "start": start, "end": end} | found)
    return pd.DataFrame(rows)


def shares_by_scale(
    lines: Sequence[Mapping[str, Any]], scales: Sequence[float], *, seed: int = 0
) -> pd.DataFrame:
    """Each objective's mean share in the plain sum and in the MPD direction, over the local losses' scale.

    An objective's share is wᵢ‖gᵢ‖ over the sum of all. Batches that lack a region are left out, as shares
    among fewer objectives are larger.

    Args:
        lines: From :func:`regional_gradients`.
        scales: Factors on the regional losses, each > 0.
        seed: Seed of the bootstrap.

    Returns:
        Columns ``direction`` ("sum" or "mpd"), ``reduction``, ``scale``, ``objective``, ``value``, ``low``,
        ``high``, ``n`` (batches). Factors apply to reduction ``image``; ``mask`` has factor 1.
    """
    whole = [line for line in lines if np.diag(line["gramian"]).min() > 0]
    rows = []
    cases: list[tuple[Reduction, float]] = [*(("image", scale) for scale in scales), (_PER_REGION, 1.0)]
    for reduction, scale in cases:
        table = gradient_table(as_if(whole, reduction, scale))
        for objective, group in table.groupby("objective", sort=False):
            for direction in ("sum", "mpd"):
                found = estimate_mean(group[f"{direction}_share"], bounds=(0, 1), seed=seed)
                case = {"direction": direction, "reduction": reduction, "scale": scale}
                rows.append(case | {"objective": objective} | _columns(found))
    return pd.DataFrame(rows)


def _by_part(table: pd.DataFrame, lines: Sequence[Mapping[str, Any]], columns: list[str]) -> Any:
    parts = {line["step"]: line["timesteps"] for line in lines}
    start, end = (table.step.map({step: part[k] for step, part in parts.items()}) for k in (0, 1))
    return table.assign(start=start, end=end).groupby([*columns, "start", "end"], sort=False)


def _columns(found: Estimate) -> dict[str, float]:
    return {"value": found.value, "low": found.low, "high": found.high, "n": found.n}
