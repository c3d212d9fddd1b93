"""The budget shared by all settings of an ablation, so that results reflect only their differences."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from fairhuman.experiments.ablations._named import SETTINGS, Setting
from fairhuman.models.adapters import kinds_with
from fairhuman.profiles import load_profile, run_directory, unknown
from fairhuman.regions import REGIONS
from fairhuman.training import TrainSettings

__all__ = ["NOTEBOOK", "Budget", "plan_of"]

NOTEBOOK = "07_ablations"
"""Its parameters are a profile's budget."""


def plan_of(profile: str) -> dict[str, Any]:
    """Parameters of notebook 07 in a profile."""
    from fairhuman.workflow import parameter_defaults

    return parameter_defaults(NOTEBOOK) | load_profile(profile).parameters(NOTEBOOK)


@dataclass(frozen=True, kw_only=True)
class Budget:
    """An equal budget for every setting.

    Attributes:
        data, heldout: Folders of the training and of the held-out set.
        base: Folder of a base; ``None`` selects the embedded base.
        resolution, steps, batch_size, rank, learning_rate, flip, precision: As in
            :class:`fairhuman.training.TrainSettings`.
        heldout_images: Number of held-out images for losses, from the start; they are the pairs behind
            intervals.
        draws: Noised versions of each image.
        prompts: Held-out captions that :func:`fairhuman.experiments.ablations.sample_settings` samples.
        sampling_steps, guidance: Settings of these samples.
        measured: Regions to measure, regardless of the training regions.
        checkpoint_every: Steps between checkpoints.
        by_adapter: Adapter kind → fields of ``TrainSettings`` that its runs override, such as more steps for
            a ControlNet.
    """

    data: Path
    heldout: Path
    base: str | None = None
    resolution: int = 256
    steps: int = 1000
    batch_size: int = 4
    rank: int = 38
    learning_rate: float = 3e-4
    flip: float = 0.5
    precision: str = "no"
    heldout_images: int = 256
    draws: int = 4
    prompts: int = 0
    sampling_steps: int = 30
    guidance: float = 4.0
    measured: tuple[str, ...] = REGIONS
    checkpoint_every: int = 100
    by_adapter: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, least in (("heldout_images", 1), ("draws", 1), ("prompts", 0), ("sampling_steps", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name}: must be ≥ {least}, got {getattr(self, name)}")
        object.__setattr__(self, "measured", tuple(self.measured))
        kinds = {setting.adapter for setting in SETTINGS.values()}
        for kind in self.by_adapter:
            if kind not in kinds:
                raise ValueError(f"by_adapter: {unknown(kind, sorted(kinds))}")
        for name in ("data", "heldout"):
            object.__setattr__(self, name, Path(getattr(self, name)))

    @classmethod
    def of_profile(cls, profile: str, values: Mapping[str, Any] | None = None) -> Budget:
        """The budget of a profile: the parameters of notebook 07 with the profile's changes.

        Args:
            profile: Name of a parameter file.
            values: Overrides of the notebook's parameters.
        """
        values = plan_of(profile) if values is None else values
        fields = {one.name for one in dataclasses.fields(cls)} - {"data", "heldout"}
        humans = run_directory(profile, "humans")
        given = {name: value for name, value in values.items() if name in fields}
        return cls(data=humans / "train", heldout=humans / "heldout", **given)

    def changed(self, changes: Mapping[str, Any]) -> Budget:
        """A changed budget; unknown names are refused."""
        known = [one.name for one in dataclasses.fields(self)]
        for name in changes:
            if name not in known:
                raise ValueError(f"budget: {unknown(name, known)}")
        return dataclasses.replace(self, **changes)

    def settings(self, setting: Setting, seed: int, output: Path) -> TrainSettings:
        """The settings of a training run for a setting and seed.

        Raises:
            ValueError: The setting is not trained, or its values are inconsistent.
        """
        if not setting.trained:
            raise ValueError(f"setting: {setting.name!r} is not trained")
        shared: dict[str, Any] = {
            "data": str(self.data),
            "output": str(output),
            "base": self.base,
            "resolution": self.resolution,
            "steps": self.steps,
            "batch_size": self.batch_size,
            "learning_rate": self.learning_rate,
            "flip": self.flip,
            "precision": self.precision,
            "optimizer": "adam",
            "checkpoint_every": self.checkpoint_every,
            "seed": seed,
        }
        if setting.adapter in kinds_with("rank"):
            shared["rank"] = self.rank
        shared |= self.by_adapter.get(setting.adapter, {})
        shared["steps"] = round(setting.longer * shared["steps"])
        return TrainSettings.from_mapping({**shared, **setting.changes}, f"setting {setting.name}")
