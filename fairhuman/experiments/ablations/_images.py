"""What can be seen of a setting: images sampled with the weights of its first seed, judged by detectors."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from fairhuman.experiments.ablations._inputs import VISIBLE_SEED, inputs_of
from fairhuman.experiments.ablations._named import Setting
from fairhuman.experiments.ablations._runner import DIVERGED, result_name
from fairhuman.profiles import run_directory
from fairhuman.results import read_result, write_result

if TYPE_CHECKING:
    from fairhuman.experiments.ablations._budget import Budget
    from fairhuman.experiments.ablations._runner import Ablations

__all__ = ["images_name", "sample_settings"]


def images_name(setting: Setting) -> str:
    """Name of the result of a setting's images."""
    return f"ablations/{setting.name}-images"


def sample_settings(work: Ablations, settings: Sequence[Setting]) -> Iterator[tuple[str, float]]:
    """Sample the first held-out captions with each setting, from the same noise, and judge the images.

    A face or hand is looked for where the caption's own render has one (:func:`expected_regions`). A setting
    whose weights are no longer on disk is trained again; one that is the same as another under its own name
    takes the other's result. Settings that follow conditions, or diverged, are passed over.
    After each result is on disk: its name, and the seconds that it took.

    Args:
        work: The ablations whose budget says how many, by how many steps and with what guidance.
        settings: Which.
    """
    budget = work.budget
    for setting in settings if budget.prompts else ():
        if setting.adapter != "lora":
            continue
        inputs = _inputs(work, setting)
        if _stored(work.profile, setting) == inputs or _diverged(work.profile, setting):
            continue
        start = time.perf_counter()
        twin = work.twin(inputs)
        values = twin["values"] if twin else _judge(work, _sample(work, setting, inputs))
        write_result(
            work.profile,
            images_name(setting),
            values,
            parameters={"inputs": inputs, **_options(budget)},
            samples=len(next(iter(values["detection"].values()))),
            seed=VISIBLE_SEED,
        )
        yield images_name(setting), time.perf_counter() - start


def _sample(work: Ablations, setting: Setting, inputs: str) -> list[Image.Image]:
    from fairhuman.sampling import sample

    pipeline, _ = work.network(work.train(setting, VISIBLE_SEED) if setting.trained else None)
    captions = work.heldout_captions()[: work.budget.prompts]
    folder = run_directory(work.profile, "ablation-images") / f"{setting.name}-{inputs}"
    return [made.load() for made in sample(pipeline, captions, folder, **_options(work.budget))]


def _judge(work: Ablations, images: list[Image.Image]) -> dict[str, Any]:
    """Best score of each detector in each image, None where nothing is asked for; distance to the renders."""
    from fairhuman.detectors import detect
    from fairhuman.evaluation import expected_regions, kernel_distance, tabulate_detections
    from fairhuman.evaluation.reader import AttributeReader

    records = work.heldout_records()[: len(images)]
    table = tabulate_detections(detect(images), expected_regions(records))
    table["best"] = table.best.round(4).where(table.expected)
    reader = AttributeReader.load()
    renders = [Image.open(record.image) for record in records]
    pictures = [[np.asarray(one.convert("RGB")) for one in set_] for set_ in (renders, images)]
    return {
        "detection": {name: rows.best.tolist() for name, rows in table.groupby("detector")},
        "distance": kernel_distance(*map(reader.features, pictures)).stored(),
    }


def _options(budget: Budget) -> dict[str, Any]:
    return {"steps": budget.sampling_steps, "guidance": budget.guidance, "precision": budget.precision}


def _inputs(work: Ablations, setting: Setting) -> str:
    budget = work.budget
    content: list[Any] = [inputs_of(budget, setting, VISIBLE_SEED)]
    content += [budget.prompts, budget.sampling_steps, budget.guidance]
    content += [] if budget.precision == "no" else [budget.precision]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _diverged(profile: str, setting: Setting) -> bool:
    try:
        return DIVERGED in read_result(profile, result_name(setting, VISIBLE_SEED))["values"]
    except FileNotFoundError:
        return False


def _stored(profile: str, setting: Setting) -> str | None:
    try:
        return read_result(profile, images_name(setting))["parameters"]["inputs"]
    except FileNotFoundError:
        return None
