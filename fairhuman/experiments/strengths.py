"""The same prompts and noise along a run and over β of Eq. 12."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

if TYPE_CHECKING:
    from diffusers import StableDiffusionXLPipeline

    from fairhuman.models.adapters import Adapter
    from fairhuman.training import Run

__all__ = ["BASE", "StrengthSample", "sample_strengths"]

BASE = "base"
"""The run of samples without an adapter: those of β = 0 and of step 0."""


@dataclass(frozen=True)
class StrengthSample:
    """An image of a run as it was after some step.

    Attributes:
        run: Its name, or :data:`BASE`.
        step: Steps made.
        beta: Strength of the adapter.
        prompt: Place of the prompt in the list.
        text: The prompt.
        image: The image.
    """

    run: str
    step: int
    beta: float
    prompt: int
    text: str
    image: Image.Image


def sample_strengths(
    pipeline: StableDiffusionXLPipeline,
    runs: Mapping[str, Run],
    prompts: Sequence[str],
    *,
    betas: Sequence[float] = (0.5, 1.0, 1.5),
    stages: int = 2,
    **options: Any,
) -> list[StrengthSample]:
    """Draw prompts with the base, with finished runs at several β, and with their checkpoints at β = 1.

    All images of a prompt start from the same noise.

    Args:
        pipeline: The base of all runs; it carries no adapter afterwards.
        runs: Name → a finished run whose adapter reads text alone.
        prompts: What to draw; with none, no images are made.
        betas: Strengths of the finished adapters, above 0.
        stages: Most checkpoints of a run that are drawn, spread over those that it has kept.
        options: Options of :func:`fairhuman.sampling.sample`.

    Raises:
        ValueError: A strength of 0 or below; a run that reads pose or depth.
    """
    if not all(beta > 0 for beta in betas):
        raise ValueError(f"betas: must be above 0, which is the base, got {list(betas)}")
    if not prompts:
        return []
    from fairhuman.models.adapters import load_adapter
    from fairhuman.sampling import sample_with
    from fairhuman.training import adapter_at

    def drawn(adapter: Adapter | None, run: str, step: int, beta: float) -> list[StrengthSample]:
        made = sample_with(pipeline, adapter, prompts, scale=beta, progress=False, **options)
        return [StrengthSample(run, step, beta, one.prompt_index, one.text, one.load()) for one in made]

    found = drawn(None, BASE, 0, 0.0)
    for name, run in runs.items():
        places = [(step, file, (1.0,)) for step, file in _stages(run, stages)]
        for step, place, strengths in [*places, (run.settings.steps, run.directory, betas)]:
            adapter = load_adapter(pipeline, place) if place.is_dir() else adapter_at(pipeline, place)
            try:
                for beta in strengths:
                    found += drawn(adapter, name, step, beta)
            finally:
                adapter.remove()
    return found


def _stages(run: Run, count: int) -> list[tuple[int, Path]]:
    """Checkpoints before the last step, spread evenly over those that were kept."""
    files = {
        int(file.stem.split("-")[1]): file for file in run.directory.glob("checkpoints/step-*.safetensors")
    }
    kept = sorted(step for step in files if step < run.settings.steps)
    chosen = np.linspace(0, len(kept) - 1, min(count, len(kept))).round().astype(int)
    return [(kept[place], files[kept[place]]) for place in chosen]
