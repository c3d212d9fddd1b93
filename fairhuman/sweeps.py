"""Sweeps: the same training over adapters, strategies, ranks and seeds, spread over machines by Snakemake.

A sweep is a file ``params/sweeps/<name>.yaml``. ``Snakefile.sweeps`` makes every member a job of its own; a
job that was killed goes on where its last checkpoint left it. See :func:`Sweep.compare` for what comes out.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fairhuman.experiments.ablations import crossed_mean
from fairhuman.profiles import checkout, unknown, workspace
from fairhuman.results import write_result
from fairhuman.training import Run, TrainSettings, train
from fairhuman.training._run import check_output
from fairhuman.training._values import read_settings

__all__ = ["AXES", "Sweep"]

AXES = ("adapter", "strategy", "rank", "seed")
"""What is varied; also the wildcards of ``Snakefile.sweeps``."""
_RANKED = ("lora", "mole")
_KEYS = ("vary", "reference", "shared", "by_adapter")
_PLACES = ("data", "heldout")


@dataclass(frozen=True)
class Sweep:
    """One sweep.

    Attributes:
        name: The file's stem.
        vary: Axis → values, for each of :data:`AXES`.
        reference: The strategy that the others are compared with.
        shared: Settings that all members have.
        by_adapter: Adapter → settings that its members have in their place.
    """

    name: str
    vary: Mapping[str, Sequence[Any]]
    reference: str
    shared: Mapping[str, Any]
    by_adapter: Mapping[str, Mapping[str, Any]]

    @classmethod
    def open(cls, name: str) -> Sweep:
        """Read ``params/sweeps/<name>.yaml``; every member's settings are checked.

        Raises:
            ValueError: No such file, an unknown key or axis, or settings that contradict each other.
        """
        folder = (checkout() or Path.cwd()) / "params" / "sweeps"
        path = folder / f"{name}.yaml"
        if not path.is_file():
            raise ValueError(f"sweep: {unknown(name, sorted(p.stem for p in folder.glob('*.yaml')))}")
        content = read_settings(path)
        for key in content:
            if key not in _KEYS:
                raise ValueError(f"{path}: {unknown(key, _KEYS)}")
        for key in _KEYS[:-1]:
            if key not in content:
                raise ValueError(f"{path}: {key!r} is missing")
        vary, by_adapter = content["vary"], content.get("by_adapter") or {}
        if set(vary) != set(AXES) or not all(vary.values()):
            raise ValueError(f"{path}: vary must give values for {', '.join(AXES)}, found {sorted(vary)}")
        for axis, values in vary.items():
            if not isinstance(values, list) or len(set(values)) != len(values):
                raise ValueError(f"{path}: vary.{axis} must be a list of distinct values, found {values!r}")
        for adapter in by_adapter:
            if adapter not in vary["adapter"]:
                raise ValueError(f"{path}: by_adapter {unknown(adapter, vary['adapter'])}")
        for key in _PLACES:
            if key not in content["shared"]:
                raise ValueError(f"{path}: shared must name {key}, found {sorted(content['shared'])}")
        sweep = cls(name, vary, content["reference"], content["shared"], by_adapter)
        if sweep.reference not in vary["strategy"]:
            raise ValueError(f"{path}: reference {unknown(sweep.reference, vary['strategy'])}")
        for member in sweep.members():
            sweep.settings(**member)
        return sweep

    def members(self) -> list[dict[str, Any]]:
        """Axis → value of each run; adapters without a rank have rank 0, once."""
        found = []
        for values in itertools.product(*(self.vary[axis] for axis in AXES)):
            member = dict(zip(AXES, values, strict=True))
            if member["adapter"] not in _RANKED:
                member["rank"] = 0
            if member not in found:
                found.append(member)
        return found

    def folder(self, adapter: str, strategy: str, rank: int, seed: int) -> Path:
        """Where a member's run lies."""
        return (
            workspace() / "runs" / "sweeps" / self.name / adapter / strategy / f"rank{rank}" / f"seed{seed}"
        )

    def settings(self, adapter: str, strategy: str, rank: int, seed: int) -> TrainSettings:
        """A member's settings."""
        given = dict(self.shared) | dict(self.by_adapter.get(adapter, {}))
        for place in _PLACES:
            given[place] = str(workspace() / given[place])
        given |= {"adapter": adapter, "strategy": strategy, "seed": int(seed)}
        given |= {"rank": int(rank)} if adapter in _RANKED else {}
        output = self.folder(adapter, strategy, rank, seed)
        return TrainSettings.from_mapping(given | {"output": str(output)}, f"sweep {self.name}")

    def train(self, adapter: str, strategy: str, rank: int, seed: int) -> Path:
        """Train one member, or go on with it.

        Returns:
            The file ``finished`` in its folder, which tells Snakemake.

        Raises:
            ValueError: The sweep has no such member.
        """
        member = {"adapter": adapter, "strategy": strategy, "rank": rank, "seed": seed}
        if member not in self.members():
            raise ValueError(f"member: must be one of sweep {self.name}, got {member}")
        run = train(self.settings(adapter, strategy, rank, seed), progress=False)
        finished = run.directory / "finished"
        finished.touch()
        return finished

    def compare(self) -> Path:
        """Held-out losses after the last step, and differences from the reference strategy, each with an
        interval for other seeds and other images (see :func:`fairhuman.experiments.ablations.crossed_mean`).

        Returns:
            ``results/sweeps/<name>.json``.

        Raises:
            FileNotFoundError: A member that has not been trained to its end.
            ValueError: A member that was trained with other settings than the sweep's.
        """
        rows, losses = [], {}
        for member in self.members():
            run = Run.open(self.folder(**member))
            if not run.complete:
                raise FileNotFoundError(f"run: {run.directory} is not complete")
            if other := check_output(self.settings(**member)):
                raise ValueError(f"run: {run.directory} is another than sweep {self.name} has: {other}")
            losses[tuple(member.values())] = run.heldout[-1]
        seeds = self.vary["seed"]
        groups = dict.fromkeys(key[:3] for key in losses)
        for adapter, strategy, rank in groups:
            for region in losses[adapter, strategy, rank, seeds[0]]["errors"]:
                found = _table(losses, (adapter, strategy, rank), seeds, region)
                about = {"adapter": adapter, "rank": rank, "strategy": strategy, "region": region}
                steps = [losses[adapter, strategy, rank, seed]["step"] for seed in seeds]
                rows.append(about | {"reference": None, "steps": steps} | crossed_mean(found).stored())
                if strategy != self.reference:
                    other = _table(losses, (adapter, self.reference, rank), seeds, region)
                    change = crossed_mean(found - other).stored()
                    rows.append(about | {"reference": self.reference, "steps": steps} | change)
        images = len(next(iter(losses.values()))["errors"]["global"])
        parameters = {"vary": self.vary, "shared": self.shared, "by_adapter": self.by_adapter}
        return write_result(
            "sweeps", self.name, {"rows": rows}, parameters=parameters, samples=images * len(seeds), seed=0
        )


def _table(
    losses: Mapping[tuple[Any, ...], Mapping[str, Any]],
    group: tuple[Any, ...],
    seeds: Sequence[int],
    region: str,
) -> np.ndarray:
    """Losses of shape (seeds, images); NaN where an image lacks the region."""
    rows = [losses[(*group, seed)]["errors"][region] for seed in seeds]
    return np.array([[np.nan if value is None else value for value in row] for row in rows])
