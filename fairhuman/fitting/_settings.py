"""Settings of :func:`fairhuman.fitting.fit`, as arguments or as the YAML file that it writes."""

from __future__ import annotations

from typing import Any

from fairhuman.data.annotation import AnnotateSettings
from fairhuman.settings import Count, Folder, Names, Number, Place, Settings, Wholes

__all__ = ["FitSettings", "SampleSettings"]


class SampleSettings(Settings):
    """Settings of the compared images.

    Attributes:
        prompts: Prompts; ``None`` uses evenly spaced captions of the annotated photographs.
        count: Number of captions to use then, ≥ 1.
        seeds: One image per prompt and seed.
        steps: Denoising steps, ≥ 1.
        guidance: Classifier-free guidance scale.
        scale: LoRA strength β (Eq. 12).
        batch: Batch size, ≥ 1.
    """

    prompts: Names | None = None
    count: Count = 32
    seeds: Wholes = (0,)
    steps: Count = 30
    guidance: Number = 7.5
    scale: Number = 1.0
    batch: Count = 8


class FitSettings(Settings):
    """All arguments of :func:`fairhuman.fitting.fit`, which documents them. Paths are stored as given;
    relative paths refer to the folder of the call.

    Attributes:
        photographs, out, base, annotation, training, samples, evaluation, workers: As for :func:`fit`;
            ``evaluation`` is a mapping.
    """

    photographs: Folder
    out: Folder
    base: Place | None = None
    annotation: AnnotateSettings = AnnotateSettings()
    training: dict[str, Any] = {}
    samples: SampleSettings = SampleSettings()
    evaluation: dict[str, Any] | None = None
    workers: Count = 1

    @property
    def arguments(self) -> dict[str, Any]:
        """Arguments for :func:`fit`."""
        from fairhuman.evaluation.evaluate import EvaluateSettings

        judged = self.evaluation
        given = None if judged is None else EvaluateSettings.from_mapping(judged, "evaluation")
        return dict(self) | {"evaluation": given}
