"""Images of each setting, sampled with the weights of each seed and evaluated by detectors."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from fairhuman.evaluation.crop_rates import crop_scores
from fairhuman.experiments.ablations._inputs import VISIBLE_SEED, inputs_of, seen_by
from fairhuman.experiments.ablations._named import Setting
from fairhuman.experiments.ablations._runner import DIVERGED, result_name
from fairhuman.images import as_rgb
from fairhuman.profiles import run_directory
from fairhuman.results import read_result, write_result

if TYPE_CHECKING:
    import pandas as pd

    from fairhuman.data import HumanRecord
    from fairhuman.experiments.ablations._budget import Budget
    from fairhuman.experiments.ablations._runner import Ablations

__all__ = ["images_name", "sample_settings"]


def images_name(setting: Setting, seed: int = VISIBLE_SEED) -> str:
    """Name of the result of a setting's images, with the weights of a seed."""
    later = setting.trained and seed != VISIBLE_SEED
    return f"ablations/{setting.name}-images" + (f"-seed{seed}" if later else "")


def sample_settings(
    work: Ablations, settings: Sequence[Setting], seeds: Sequence[int] = (VISIBLE_SEED,)
) -> Iterator[tuple[str, float]]:
    """Sample the first held-out captions with each setting and seed from the same noise, and evaluate them.

    Faces and hands are detected where the caption's render has them (:func:`expected_regions`), in the whole
    image and in a crop around the same position. Conditioned settings use the render's conditions. A setting
    without stored weights is trained again; identical settings share a result; diverged settings are skipped.
    Yields the name and the seconds of each result after it is stored.

    Args:
        work: The ablations, with the number of images, steps and guidance in their budget.
        settings: The settings.
        seeds: Seeds of the weights.
    """
    budget = work.budget
    wanted = [(s, seed) for seed in seeds for s in settings if s.trained or seed == seeds[0]]
    for setting, seed in wanted if budget.prompts else ():
        name, inputs = images_name(setting, seed), _inputs(work, setting, seed)
        if _stored(work.profile, name) == inputs or _diverged(work.profile, setting, seed):
            continue
        start = time.perf_counter()
        twin = work.twin(inputs)
        if twin is not None:
            work.repeat(name, twin, seed)
        else:
            values = _judge(work, _sample(work, setting, seed, inputs))
            parameters = {"inputs": inputs, "code": seen_by(), **_options(budget)}
            samples = len(next(iter(values["detection"].values())))
            write_result(work.profile, name, values, parameters=parameters, samples=samples, seed=seed)
        yield name, time.perf_counter() - start


def _sample(work: Ablations, setting: Setting, seed: int, inputs: str) -> list[Image.Image]:
    from fairhuman.sampling import sample_with

    run = work.train(setting, seed) if setting.trained else None
    pipeline, network = work.network(run)
    adapter = None if run is None else network
    asked = work.heldout_folder(() if run is None else run.settings.conditions or ())
    captions = work.heldout_captions()[: work.budget.prompts]
    folder = run_directory(work.profile, "ablation-images") / f"{setting.name}-{inputs}"
    made = sample_with(pipeline, adapter, captions, folder, asked=asked, **_options(work.budget))
    return [one.load() for one in made]


def _judge(work: Ablations, images: list[Image.Image]) -> dict[str, Any]:
    """Best score of each detector in each image, and share found in its crops, None where nothing is
    asked for; distance to the renders."""
    from fairhuman.detectors import detect
    from fairhuman.evaluation import expected_regions, kernel_distance, tabulate_detections
    from fairhuman.evaluation.reader import AttributeReader

    records = work.heldout_records()[: len(images)]
    truth = expected_regions(records)
    table = tabulate_detections(detect(images), truth)
    table["best"] = table.best.round(4).where(table.expected)
    reader = AttributeReader.load()
    renders = [record.image for record in records]
    pictures = [[as_rgb(one) for one in set_] for set_ in (renders, images)]
    return {
        "detection": {name: rows.best.tolist() for name, rows in table.groupby("detector")},
        "crops": _crops(images, records, truth),
        "distance": kernel_distance(*map(reader.features, pictures)).stored(),
    }


def _crops(
    images: list[Image.Image], records: Sequence[HumanRecord], truth: pd.DataFrame
) -> dict[str, list[float | None]]:
    """Region → share of each image's crops about expected faces or hands in which one is found."""
    from fairhuman.evaluation import detect_crops

    boxes = []
    for image, record, expected in zip(images, records, truth.itertuples(), strict=True):
        width, height = record.metadata["width"], record.metadata["height"]
        scale = np.tile([image.width / width, image.height / height], 2)
        regions = {"face": expected.face_expected, "left_hand": expected.hand_expected}
        regions["right_hand"] = expected.hand_expected
        found = {name: record.boxes.get(name) for name, wanted in regions.items() if wanted}
        boxes.append({name: box and tuple(np.multiply(box, scale)) for name, box in found.items()})
    table = crop_scores(detect_crops(images, boxes))
    shares = {}
    for region in ("face", "hand"):
        own = table[table.detector == region].set_index("image")
        shares[region] = (own.found / own.crops).reindex(range(len(images))).tolist()
    return shares


def _options(budget: Budget) -> dict[str, Any]:
    return {"steps": budget.sampling_steps, "guidance": budget.guidance, "precision": budget.precision}


def _inputs(work: Ablations, setting: Setting, seed: int) -> str:
    budget = work.budget
    content: list[Any] = [inputs_of(budget, setting, seed if setting.trained else VISIBLE_SEED, seen_by())]
    content += [budget.prompts, budget.sampling_steps, budget.guidance]
    content += [] if budget.precision == "no" else [budget.precision]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _diverged(profile: str, setting: Setting, seed: int) -> bool:
    try:
        return DIVERGED in read_result(profile, result_name(setting, seed))["values"]
    except FileNotFoundError:
        return False


def _stored(profile: str, name: str) -> str | None:
    try:
        return read_result(profile, name)["parameters"]["inputs"]
    except FileNotFoundError:
        return None
