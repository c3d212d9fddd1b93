"""What can be seen of a setting: images sampled with the weights of its first seed, judged by detectors."""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from fairhuman.ablations._inputs import VISIBLE_SEED, inputs_of
from fairhuman.ablations._named import Setting
from fairhuman.profiles import run_directory
from fairhuman.results import read_result, write_result

if TYPE_CHECKING:
    from fairhuman.ablations._runner import Ablations

__all__ = ["images_name", "sample_settings"]


def images_name(setting: Setting) -> str:
    """Name of the result of a setting's images."""
    return f"ablations/{setting.name}-images"


def sample_settings(work: Ablations, settings: Sequence[Setting]) -> Iterator[tuple[str, float]]:
    """Sample the first held-out captions with each setting, from the same noise, and judge the images.

    A setting whose weights are no longer on disk is trained again. Settings that follow conditions are
    passed over. After each result is on disk: its name, and the seconds that it took.

    Args:
        work: The ablations whose budget says how many, by how many steps and with what guidance.
        settings: Which.
    """
    from fairhuman.evaluation import detect, kernel_distance, tabulate_detections
    from fairhuman.evaluation.reader import AttributeReader
    from fairhuman.sampling import sample

    budget = work.budget
    for setting in settings if budget.prompts else ():
        if setting.changes.get("adapter", "lora") != "lora":
            continue
        inputs = _inputs(work, setting)
        if _stored(work.profile, setting) == inputs:
            continue
        start = time.perf_counter()
        pipeline, _ = work.network(work.train(setting, VISIBLE_SEED) if setting.trained else None)
        captions = work.heldout_captions()[: budget.prompts]
        folder = run_directory(work.profile, "ablation-images") / f"{setting.name}-{inputs}"
        options = {"steps": budget.sampling_steps, "guidance": budget.guidance}
        images = [made.load() for made in sample(pipeline, captions, folder, **options)]
        table = tabulate_detections(detect(images))
        reader = AttributeReader.load()
        renders = [Image.open(path) for path in work.heldout_images()[: len(images)]]
        pictures = [[np.asarray(one.convert("RGB")) for one in set_] for set_ in (renders, images)]
        distance = kernel_distance(*map(reader.features, pictures))
        figures = {
            "detection": {name: rows.best.round(4).tolist() for name, rows in table.groupby("detector")},
            "distance": distance.stored(),
        }
        write_result(
            work.profile,
            images_name(setting),
            figures,
            parameters={"inputs": inputs, **options},
            samples=len(images),
            seed=VISIBLE_SEED,
        )
        yield images_name(setting), time.perf_counter() - start


def _inputs(work: Ablations, setting: Setting) -> str:
    budget = work.budget
    content: list[Any] = [inputs_of(budget, setting, VISIBLE_SEED)]
    content += [budget.prompts, budget.sampling_steps, budget.guidance]
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()[:16]


def _stored(profile: str, setting: Setting) -> str | None:
    try:
        return read_result(profile, images_name(setting))["parameters"]["inputs"]
    except FileNotFoundError:
        return None
