"""A run's folder: whose it is, its settings, its log, its result."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairhuman.files import is_begun, write_text
from fairhuman.models.adapters import ADAPTERS
from fairhuman.training._settings import TrainSettings

__all__ = ["Log", "Run", "check_output", "write_settings"]

SETTINGS_FILE, INPUTS_FILE = "settings.yaml", "inputs.json"
LOG_FILE, HELDOUT_FILE = "log.jsonl", "heldout.jsonl"
# These change nothing of what is trained; of the inputs it is the content that counts.
_MAY_DIFFER = {"output", "keep_checkpoints", "data", "heldout", "base", "tracker"}
_SINCE = {"conditions", "start", "experts"}  # inputs that older runs kept no fingerprint of


@dataclass(frozen=True)
class Run:
    """A finished or running training run.

    Attributes:
        directory: The run's folder.
        settings: What it was asked to do.

    Example:
        ``Run.open("runs/quick/mpd").log[0]["weights"]`` are the weights of the first step.
    """

    directory: Path
    settings: TrainSettings

    @classmethod
    def open(cls, directory: str | os.PathLike[str]) -> Run:
        """The run in a folder.

        Raises:
            FileNotFoundError: The folder holds no run.
        """
        path = Path(directory)
        if not (path / SETTINGS_FILE).is_file():
            raise FileNotFoundError(f"run: {path} holds no {SETTINGS_FILE}")
        return cls(path, TrainSettings.from_yaml(path / SETTINGS_FILE))

    @property
    def weights(self) -> Path:
        """The adapter's weights; they exist once the run is complete. A LoRA's folder is what
        ``pipe.load_lora_weights`` reads, another adapter's what its class's ``from_pretrained`` reads."""
        return self.directory / ADAPTERS[self.settings.adapter].weights

    @property
    def complete(self) -> bool:
        """Whether the last step has been made and the adapter written."""
        return self.weights.is_file()

    @property
    def log(self) -> list[dict[str, Any]]:
        """One entry a step: ``step``, ``losses``, ``weights``, ``gramian`` (or None), ``timesteps``,
        ``present`` (images with each region), ``finite``, ``learning_rate``, ``seconds``. In a run of several
        processes, ``timesteps`` and ``present`` are those of the first one's images."""
        return read_lines(self.directory / LOG_FILE)

    @property
    def heldout(self) -> list[dict[str, Any]]:
        """One entry a measurement: ``step`` and ``errors``, region → one mean error an image."""
        return read_lines(self.directory / HELDOUT_FILE)


class Log:
    """Appends JSON lines, each handed to the system as soon as it is written: a kill loses none.

    Args:
        path: The file.
        before: Lines of this step and later ones, and a line cut short, are dropped first: they belong
            to steps that a resumed run makes again.
    """

    def __init__(self, path: Path, before: int) -> None:
        kept = [line for line in read_lines(path) if line["step"] < before]
        write_text(path, "".join(json.dumps(line) + "\n" for line in kept))
        self._file = path.open("a")

    def write(self, line: Mapping[str, Any]) -> None:
        """Append one line."""
        self._file.write(json.dumps(line) + "\n")
        self._file.flush()

    def close(self) -> None:
        """Close the file."""
        self._file.close()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The whole lines of a JSON-lines file; none if there is no file."""
    if not path.is_file():
        return []
    lines = path.read_text().split("\n")
    return [json.loads(line) for line in lines[:-1]]  # what follows the last newline was cut short


def check_output(settings: TrainSettings, inputs: Mapping[str, str] | None = None) -> str | None:
    """Why the output folder holds another run than this one, or ``None`` if it holds this one or nothing.

    Args:
        settings: The run to be made.
        inputs: Fingerprints of what it is made from; compared if given. The paths themselves don't count:
            a checkout may be moved.

    Raises:
        ValueError: The folder is a file, or holds something else than a run.
    """
    path = Path(settings.output)
    if not is_begun(path, [SETTINGS_FILE], name="output", ignore=[INPUTS_FILE]):
        return None  # nothing, or what a kill leaves before the settings are there
    there, here = Run.open(path).settings.to_dict(), settings.to_dict()
    for name in here:
        if name not in _MAY_DIFFER and there[name] != here[name]:
            return f"{name} is {there[name]!r} there, {here[name]!r} here"
    if inputs is not None:
        was = json.loads((path / INPUTS_FILE).read_text()) if (path / INPUTS_FILE).is_file() else {}
        for name, value in inputs.items():
            if was.get(name) != value and (name in was or name not in _SINCE):
                place = settings.data if name == "conditions" else getattr(settings, name)
                return f"its {name} was not what {place or 'the embedded one'} is now"
    return None


def write_settings(path: Path, settings: TrainSettings, inputs: Mapping[str, str]) -> None:
    """Make the run's folder, with its settings and the fingerprints of its inputs in it."""
    write_text(path / INPUTS_FILE, json.dumps(inputs) + "\n")
    write_text(path / SETTINGS_FILE, settings.to_yaml())
