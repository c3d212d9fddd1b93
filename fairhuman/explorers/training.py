"""Training runs step by step: weights, losses, and samples at several β (notebooks 04 and 07)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import matplotlib.pyplot as plt
import numpy as np
import traitlets
from matplotlib.lines import Line2D

from fairhuman.experiments.dynamics import loss_curves
from fairhuman.experiments.figures import PAGE, colour, label
from fairhuman.experiments.strengths import BASE
from fairhuman.explorers._explorer import Explorer
from fairhuman.explorers._pictures import urls

if TYPE_CHECKING:
    from fairhuman.experiments.strengths import StrengthSample
    from fairhuman.training import Run

__all__ = ["TrainingExplorer"]

_LINES = 200
"""Approximate number of logged steps shown per run."""
_STYLES = ("-", "--", ":", "-.")


class TrainingExplorer(Explorer):
    """Several runs and the base, at a selectable step and β (Eq. 12).

    Args:
        runs: Name → a run with logged losses, weights and shares, and held-out losses.
        samples: From :func:`fairhuman.experiments.strengths.sample_strengths`; without any, no images are
            shown.
        limit: Maximum number of characters of the images in a notebook.
        step: Number of completed steps, from 0. Default: the last.
        beta: Adapter strength, ≥ 0; the nearest sampled value is shown.
        prompt: Index of the prompt.

    Raises:
        ValueError: There are no runs, or samples belong to an unknown run.
        traitlets.TraitError: A value is out of range.
    """

    name = "training"
    state = ("step", "beta", "prompt")
    data = ("runs", "samples", "prompts", "last")

    runs = traitlets.List().tag(sync=True)
    samples = traitlets.List().tag(sync=True)
    prompts = traitlets.List().tag(sync=True)
    last = traitlets.Int().tag(sync=True)

    step = traitlets.Int(0, min=0).tag(sync=True)
    beta = traitlets.Float(1.0, min=0.0).tag(sync=True)
    prompt = traitlets.Int(0, min=0).tag(sync=True)

    def __init__(
        self,
        runs: Mapping[str, Run],
        samples: Sequence[StrengthSample] = (),
        *,
        limit: int = 300_000,
        **start: Any,
    ) -> None:
        if not runs:
            raise ValueError("runs: at least one is needed, got none")
        strange = {one.run for one in samples} - {BASE, *runs}
        if strange:
            raise ValueError(f"samples: must be of {[BASE, *runs]}, got {sorted(strange)}")
        self._samples = list(samples)
        shown = [_run(name, run) for name, run in runs.items()]
        last = max([0, *(step for one in shown for step in _steps(one)), *(one.step for one in samples)])
        super().__init__(
            runs=shown,
            samples=[
                {"run": one.run, "step": one.step, "beta": one.beta, "prompt": one.prompt, "image": image}
                for one, image in zip(samples, urls([one.image for one in samples], limit), strict=True)
            ],
            prompts=list(dict.fromkeys(one.text for one in sorted(samples, key=lambda one: one.prompt))),
            last=last,
            **{"step": last} | start,
        )

    @traitlets.validate("step", "prompt")
    def _check(self, proposal: Any) -> int:
        name, value = proposal["trait"].name, proposal["value"]
        most = self.last if name == "step" else max(len(self.prompts) - 1, 0)
        if value > most:
            raise traitlets.TraitError(f"{name}: must be at most {most}, got {value}")
        return value

    def shown(self, run: str) -> StrengthSample | None:
        """The current sample of a run or of the base; None if there is none.

        Args:
            run: A run's name, or ``base``.
        """
        own = [one for one in self._samples if one.prompt == self.prompt]
        kept = [one for one in own if one.run == run and one.step <= self.step]
        if run != BASE and kept and self.beta > 0:
            reached = max(one.step for one in kept)
            return min(
                (one for one in kept if one.step == reached), key=lambda one: abs(one.beta - self.beta)
            )
        return next((one for one in own if one.run == BASE), None)

    def _drawn(self) -> plt.Figure:
        pictures = {name: self.shown(name) for name in (BASE, *(one["name"] for one in self.runs))}
        seen = {name: one for name, one in pictures.items() if one is not None}
        objectives = dict.fromkeys(one for run in self.runs for one in run["heldout"]["values"])
        wide = [1.8] if objectives or not seen else []
        figure, panels = plt.subplots(
            1, len(seen) + len(wide), figsize=(PAGE, 2.1), width_ratios=[1] * len(seen) + wide, squeeze=False
        )
        for panel, (name, one) in zip(panels[0], seen.items(), strict=False):
            panel.imshow(one.image)
            panel.set_title(label(name), fontsize=7)
            panel.set_axis_off()
        if not objectives:
            return figure
        panel, marks = panels[0][-1], [Line2D([], [], color=colour(one), label=one) for one in objectives]
        for run, line in zip(self.runs, _STYLES * len(self.runs), strict=False):
            for objective, values in run["heldout"]["values"].items():
                points = run["heldout"]["steps"], np.array(values, float)
                panel.plot(*points, line, color=colour(objective))
            marks.append(Line2D([], [], color="black", linestyle=line, label=label(run["name"])))
        panel.axvline(self.step, color="black", linewidth=0.6)
        panel.set(xlabel="step", ylabel="held-out loss / first")
        figure.legend(handles=marks, loc="outside lower right", ncols=len(marks))
        return figure


def _run(name: str, run: Run) -> dict[str, Any]:
    """A run in the browser's format."""
    log = [line for line in run.log if line["finite"]]
    log = [line for place, line in enumerate(log) if place % max(1, len(log) // _LINES) == 0]
    objectives = list(log[0]["losses"]) if log else []
    shares = [_shares(line) for line in log]
    found: dict[str, Any] = {
        "name": name,
        "label": label(name),
        "log": {
            "steps": [line["step"] for line in log],
            "losses": {one: [_number(line["losses"].get(one)) for line in log] for one in objectives},
            "weights": {one: [_number(line["weights"].get(one)) for line in log] for one in objectives},
            "shares": {one: [share.get(one) for share in shares] for one in objectives},
        },
        "heldout": {"steps": [], "values": {}},
    }
    if run.heldout:
        curves = loss_curves({name: run.heldout}).pivot(index="step", columns="objective", values="relative")
        found["heldout"] = {
            "steps": curves.index.tolist(),
            "values": {one: [_number(value) for value in curves[one]] for one in curves},
        }
    return found


def _steps(run: Mapping[str, Any]) -> list[int]:
    """Completed steps with logged values; a log line belongs to the following step."""
    return [*(step + 1 for step in run["log"]["steps"]), *run["heldout"]["steps"]]


def _shares(line: Mapping[str, Any]) -> dict[str, float | None]:
    """wᵢ‖gᵢ‖ as a fraction of their sum, if the Gram matrix is known."""
    if line["gramian"] is None:
        return {}
    weights = np.array([line["weights"].get(one) or 0.0 for one in line["losses"]])
    pull = weights * np.sqrt(np.diag(np.array(line["gramian"])))
    return dict(zip(line["losses"], map(_number, pull / pull.sum()), strict=True)) if pull.sum() > 0 else {}


def _number(value: float | None) -> float | None:
    """Round to five digits, which suffice for display; JSON has no NaN."""
    return None if value is None or not np.isfinite(value) else float(f"{value:.5g}")
