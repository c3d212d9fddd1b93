"""What :func:`fairhuman.fitting.fit` is asked: as arguments, or as a YAML file that it writes itself."""

from __future__ import annotations

from typing import Any, Self

from pydantic import model_validator

from fairhuman.data.annotation import AnnotateSettings
from fairhuman.settings import Count, Folder, Names, Number, Place, Settings, Wholes, require

__all__ = ["FitSettings", "SampleSettings"]


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

    Raises:
        ValueError, TypeError: A value out of range, no prompt or an empty one, no seed, one below 0 or twice.
    """

    prompts: Names | None = None
    count: Count = 32
    seeds: Wholes = (0,)
    steps: Count = 30
    guidance: Number = 7.5
    scale: Number = 1.0
    batch: Count = 8

    @model_validator(mode="after")
    def _check(self) -> Self:
        prompts, seeds = self.prompts, self.seeds
        said = prompts is None or (bool(prompts) and all(text.strip() for text in prompts))
        require("prompts", said, "must hold at least one, none of them empty", prompts)
        fits = bool(seeds) and len(set(seeds)) == len(seeds) and min(seeds) >= 0
        require("seeds", fits, "must be distinct integers ≥ 0, at least one", list(seeds))
        return self


class FitSettings(Settings):
    """All arguments of :func:`fairhuman.fitting.fit`, which say what they mean. Paths stand as they were
    given: relative ones count from the folder of the call.

    Attributes:
        photographs, out, base, annotation, training, samples, evaluation, workers: Of :func:`fit`;
            ``evaluation`` as a mapping.
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
        """What :func:`fit` is called with."""
        from fairhuman.evaluation.evaluate import EvaluateSettings

        judged = self.evaluation
        given = None if judged is None else EvaluateSettings.from_mapping(judged, "evaluation")
        return dict(self) | {"evaluation": given}
