"""From photographs to a trained LoRA and a comparison: the steps of a fit."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from fairhuman.data import HumanFolder
from fairhuman.data.annotation import AnnotateSettings, Annotation, annotate
from fairhuman.files import write_text
from fairhuman.fitting._settings import FitSettings, SampleSettings

if TYPE_CHECKING:
    from fairhuman.evaluation.evaluate import EvaluateSettings
    from fairhuman.fitting._advice import Advice
    from fairhuman.training import Run, TrainSettings

__all__ = ["Fitted", "fit"]

DATA, RUN, BEFORE, AFTER = "data", "lora", "before", "after"
EVALUATION: Final = "evaluation.json"
CONFIGURATION: Final = "fit.yaml"


@dataclass(frozen=True)
class Fitted:
    """Result of :func:`fit`, also stored in ``path``: annotation, training run, evaluation, face and hand
    counts before and after, and recommendations."""

    path: Path
    annotation: Annotation
    run: Run
    evaluation: dict[str, Any] = field(repr=False)
    counts: list[dict[str, Any]] = field(repr=False)
    advice: list[Advice]


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
    """Annotate photographs, train a LoRA on them, and compare images before and after.

    ``out`` gets ``data/``, ``before/``, ``lora/``, ``after/``, ``evaluation.json``; ``report.md``, with face
    and hand counts before and after and recommendations; ``comparison-1.jpg`` and so on, with enlarged faces
    and hands; and ``fit.yaml``, which repeats the fit. Each step resumes after an interruption. The images
    before are generated ahead of training, so that problems with base or prompts are reported early. Captions
    used as prompts are training captions, so the comparison shows what was learned, not how it generalises;
    pass other prompts for that.

    Args:
        photographs: Folder, searched recursively.
        out: New folder, or one started with the same values.
        base: Folder of a Stable Diffusion XL pipeline or a repository name; ``None`` selects the embedded
            base.
        annotation: Annotation settings.
        training: Settings of :class:`fairhuman.training.TrainSettings` that differ from the defaults
            (strategy ``mpd``; resolution: the base's).
        samples: Settings of the compared images.
        evaluation: Evaluation settings.
        workers: Number of annotation and detector processes.
        progress: Show progress bars.

    Raises:
        ValueError, FileNotFoundError: A step raises, or ``training`` has a setting that is fixed here.
        RuntimeError: No photograph is suitable for training.
    """
    from fairhuman.evaluation.evaluate import (
        EvaluateSettings,
        check_place,
        evaluate_folders,
        write_evaluation,
    )
    from fairhuman.training import TrainSettings, train

    out, samples = Path(out), samples or SampleSettings()
    training = dict(training or {})
    asked = FitSettings(
        photographs=os.fspath(photographs),
        out=str(out),
        base=base,
        annotation=annotation or AnnotateSettings(),
        training=training,
        samples=samples,
        evaluation=None if evaluation is None else evaluation.to_dict(),
        workers=workers,
    )
    decided = {"data": str(out / DATA), "output": str(out / RUN), "base": base}
    for name in decided.keys() & training.keys():
        raise ValueError(f"training: {name!r} is decided by fit, got {training[name]!r}")
    settings = TrainSettings.from_mapping(decided | training, "training")  # refused before the annotation
    if out.is_dir():
        check_place(out / EVALUATION)
    noted = annotate(photographs, out / DATA, annotation, workers=workers, progress=progress)
    if noted is None or not noted.kept:
        raise RuntimeError(f"photographs: none was fit to train on; see {out / DATA / 'rejected.jsonl'}")
    prompts = list(samples.prompts or _captions(out / DATA, samples.count, settings))
    chunks = settings.prompt_chunks
    side, factor = _draw(out / BEFORE, prompts, base, None, samples, chunks, progress)
    settings = TrainSettings.from_mapping({"resolution": side} | decided | training, "training")
    run = train(settings, progress=progress)
    _draw(out / AFTER, prompts, base, run.directory, samples, chunks, progress)
    judged = evaluation or EvaluateSettings(workers=workers)
    found = write_evaluation(out / EVALUATION, evaluate_folders([out / BEFORE, out / AFTER], settings=judged))
    counts, advice = _report(out, run, factor, judged)
    write_text(out / CONFIGURATION, asked.to_yaml())
    return Fitted(out, noted, run, found, counts, advice)


def _report(
    out: Path, run: Run, factor: int, judged: EvaluateSettings
) -> tuple[list[dict[str, Any]], list[Advice]]:
    """Count faces and hands before and after, and write the report."""
    from fairhuman.fitting._advice import advise
    from fairhuman.fitting._counts import compare_counts, count_regions
    from fairhuman.fitting._report import mean_change, write_report, write_sheets

    lines = {name: _listed(out / name) for name in (BEFORE, AFTER)}
    prompts = [line["text"] for line in lines[BEFORE]]
    paths = {name: [out / name / line["file_name"] for line in given] for name, given in lines.items()}
    seen = {name: count_regions(given, prompts, **judged.detecting) for name, given in paths.items()}
    counts = compare_counts(seen[BEFORE], seen[AFTER], level=judged.level, seed=judged.seed)
    data, moved = HumanFolder(out / DATA, run.settings.regions), mean_change(paths[BEFORE], paths[AFTER])
    advice = advise(data, run, counts, moved, factor)
    write_report(out, counts, advice, write_sheets(out, paths, prompts, seen), judged.level)
    return counts, advice


def _listed(folder: Path) -> list[dict[str, Any]]:
    with (folder / "metadata.jsonl").open(encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def _captions(data: Path, count: int, settings: TrainSettings) -> list[str]:
    """Captions as trained, but in order."""
    texts = list(dict.fromkeys(settings.captions.fixed(line["text"]) for line in _listed(data)))
    chosen = np.unique(np.linspace(0, len(texts) - 1, min(count, len(texts))).round().astype(int))
    return [texts[index] for index in chosen]


def _draw(
    folder: Path,
    prompts: list[str],
    base: str | None,
    lora: Path | None,
    samples: SampleSettings,
    chunks: int,
    progress: bool,
) -> tuple[int, int]:
    """Write the images; returns the base's side length in pixels, and pixels per latent cell."""
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
        chunks=chunks,
        adapter_scale=samples.scale if lora else 1.0,
        origin={"base": base, "lora": None if lora is None else str(lora)},
        progress=progress,
    )
    factor = pipeline.vae_scale_factor
    return pipeline.unet.config.sample_size * factor, factor
