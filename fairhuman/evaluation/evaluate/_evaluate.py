"""All metrics for the images of one or more systems."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Final, Self

from pydantic import model_validator

from fairhuman.data import HumanFolder
from fairhuman.data.annotation import check_model
from fairhuman.detectors import detect
from fairhuman.evaluation.anatomy import judge_anatomy
from fairhuman.evaluation.evaluate import _rows as rows
from fairhuman.evaluation.evaluate._differences import differences
from fairhuman.evaluation.evaluate._features import LazyImages, view_features
from fairhuman.evaluation.evaluate._posed import posed_depth_model, posed_rows
from fairhuman.evaluation.evaluate._sets import ImageSets, read_sets
from fairhuman.evaluation.inception import InceptionFeatures
from fairhuman.evaluation.intake import Intake
from fairhuman.evaluation.preference import SCORERS, preference_estimates, preference_scores
from fairhuman.evaluation.reader import AttributeReader
from fairhuman.evaluation.truth import expected_regions
from fairhuman.profiles import unknown
from fairhuman.results import provenance
from fairhuman.settings import Count, Names, Number, Place, Settings, Share, Whole, rule

__all__ = ["GROUPS", "EvaluateSettings", "evaluate_folders", "evaluate_images"]

GROUPS: Final = (
    *("detection", "anatomy", "in place", "crops", "distance", "caption", "preference", "pose", "depth"),
)
"""Groups of metrics; each is computed if the input allows it."""


class EvaluateSettings(Settings):
    """Settings of an evaluation.

    Attributes:
        groups: Requested groups from :data:`GROUPS`.
        posed: Whether the images were conditioned on the requested pose and depth: regions are then also
            detected in place and in crops, and poses and depths are compared.
        threshold: Minimum score of a face, palm, hand and body, in [0, 1].
        weights: Metric → folder of its published weights. Default: the hub's cache.
        inception: File of the published Inception weights, required for FID and KID.
        depth_model: Folder of a ``transformers`` depth estimator, for posed images with a depth condition;
            without it, depths are not compared.
        download: Download weights missing in the hub's cache.
        device: Device of the preference and depth models.
        workers: Number of detector processes, ≥ 1.
        cache: Folder of cached detections, features and scores, from which an interrupted evaluation resumes;
            None disables it.
        level: Confidence level of the intervals, in (0, 1).
        seed: Seed of the resampling, ≥ 0.
        progress: Show progress bars. Default: on a terminal.
    """

    groups: Names = GROUPS
    posed: bool = False
    threshold: Share = 0.5
    weights: dict[str, str] = {}
    inception: Place | None = None
    depth_model: Place | None = None
    download: bool = False
    device: str = "cpu"
    workers: Count = 1
    cache: Place | None = None
    level: Annotated[Number, rule("must be in (0, 1)", lambda level: 0 < level < 1)] = 0.95
    seed: Whole = 0
    progress: bool | None = None

    @model_validator(mode="after")
    def _check(self) -> Self:
        for name in self.groups:
            if name not in GROUPS:
                raise ValueError(f"groups: {unknown(name, GROUPS)}")
        for name, folder in self.weights.items():
            if name not in SCORERS:
                raise ValueError(f"weights: {unknown(name, SCORERS)}")
            if not Path(folder).is_dir():
                raise FileNotFoundError(f"weights: no such folder: {folder} (of {name})")
        if self.depth_model is not None:
            if not self.posed:
                raise ValueError(f"depth_model: needs posed images, got {self.depth_model} without posed")
            check_model("depth_model", self.depth_model)
        return self

    @property
    def detecting(self) -> dict[str, Any]:
        """Arguments of the detectors."""
        return {name: getattr(self, name) for name in ("workers", "threshold", "cache", "progress")}


def evaluate_folders(
    folders: Sequence[str | os.PathLike[str]],
    prompts: Sequence[str] | None = None,
    *,
    reference: str | os.PathLike[str] | None = None,
    asked: str | os.PathLike[str] | None = None,
    settings: EvaluateSettings | None = None,
) -> dict[str, Any]:
    """Read and evaluate folders of images, with provenance.

    Args:
        folders: One per system; see :func:`fairhuman.evaluation.evaluate.read_sets`.
        prompts: One per image. Default: those in the folders' ``metadata.jsonl``, if any.
        reference: Folder of reference images for distances.
        asked: Annotated data set whose i-th image is the target of the i-th image in each folder.
        settings: Settings. Default: all defaults.

    Returns:
        ``rows`` and ``differences`` of :func:`evaluate_images`, ``files`` (system → counts, and refused or
        converted files with reasons), ``settings``, ``provenance``.

    Raises:
        FileNotFoundError, ValueError: The input is invalid; nothing is computed then.
    """
    settings = EvaluateSettings() if settings is None else settings
    sets = read_sets(folders, prompts)
    base = None if reference is None else read_sets([reference])
    conditions = () if settings.depth_model is None else ("depth",)
    records = None if asked is None else _records(asked, sets, conditions)
    found = evaluate_images(
        sets,
        reference=None if base is None else next(iter(base.images.values())),
        asked=records,
        settings=settings,
    )
    files = {name: _account(intake) for name, intake in sets.intakes.items()}
    if base is not None:
        files["reference"] = _account(next(iter(base.intakes.values())))
    places = {"reference": reference, "asked": asked}
    return found | {
        "paired": sets.paired,
        "files": files,
        "settings": settings.to_dict() | {name: path and str(path) for name, path in places.items()},
        "provenance": provenance(),
    }


def evaluate_images(
    sets: ImageSets,
    *,
    reference: Sequence[Path] | None = None,
    asked: Mapping[str, Sequence[Any]] | None = None,
    settings: EvaluateSettings | None = None,
) -> dict[str, Any]:
    """Compute every metric that the input allows.

    Args:
        sets: From :func:`fairhuman.evaluation.evaluate.read_sets`.
        reference: Reference images for distances.
        asked: System → records (:class:`fairhuman.data.HumanRecord`) with the target of each image, read with
            ``depth`` if there is a depth model; without them, every image is expected to show a face and a
            hand.
        settings: Settings. Default: all defaults.

    Returns:
        ``rows``: ``system``, ``group``, ``subject``, ``metric``, ``value``, ``low``, ``high``, ``n``,
        ``interval``, ``level`` and ``note``, which gives the reason for a missing value. ``differences``:
        paired differences of each system from the first, with ``supported``; empty unless the sets are
        paired. Detection scores and rates are in [0, 1], preference scores in their models' units.
    """
    settings = EvaluateSettings() if settings is None else settings
    depth_model = posed_depth_model(asked, settings)
    reader = AttributeReader.load()
    inception: InceptionFeatures | None = None
    kept: dict[str, Any] = {}
    if settings.inception is not None:
        kept = {"cache": settings.cache, "weights": Path(settings.inception)}
        inception = InceptionFeatures.load(settings.inception, settings.device)
    options: dict[str, Any] = {"level": settings.level, "seed": settings.seed}
    wanted = set(settings.groups)
    base = base_inception = None
    if reference is not None and "distance" in wanted:
        seen = detect(reference, **settings.detecting)
        base = view_features(reader, reference, seen, cache=settings.cache)
        if inception is not None:
            base_inception = view_features(inception, reference, seen, **kept)
    found, features, table = {}, {}, []
    for system, paths in sets.images.items():
        found[system] = detect(paths, **settings.detecting)
        records = None if asked is None else asked[system]
        truth = None if records is None else expected_regions(records)
        system_rows = []
        if "detection" in wanted:
            system_rows += rows.detection_rows(found[system], truth, "detection", **options)
        if records is not None and "anatomy" in wanted:
            anatomy = judge_anatomy(paths, records, **settings.detecting)
            system_rows += rows.anatomy_rows(anatomy, **options)
        if records is not None and settings.posed:
            system_rows += posed_rows(paths, records, found[system], truth, settings, depth_model)
        if base is not None:
            features[system] = view_features(reader, paths, found[system], cache=settings.cache)
            system_rows += rows.distance_rows(base, features[system], **options)
            if inception is not None and base_inception is not None:
                further = view_features(inception, paths, found[system], **kept)
                system_rows += rows.distance_rows(base_inception, further, **options, names=("KID", "FID"))
        if sets.prompts is not None and "caption" in wanted:
            system_rows += rows.caption_rows(LazyImages(paths), sets.prompts[system], reader, **options)
        table += [{"system": system} | row for row in system_rows]
    scores = None
    if sets.prompts is not None and "preference" in wanted:
        scores = preference_scores(
            sets.images,
            sets.prompts,
            weights=settings.weights,
            device=settings.device,
            download=settings.download,
            progress=settings.progress is not False,
            cache=settings.cache,
        )
        table += rows.preference_rows(preference_estimates(scores, **options), scores.attrs["absent"])
    truth = None
    if asked is not None and sets.paired:
        truth = expected_regions(next(iter(asked.values())))
    shown = found if "detection" in wanted else dict.fromkeys(found)  # what is not shown is not compared
    compared = differences(shown, truth, base, features, scores, **options) if sets.paired else []
    return {"rows": table, "differences": compared}


def _records(
    asked: str | os.PathLike[str], sets: ImageSets, conditions: Sequence[str]
) -> dict[str, list[Any]]:
    records = HumanFolder(asked, ("face", "hand"), conditions).records
    for name, intake in sets.intakes.items():
        files = len(intake.images) + len(intake.refused)
        if len(records) < files:
            raise ValueError(f"asked: must describe every image, got {len(records)} for {files} of {name!r}")
    return {name: [records[place] for place in places] for name, places in sets.kept.items()}


def _account(intake: Intake) -> dict[str, Any]:
    return {
        "judged": len(intake.images),
        "refused": {str(path): reason for path, reason in intake.refused.items()},
        "converted": {str(path): kind for path, kind in intake.converted.items()},
    }
