"""Preference scores as a table, with one column per metric, empty if its weights are missing."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from fairhuman.evaluation.parts import in_parts
from fairhuman.evaluation.preference._scorers import SCORERS, Scorer, load_scorer
from fairhuman.evaluation.preference._weights import MissingWeights
from fairhuman.evaluation.statistics import estimate_mean
from fairhuman.files import file_state
from fairhuman.images import ImageLike
from fairhuman.profiles import unknown

_log = logging.getLogger(__name__)


def preference_scores(
    images: Mapping[str, Sequence[ImageLike]],
    prompts: Sequence[str] | Mapping[str, Sequence[str]],
    *,
    metrics: Sequence[str] = tuple(SCORERS),
    weights: Mapping[str, str | os.PathLike[str]] | None = None,
    device: str = "cpu",
    batch: int = 16,
    download: bool = False,
    progress: bool = False,
    cache: str | os.PathLike[str] | None = None,
) -> pd.DataFrame:
    """Every system's images by every metric; each model is loaded once.

    Args:
        images: System → its images, the i-th made for the i-th prompt.
        prompts: The prompts, the same for all systems, or system → prompts.
        metrics: Any of ``hps_v2.1``, ``image_reward`` and ``clip_score``.
        weights: Metric → folder of its published files. Default: the hub's cache.
        device, batch, progress: As for :meth:`Scorer.score`.
        download: Download files missing in the hub's cache.
        cache: Folder for caching scores of image files; None disables it.

    Returns:
        Columns ``system``, ``image`` (its number) and one per metric, in its unit (multiply by 100 for the
        paper's tables); a metric with missing weights is empty (NaN), and the log and the table's
        ``attrs["absent"]`` (metric → message) explain how to get them.

    Raises:
        ValueError: A metric is unknown, or the numbers of images and prompts differ.
    """
    for name in (*metrics, *(weights or {})):
        if name not in SCORERS:
            raise ValueError(f"metrics: {unknown(name, SCORERS)}")
    asked = prompts if isinstance(prompts, Mapping) else dict.fromkeys(images, prompts)
    for system, system_images in images.items():
        if len(system_images) != len(asked[system]):
            raise ValueError(f"images: {system!r} has {len(system_images)} for {len(asked[system])} prompts")
    table = pd.DataFrame(
        [{"system": system, "image": index} for system in images for index in range(len(images[system]))],
        columns=["system", "image"],
    )
    absent: dict[str, str] = {}
    everything = [image for system_images in images.values() for image in system_images]
    for name in metrics:
        try:
            scorer = load_scorer(name, (weights or {}).get(name), device=device, download=download)
        except MissingWeights as error:
            _log.warning("%s is left empty: %s", name, error)
            table[name] = np.nan
            absent[name] = str(error)
            continue
        texts = [text for system in images for text in asked[system]]
        table[name] = _scored(
            scorer, everything, texts, [name, device, _states(name, weights)], batch, progress, cache
        )
    table.attrs["absent"] = absent
    return table


def preference_estimates(scores: pd.DataFrame, *, level: float = 0.95, seed: int = 0) -> list[dict[str, Any]]:
    """Mean of each system and metric with its interval, as rows for a result or a table.

    Args:
        scores: From :func:`preference_scores`.
        level: Confidence level in (0, 1).
        seed: Seed of the resampling.

    Returns:
        Rows with ``system``, ``metric`` and the fields of :class:`fairhuman.evaluation.Estimate`; an absent
        metric has no value and ``n`` 0.
    """
    return [
        {"system": system, "metric": name}
        | estimate_mean(rows[name].dropna(), level=level, seed=seed).stored()
        for system, rows in scores.groupby("system", sort=False)
        for name in _metrics(scores)
    ]


def _scored(
    scorer: Scorer,
    images: list[ImageLike],
    texts: list[str],
    identity: list[Any],
    batch: int,
    progress: bool,
    cache: str | os.PathLike[str] | None,
) -> np.ndarray:
    paths = [Path(image) for image in images if isinstance(image, (str, os.PathLike))]
    if cache is None or len(paths) < len(images):
        return scorer.score(images, texts, batch=batch, progress=progress)
    return in_parts(
        paths,
        lambda part: {"score": scorer.score(paths[part], texts[part], batch=batch, progress=progress)},
        lambda part: [*identity, texts[part]],
        cache=cache,
    )["score"]


def _states(name: str, weights: Mapping[str, str | os.PathLike[str]] | None) -> Any:
    """Identifies a folder of weights; those of the hub have one revision."""
    if not weights or name not in weights:
        return None
    files = sorted(path for path in Path(weights[name]).iterdir() if path.is_file())
    return [(str(path.resolve()), *file_state(path)) for path in files]


def _metrics(scores: pd.DataFrame) -> list[str]:
    return [name for name in scores.columns if name in SCORERS]
