"""Training, evaluation and storage of one setting and seed at a time; stored results are not recomputed."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from fairhuman.experiments.ablations._budget import Budget, plan_of
from fairhuman.experiments.ablations._inputs import VISIBLE_SEED, inputs_of, trained_by
from fairhuman.experiments.ablations._named import Setting, find_settings, find_table
from fairhuman.profiles import results_directory, run_directory
from fairhuman.results import read_result, write_result

if TYPE_CHECKING:
    from fairhuman.data import HumanFolder, HumanRecord
    from fairhuman.training import Examples, Run

__all__ = ["DIVERGED", "FOLDER", "Ablations", "code_of", "planned", "result_name"]

FOLDER = "ablations"
"""Folder of the results and of the runs, below the profile's."""

DIVERGED = "diverged"
"""The only value of a run that could not be trained: the error."""

logger = logging.getLogger(__name__)


def result_name(setting: Setting, seed: int) -> str:
    """Name of the result of a setting and seed, as :func:`fairhuman.results.read_result` takes it."""
    return f"{FOLDER}/{setting.name}-seed{seed if setting.trained else 0}"


def code_of(result: Mapping[str, Any]) -> str:
    """The code that produced a result: its digest, or the commit for results without one."""
    code = result["parameters"].get("code")
    return code or f"commit {str(result['provenance']['commit'])[:8]}"


def planned(profile: str) -> dict[str, tuple[str, int]]:
    """All results required by a profile's tables: name → setting and seed, ordered by seed."""
    plan = plan_of(profile)
    names = [name for table in plan["tables"] for name in find_table(table).settings]
    pairs = [(setting, seed) for seed in plan["seeds"] for setting in find_settings(names)]
    wanted = {}
    for setting, seed in pairs:
        wanted.setdefault(result_name(setting, seed), (setting.name, seed))
    return wanted


class Ablations:
    """A profile's ablations.

    Args:
        profile: Profile with the folders of runs and results.
        budget: Shared budget of all settings.

    Example:
        ``for name, seconds in Ablations("full", budget).compute(settings, [0, 1, 2]): print(name, seconds)``
    """

    def __init__(self, profile: str, budget: Budget) -> None:
        from fairhuman.training import Encodings

        self.profile, self.budget = profile, budget
        self._heldout: dict[tuple[str, ...], Examples] = {}
        self._encodings = Encodings()  # runs of one seed see the same images

    def heldout_captions(self) -> list[str]:
        """Captions of the held-out set, in order."""
        return self._examples(()).data.captions

    def heldout_records(self) -> list[HumanRecord]:
        """The held-out images with their annotation, in order."""
        return list(self._examples(()).data.records)

    def heldout_folder(self, conditions: tuple[str, ...]) -> HumanFolder:
        """The held-out set with these conditions."""
        return self._examples(conditions).data

    def state(self, setting: Setting, seed: int) -> str:
        """``stored``, ``missing``, ``outdated`` (stored, but made from other inputs), or ``older code``: made
        from the same inputs by code that has changed since."""
        try:
            found = read_result(self.profile, result_name(setting, seed))["parameters"]
        except FileNotFoundError:
            return "missing"
        if found["inputs"] == self._inputs(setting, seed):
            return "stored"
        code = found.get("code")
        same = code is not None and found["inputs"] == self._inputs(setting, seed, code)
        return "older code" if same else "outdated"

    def left(
        self, settings: Sequence[Setting], seeds: Sequence[int], *, older: bool = False
    ) -> list[tuple[Setting, int]]:
        """Missing results, ordered by seed, so that an interrupted session leaves complete comparisons.

        Args:
            settings, seeds: Requested results.
            older: Whether to keep results of older code; tables then state that versions are mixed.
        """
        first, kept = min(seeds), ("stored", "older code") if older else ("stored",)
        wanted = [(s, seed) for seed in seeds for s in settings if s.trained or seed == first]
        return [(s, seed) for s, seed in wanted if self.state(s, seed) not in kept]

    def compute(
        self, settings: Sequence[Setting], seeds: Sequence[int], *, older: bool = False
    ) -> Iterator[tuple[str, float]]:
        """Compute missing results; yields the name and the seconds of each after it is stored.

        An interrupted training run resumes. All settings are checked before the first is trained. Divergence
        is stored as a result and does not stop the others.

        Args:
            settings, seeds, older: As for :meth:`left`.

        Raises:
            ValueError: A setting's values are inconsistent, or there are no seeds.
        """
        if not seeds:
            raise ValueError("seeds: there must be at least one")
        for setting in settings:
            if setting.trained:
                self.budget.settings(setting, seeds[0], Path("run"))
        for setting, seed in self.left(settings, seeds, older=older):
            start = time.perf_counter()
            try:
                self._one(setting, seed)
            except FloatingPointError as error:
                logger.error("%s, seed %d, diverged: %s", setting.name, seed, error)
                self._write(setting, seed, {DIVERGED: str(error)}, {"inputs": self._inputs(setting, seed)})
            yield result_name(setting, seed), time.perf_counter() - start

    def _one(self, setting: Setting, seed: int) -> None:
        inputs = self._inputs(setting, seed)
        twin = self.twin(inputs)
        if twin is not None:
            self.repeat(result_name(setting, seed), twin, seed)
            return
        run = self.train(setting, seed) if setting.trained else None
        values = self._measure(run) | ({} if run is None else _logged(run))
        parameters = {"inputs": inputs} | ({} if run is None else _settings(run))
        parameters["heldout_images"], parameters["draws"] = self.budget.heldout_images, self.budget.draws
        self._write(setting, seed, values, parameters)

    def repeat(self, name: str, twin: Mapping[str, Any], seed: int) -> None:
        """Store a copy of a result under another name, with the original provenance."""
        logger.info("%s: the same as %s", name, twin["name"])
        parameters = twin["parameters"] | {"same_as": twin["name"]}
        write_result(
            self.profile,
            name,
            twin["values"],
            parameters=parameters,
            samples=twin["samples"],
            seed=seed,
            made=twin["provenance"],
        )

    def _write(self, setting: Setting, seed: int, values: dict[str, Any], parameters: dict[str, Any]) -> None:
        samples = len(values["losses"]["global"]) if "losses" in values else 1
        name, parameters = result_name(setting, seed), parameters | {"code": trained_by()}
        write_result(self.profile, name, values, parameters=parameters, samples=samples, seed=seed)

    def _inputs(self, setting: Setting, seed: int, code: str | None = None) -> str:
        return inputs_of(self.budget, setting, seed if setting.trained else VISIBLE_SEED, code)

    def twin(self, inputs: str) -> dict[str, Any] | None:
        """A stored result with identical inputs under any name; None if there is none."""
        for path in sorted((results_directory(self.profile) / FOLDER).glob("*.json")):
            found = read_result(self.profile, f"{FOLDER}/{path.stem}")
            if found["parameters"]["inputs"] == inputs:
                return found
        return None

    def train(self, setting: Setting, seed: int) -> Run:
        """The run of a setting and seed: made, taken up, or read if it is complete."""
        from fairhuman.training import train

        output = run_directory(self.profile, FOLDER) / f"{setting.name}-seed{seed}"
        return train(self.budget.settings(setting, seed, output), replace=True, encodings=self._encodings)

    def network(self, run: Run | None) -> tuple[Any, Any]:
        """A pipeline with a run's adapter, or the base alone; and what predicts: an adapter, or the UNet."""
        from fairhuman.models import load_base
        from fairhuman.models.adapters import ADAPTERS

        pipeline = load_base(self.budget.base)
        if run is None:
            return pipeline, pipeline.unet
        return pipeline, ADAPTERS[run.settings.adapter].load(pipeline, run.directory)

    def _measure(self, run: Run | None) -> dict[str, Any]:
        """Losses of each held-out image and region, the same noise for all."""
        from fairhuman.training import heldout_errors

        _, network = self.network(run)
        examples = self._examples(() if run is None else run.settings.conditions or ())
        found = heldout_errors(network, examples, images=self.budget.heldout_images, draws=self.budget.draws)
        return {"losses": {name: _rounded(found.per_image(name)) for name in found.errors}}

    def _examples(self, conditions: tuple[str, ...]) -> Examples:
        """The held-out set, encoded once per session."""
        if conditions not in self._heldout:
            from fairhuman.data import HumanFolder, JointTransform
            from fairhuman.models import load_base
            from fairhuman.training import Examples

            folder = HumanFolder(self.budget.heldout, self.budget.measured, conditions)
            transform = JointTransform(self.budget.resolution)
            self._heldout[conditions] = Examples(load_base(self.budget.base), folder, transform)
        return self._heldout[conditions]


def _logged(run: Run) -> dict[str, Any]:
    """Log summary of a run: time per step, weights, skipped steps."""
    log = run.log
    names = list(dict.fromkeys(name for line in log for name in line["losses"]))
    weights = {name: [line["weights"].get(name, np.nan) for line in log] for name in names}
    return {
        "steps": len(log),
        "seconds": sum(line["seconds"] for line in log),
        "seconds_a_step": float(np.median([line["seconds"] for line in log])),
        "skipped": sum(not line["finite"] for line in log),
        "median_weights": {name: float(np.nanmedian(values)) for name, values in weights.items()},
    }


def _settings(run: Run) -> dict[str, Any]:
    return {"settings": {name: value for name, value in run.settings.facts.items() if name != "base"}}


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]
