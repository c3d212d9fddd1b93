"""The systems of Table 1 by name, and how to load them at any scale.

At the paper's scale a system is SDXL with an adapter from a run's folder or a folder in diffusers' layout; on
the embedded base it is the same class with an adapter trained here. β (Eq. 12) is a property of the system:
the paper averages FairHuman's figures over three values.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from fairhuman.models.adapters import ADAPTERS, Adapter
from fairhuman.profiles import unknown

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

__all__ = [
    "NEGATIVE_PROMPT",
    "PROMPT_SUFFIX",
    "SYSTEMS",
    "System",
    "load_system",
    "with_suffix",
]

PROMPT_SUFFIX: Final = ", realistic, high quality, 8k"
"""Suffix that the authors' sampling scripts append to every prompt."""

NEGATIVE_PROMPT: Final = "bad anatomy, deformed face, deformed hands, extra fingers, missing fingers, blurry"
"""A fixed negative prompt like that in the authors' scripts; the wording is this project's."""


@dataclass(frozen=True)
class System:
    """One row of Table 1.

    Attributes:
        title: Printed name.
        kind: Kind of its adapter (:data:`fairhuman.models.adapters.ADAPTERS`); None for the base alone.
        scales: β at which it is evaluated; metrics are averaged over them.
        run: Its run folder in ``runs/<profile>/`` on the embedded base.
        controlled: Whether it is conditioned on pose and depth.
        at_scale: Source of its weights at the paper's scale.
        paper: The row's figures in the paper: HPS, ImageReward, CLIP (each × 100), FID, hand and face
            confidence in per cent, and the pose difference, whose unit the paper does not give.
    """

    title: str
    kind: str | None
    scales: tuple[float, ...] = (1.0,)
    run: str | None = None
    controlled: bool = False
    at_scale: str = ""
    paper: Mapping[str, float] = field(default_factory=dict)


def _paper(*values: float) -> Mapping[str, float]:
    names = ("hps", "image_reward", "clip_score", "fid", "hand", "face", "pose")
    return MappingProxyType(dict(zip(names, values, strict=False)))


SYSTEMS: Final[Mapping[str, System]] = MappingProxyType(
    {
        "base": System(
            "SDXL base",
            None,
            at_scale="stabilityai/stable-diffusion-xl-base-1.0 on the Hugging Face hub",
            paper=_paper(30.91, 140.85, 26.84, 52.69, 93.18, 83.67),
        ),
        "mole": System(
            "MoLE",
            "mole",
            run="mole",
            at_scale="trained here as its authors describe; their files have another layout",
            paper=_paper(31.87, 152.36, 27.17, 48.97, 93.32, 84.48),
        ),
        "lora-mpd": System(
            "FairHuman LoRA",
            "lora",
            scales=(0.3, 0.4, 0.5),
            run="lora-mpd",
            at_scale="trained here; any SDXL LoRA in the layout of diffusers",
            paper=_paper(32.73, 154.60, 27.20, 46.11, 94.03, 85.31),
        ),
        "controlnet-default": System(
            "ControlNet-SDXL",
            "controlnet",
            scales=(0.5,),
            run="controlnet-default",
            controlled=True,
            at_scale="trained here on the default loss; any SDXL ControlNet in the layout of diffusers",
            paper=_paper(32.20, 152.49, 27.10, 46.18, 93.50, 85.13, 3.45),
        ),
        "controlnet-union": System(
            "ControlNet-Union",
            "controlnet-union",
            scales=(0.5,),
            run="controlnet-union",
            controlled=True,
            at_scale="xinsir/controlnet-union-sdxl-1.0 on the Hugging Face hub, or trained here",
            paper=_paper(32.80, 155.22, 27.21, 46.43, 94.28, 85.36, 2.67),
        ),
        "controlnet-mpd": System(
            "FairHuman ControlNet",
            "controlnet",
            scales=(0.4, 0.5, 0.6),
            run="controlnet-mpd",
            controlled=True,
            at_scale="trained here",
            paper=_paper(32.72, 154.74, 27.24, 45.46, 94.48, 85.61, 2.35),
        ),
    }
)
"""Name → system, in the order of Table 1."""


def load_system(
    name: str, pipeline: StableDiffusionXLPipeline, weights: str | os.PathLike[str] | None = None
) -> Adapter | None:
    """The adapter of a system of Table 1 on a base of any size; None for the base alone.

    Args:
        name: One of :data:`SYSTEMS`.
        pipeline: SDXL, or the embedded base; it must carry no other adapter.
        weights: Folder of a run or of the adapter itself; see ``at_scale``.

    Raises:
        ValueError: The system does not exist, its adapter does not fit the base, or weights are given for the
            base alone.
        FileNotFoundError: Weights are missing; the message gives their source.
    """
    if name not in SYSTEMS:
        raise ValueError(f"system: {unknown(name, SYSTEMS)}")
    system = SYSTEMS[name]
    if system.kind is None:
        if weights is not None:
            raise ValueError(f"weights: the system {name!r} is the base alone and has none, got {weights}")
        return None
    if system.kind not in ADAPTERS:
        raise ValueError(f"system: {name!r} needs an adapter of the {unknown(system.kind, ADAPTERS)}")
    if weights is None or not Path(weights).exists():
        place = "none were named" if weights is None else f"there is no {weights}"
        raise FileNotFoundError(f"weights: {place}; those of {name!r}: {system.at_scale}")
    return ADAPTERS[system.kind].load(pipeline, weights)


def with_suffix(prompts: Sequence[str], suffix: str = PROMPT_SUFFIX) -> list[str]:
    """The prompts with the authors' suffix, unless they already end with it.

    >>> with_suffix(["a man waving"])
    ['a man waving, realistic, high quality, 8k']
    """
    return [prompt if prompt.endswith(suffix) else prompt.rstrip(" .,") + suffix for prompt in prompts]
