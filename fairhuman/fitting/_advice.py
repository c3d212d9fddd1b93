"""Recommendations: rules on measured values, each with its number."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from fairhuman.data import HumanFolder
from fairhuman.evaluation.statistics import estimate_steps
from fairhuman.objectives import GLOBAL
from fairhuman.training import Run

__all__ = ["Advice", "advise"]

_LEAST_CHANGE: Final = 1.0  # of 255: below it an image is the same to the eye
_WORSE: Final = {
    **dict.fromkeys(
        ("face found", "face found enlarged", "hand found", "hand found enlarged", "fingers"), -1
    ),
    "stray hands": 1,
}
"""Measure → sign of a deterioration. More or fewer hands are neither better nor worse."""


class Advice(NamedTuple):
    """A recommendation: the measured value, the rule, and what to do."""

    measured: str
    rule: str
    change: str

    def __str__(self) -> str:
        return f"{self.measured}. {self.change}. (Rule: {self.rule}.)"


def advise(
    data: HumanFolder, run: Run, counts: Sequence[Mapping[str, Any]], moved: float, factor: int = 8
) -> list[Advice]:
    """All recommendations that apply, possibly none.

    Args:
        data: The training photographs, with their report.
        run: The finished training.
        counts: From :func:`fairhuman.fitting._counts.compare_counts`.
        moved: Mean absolute difference between the images before and after, out of 255.
        factor: Side length of a latent cell in pixels.
    """
    return [
        *_of_photographs(data),
        *_of_regions(data, run, factor),
        *_of_training(run, len(data)),
        *_of_images(run, counts, moved),
    ]


def _of_photographs(data: HumanFolder) -> Iterator[Advice]:
    report = json.loads((data.path / "report.json").read_text(encoding="utf-8"))
    lost = report["filtered"] + report["unreadable"]
    if lost > report["kept"]:
        why = max(report["filtered_why"].items(), key=lambda pair: pair[1], default=("unreadable", lost))
        yield Advice(
            f"{lost} of {lost + report['kept']} photographs were excluded, "
            f"{why[1]} of them because: {why[0]}",
            "more than half of the photographs are excluded",
            f"See {data.path / 'rejected.jsonl'}, and change the photographs or the named option",
        )


def _of_regions(data: HumanFolder, run: Run, factor: int) -> Iterator[Advice]:
    steps = run.log
    for name in run.settings.regions:
        others = ",".join(region for region in run.settings.regions if region != name)
        if not data.present[name]:
            yield Advice(
                f"No photograph shows a {name}",
                "a region without photographs is not trained",
                f"Add photographs with a {name}, or leave it out: --set regions=[{others}]",
            )
            continue
        with_it = sum(line["present"][name] > 0 for line in steps)
        if 2 * with_it < len(steps):
            yield Advice(
                f"The {name} objective was active in {with_it} of {len(steps)} steps: "
                f"{data.present[name]} of {len(data)} photographs show one",
                "a region is active in fewer than half of the steps",
                f"Add photographs with a {name}, or use a larger batch: "
                f"--set batch_size={2 * run.settings.batch_size}",
            )
        shares = [line["coverage"][name] for line in steps if line["coverage"].get(name) is not None]
        grid = run.settings.resolution // factor
        if shares and (cells := float(np.mean(shares)) * grid**2) < 1:
            yield Advice(
                f"A {name} covers {cells:.2f} cells of the {grid} × {grid} latent grid",
                "a region covers less than one cell",
                f"Train at a higher resolution: --set resolution={2 * run.settings.resolution}",
            )


def _of_training(run: Run, images: int) -> Iterator[Advice]:
    settings, steps = run.settings, run.log
    seen = len(steps) * settings.batch_size
    if seen < images:
        yield Advice(
            f"The run used {seen} images, but there are {images} photographs",
            "not every photograph was used once",
            f"Train longer: --steps {math.ceil(images / settings.batch_size)} or more",
        )
    skipped = sum(not line["finite"] for line in steps)
    if skipped and settings.precision != "fp16":  # which skips steps until its scale is found
        yield Advice(
            f"{skipped} of {len(steps)} steps were skipped because of a non-finite loss or gradient",
            "a step is skipped",
            f"Use a lower learning rate: --set learning_rate={settings.learning_rate / 2:g}",
        )
    for name in (GLOBAL, *settings.regions):
        losses = [line["losses"][name] for line in steps if line["finite"] and line["present"][name] > 0]
        third = len(losses) // 3
        middle, last = (estimate_steps(part) for part in (losses[third : 2 * third], losses[2 * third :]))
        if third and last.high < middle.low:
            yield Advice(
                f"The loss of {name} fell from {middle.value:.3g} in the middle third of the steps to "
                f"{last.value:.3g} in the last third",
                "the last third's interval is below the middle third's",
                f"Train longer: --steps {2 * settings.steps}",
            )


def _of_images(run: Run, counts: Sequence[Mapping[str, Any]], moved: float) -> Iterator[Advice]:
    settings = run.settings
    if moved < _LEAST_CHANGE:
        yield Advice(
            f"Images before and after training differ by only {moved:.2f} of 255 on average",
            f"the difference is below {_LEAST_CHANGE:g}",
            f"Train longer or with a higher learning rate: --steps {2 * settings.steps}, or "
            f"--set learning_rate={2 * settings.learning_rate:g}",
        )
    supported = [row for row in counts if row["supported"]]
    for row in supported:
        if row["difference"] * _WORSE.get(row["measure"], 0) > 0:
            yield Advice(
                f"{row['measure']} got worse: {row['before']:.2f} before, {row['after']:.2f} after "
                f"(difference {row['low']:.2f} to {row['high']:.2f})",
                "a measure got worse, and the interval of its difference excludes 0",
                "Sample with the LoRA at half strength: sample --scale 0.5; or train for fewer steps: "
                f"--steps {max(1, settings.steps // 2)}",
            )
    if counts and not supported:
        prompts = max(row["n"] for row in counts)
        yield Advice(
            f"No difference between before and after was detected with {prompts} prompts",
            "no interval of a difference excludes 0; four times as many prompts halve its width",
            f"Compare more images: --images {4 * prompts}, or as many --prompts",
        )
