"""Photographs to a trained LoRA, with images before and after, in one call."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fairhuman.data.annotation import AnnotateSettings, Annotation, annotate
from fairhuman.settings import Count, Names, Number, Settings, Wholes

if TYPE_CHECKING:
    from fairhuman.evaluation.evaluate import EvaluateSettings
    from fairhuman.training import Run

__all__ = ["Fitted", "SampleSettings", "fit"]

DATA, RUN, BEFORE, AFTER = "data", "lora", "before", "after"
EVALUATION: Final = "evaluation.json"


class SampleSettings(Settings):
    """The images that are compared.

    Attributes:
        prompts: What to draw; ``None`` takes captions of the annotated photographs, evenly spread.
        count: How many captions are taken then, ≥ 1.
        seeds: One image per prompt and seed.
        steps: Denoising steps, ≥ 1.
        guidance: Scale of classifier-free guidance.
        scale: β of Eq. 12, the LoRA's strength.
        batch: Images at a time, ≥ 1.
    """

    prompts: Names | None = None
    count: Count = 32
    seeds: Wholes = (0,)
    steps: Count = 30
    guidance: Number = 7.5
    scale: Number = 1.0
    batch: Count = 8


@dataclass(frozen=True)
class Fitted:
    """What :func:`fit` made: the annotation, the training run, and the evaluation, also in ``path``."""

    path: Path
    annotation: Annotation
    run: Run
    evaluation: dict[str, Any] = field(repr=False)


def fit(
    photographs: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    base: str | None = None,
    annotation: AnnotateSettings | None = None,
    training: Mapping[str, Any] | None = None,
    samples: SampleSettings | None = None,
    evaluation: EvaluateSettings | None = None,
    workers: int = 1,
    progress: bool = True,
) -> Fitted:
    """Annotate photographs, train a LoRA on them, and compare the base's images before and after.

    ``out`` gets ``data/``, ``before/``, ``lora/``, ``after/`` and ``evaluation.json``. Each part takes up
    where an interrupted run stopped. The images before come ahead of training, so that whatever is wrong
    with base or prompts is reported before the long part. Captions taken as prompts are training captions:
    the comparison then shows what was learned, not how it generalises; give other prompts for that.

    Args:
        photographs: Folder, searched with its sub-folders.
        out: New, or begun with the same values.
        base: Folder of a Stable Diffusion XL pipeline or a repository's name; ``None`` is the embedded one.
        annotation: How photographs are annotated.
        training: Settings of :class:`fairhuman.training.TrainSettings` that differ from their defaults
            (strategy ``mpd``; resolution: the base's).
        samples: The images that are compared.
        evaluation: How they are judged.
        workers: Processes of the annotation and the detectors.
        progress: Show bars.

    Raises:
        ValueError, FileNotFoundError: What the parts refuse; ``training`` names what is decided here.
        RuntimeError: Not one photograph was fit to train on.
    """
    from fairhuman.evaluation.evaluate import check_place
    from fairhuman.training import TrainSettings, train

    out, samples = Path(out), samples or SampleSettings()
    training = dict(training or {})
    decided = {"data": str(out / DATA), "output": str(out / RUN), "base": base}
    for name in decided.keys() & training.keys():
        raise ValueError(f"training: {name!r} is decided by fit, got {training[name]!r}")
    TrainSettings.from_mapping(decided | training, "training")  # refused now, not after the annotation
    if out.is_dir():
        check_place(out / EVALUATION)
    noted = annotate(photographs, out / DATA, annotation, workers=workers, progress=progress)
    if noted is None or not noted.kept:
        raise RuntimeError(f"photographs: none was fit to train on; see {out / DATA / 'rejected.jsonl'}")
    prompts = list(samples.prompts or _captions(out / DATA, samples.count))
    side = _draw(out / BEFORE, prompts, base, None, samples, progress)
    settings = TrainSettings.from_mapping({"resolution": side} | decided | training, "training")
    run = train(settings, progress=progress)
    _draw(out / AFTER, prompts, base, run.directory, samples, progress)
    found = _evaluate(out, prompts, samples, evaluation, workers)
    return Fitted(out, noted, run, found)


def _captions(data: Path, count: int) -> list[str]:
    with (data / "metadata.jsonl").open(encoding="utf-8") as lines:
        texts = list(dict.fromkeys(json.loads(line)["text"] for line in lines))
    chosen = np.unique(np.linspace(0, len(texts) - 1, min(count, len(texts))).round().astype(int))
    return [texts[index] for index in chosen]


def _draw(
    folder: Path,
    prompts: list[str],
    base: str | None,
    lora: Path | None,
    samples: SampleSettings,
    progress: bool,
) -> int:
    """Write the images; returns the base's side in pixels."""
    import torch

    from fairhuman.models import load_base
    from fairhuman.sampling import sample
    from fairhuman.training import load_lora

    pipeline = load_base(base, device="cuda" if torch.cuda.is_available() else "cpu")
    if lora is not None:
        load_lora(pipeline, lora)
    sample(
        pipeline,
        prompts,
        folder,
        seeds=list(samples.seeds),
        steps=samples.steps,
        guidance=samples.guidance,
        batch=samples.batch,
        adapter_scale=samples.scale if lora else 1.0,
        origin={"base": base, "lora": None if lora is None else str(lora)},
        progress=progress,
    )
    return pipeline.unet.config.sample_size * pipeline.vae_scale_factor


def _evaluate(
    out: Path,
    prompts: list[str],
    samples: SampleSettings,
    settings: EvaluateSettings | None,
    workers: int,
) -> dict[str, Any]:
    from fairhuman.evaluation.evaluate import EvaluateSettings, evaluate_folders, write_evaluation

    settings = settings or EvaluateSettings(workers=workers)
    found = evaluate_folders([out / BEFORE, out / AFTER], settings=settings)
    return write_evaluation(out / EVALUATION, found)
