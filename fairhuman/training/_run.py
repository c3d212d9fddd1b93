"""A run's folder: its settings, log and result."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from fairhuman.files import LOCK, is_begun, write_text
from fairhuman.models.adapters import ADAPTERS
from fairhuman.training._checkpoint import CHECKPOINTS
from fairhuman.training._settings import TrainSettings

__all__ = ["Log", "Run", "changed_settings", "check_output", "noted_failures", "write_settings"]

SETTINGS_FILE, INPUTS_FILE = "settings.yaml", "inputs.json"
LOG_FILE, HELDOUT_FILE = "log.jsonl", "heldout.jsonl"
FAILURE_FILE, CHANGES_FILE = "failure.json", "changes.jsonl"
SAMPLES, MASKS_FILE, BUCKETS_FILE, CARD = "samples", "masks.jpg", "buckets.json", "README.md"
# These do not affect training; for inputs, only the content counts.
_MAY_DIFFER = {
    *("output", "data", "heldout", "base", "tracker", "cache", "cache_folder", "skip_limit"),
    *("sample_every", "sample_count", "checkpoint_every", "checkpoint_minutes", "keep_checkpoints"),
}
# A failed run may need to change these to continue; the change is recorded.
_AFTER_FAILURE = {"learning_rate", "steps", "accumulation", "gradient_checkpointing"}
_WAYS = ("from", "to")
_SINCE = {"conditions", "start", "experts"}  # inputs that older runs kept no fingerprint of


@dataclass(frozen=True)
class Run:
    """A finished or running training run.

    Attributes:
        directory: The run's folder.
        settings: Its settings.

    Example:
        ``Run.open("runs/quick/mpd").log[0]["weights"]`` are the weights of the first step.
    """

    directory: Path
    settings: TrainSettings

    @classmethod
    def open(cls, directory: str | os.PathLike[str]) -> Run:
        """Open the run in a folder.

        Raises:
            FileNotFoundError: The folder contains no run.
        """
        path = Path(directory)
        if not (path / SETTINGS_FILE).is_file():
            raise FileNotFoundError(f"run: {path} holds no {SETTINGS_FILE}")
        return cls(path, TrainSettings.from_yaml(path / SETTINGS_FILE))

    @property
    def weights(self) -> Path:
        """The adapter's weights, which exist once the run is complete. ``pipe.load_lora_weights`` reads a
        LoRA's folder; other adapters are read by their class's ``from_pretrained``."""
        return self.directory / ADAPTERS[self.settings.adapter].weights

    @property
    def complete(self) -> bool:
        """Whether all steps are done and the adapter is written."""
        return self.weights.is_file()

    @property
    def log(self) -> list[dict[str, Any]]:
        """One entry per step: ``step``, ``losses``, ``weights``, ``gramian`` (or None), ``timesteps``,
        ``present`` (images with each region), ``coverage`` (the region's mean fraction of the latent grid in
        these images), ``finite``, ``learning_rate``, ``seconds``; with buckets also ``size``, the height and
        width of the step's images. With several processes, ``timesteps``, ``present`` and ``coverage`` cover
        only the first process's images."""
        return read_lines(self.directory / LOG_FILE)

    @property
    def changes(self) -> list[dict[str, Any]]:
        """Settings changed after a failure: ``step`` of the change, ``after`` (the failure), and setting →
        value in ``from`` and ``to``. Empty for most runs."""
        return read_lines(self.directory / CHANGES_FILE)

    @property
    def failure(self) -> str | None:
        """The failure of a run that diverged or ran out of memory."""
        path = self.directory / FAILURE_FILE
        return json.loads(path.read_text())["reason"] if path.is_file() else None

    @property
    def heldout(self) -> list[dict[str, Any]]:
        """One entry per measurement: ``step`` and ``errors``, region → one mean error per image."""
        return read_lines(self.directory / HELDOUT_FILE)


class Log:
    """Append JSON lines, each flushed immediately so that a kill loses none.

    Args:
        path: The file.
        before: Lines of this step and later ones, and a truncated line, are removed first, because a resumed
            run repeats these steps.
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
    """The complete lines of a JSON-lines file; empty if the file does not exist."""
    if not path.is_file():
        return []
    lines = path.read_text().split("\n")
    return [json.loads(line) for line in lines[:-1]]  # what follows the last newline was cut short


def check_output(
    settings: TrainSettings, inputs: Mapping[str, str] | None = None, *, may_change: bool = False
) -> str | None:
    """Why the output folder contains a different run; ``None`` if it contains this run or nothing.

    Args:
        settings: The requested run.
        inputs: Fingerprints of its inputs, compared if given. Paths do not count, so that a checkout may be
            moved.
        may_change: Whether a failed run still counts as the same run if only the learning rate, steps or
            memory options have changed.

    Raises:
        ValueError: The path is a file, or the folder contains something other than a run.
    """
    path = Path(settings.output)
    if not is_begun(path, [SETTINGS_FILE], name="output", ignore=[INPUTS_FILE, LOCK]):
        return None  # nothing, or what a kill leaves before the settings are there
    run = Run.open(path)
    free = _AFTER_FAILURE if may_change and run.failure and not run.complete else set()
    for name, (there, here) in changed_settings(run.settings, settings).items():
        if name not in free:
            return f"{name} is {there!r} there, {here!r} here"
    if inputs is not None:
        was = json.loads((path / INPUTS_FILE).read_text()) if (path / INPUTS_FILE).is_file() else {}
        for name, value in inputs.items():
            if was.get(name) != value and (name in was or name not in _SINCE):
                place = settings.data if name == "conditions" else getattr(settings, name)
                return f"its {name} was not what {place or 'the embedded one'} is now"
    return None


def changed_settings(there: TrainSettings, here: TrainSettings) -> dict[str, tuple[Any, Any]]:
    """Result-relevant settings that differ: name → stored and requested value."""
    theirs, ours = there.to_dict(), here.to_dict()
    differing = (name for name in ours if name not in _MAY_DIFFER and theirs[name] != ours[name])
    return {name: (theirs[name], ours[name]) for name in differing}


def write_settings(path: Path, settings: TrainSettings, inputs: Mapping[str, str], step: int = 0) -> None:
    """Create the run's folder with its settings and input fingerprints; settings changed after a failure are
    recorded with the step."""
    if (path / SETTINGS_FILE).is_file():
        run = Run.open(path)
        if changed := changed_settings(run.settings, settings):
            line: dict[str, Any] = {"step": step, "after": run.failure}
            line |= {key: {name: pair[i] for name, pair in changed.items()} for i, key in enumerate(_WAYS)}
            write_text(path / CHANGES_FILE, "".join(json.dumps(one) + "\n" for one in [*run.changes, line]))
    write_text(path / INPUTS_FILE, json.dumps(inputs) + "\n")
    write_text(path / SETTINGS_FILE, settings.to_yaml())


def remove_run(path: Path) -> None:
    """Remove a run's own files and no others. Its input record goes first, so that a half-removed run is
    never resumed; its settings, which identify it as a run, go last."""
    adapter = Path(ADAPTERS[Run.open(path).settings.adapter].weights)
    made = [
        INPUTS_FILE,
        adapter.parts[0],
        CARD,
        LOG_FILE,
        HELDOUT_FILE,
        CHECKPOINTS,
        SAMPLES,
        MASKS_FILE,
        BUCKETS_FILE,
        FAILURE_FILE,
    ]
    for place in (path / name for name in [*made, CHANGES_FILE, SETTINGS_FILE]):
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        else:
            place.unlink(missing_ok=True)
    with suppress(OSError):  # not empty
        path.rmdir()


@contextmanager
def noted_failures(path: Path, step: Callable[[], int]) -> Iterator[None]:
    """Record in the run's folder if the block diverges or runs out of memory, after which settings may
    change."""
    try:
        yield
    except (FloatingPointError, MemoryError, torch.cuda.OutOfMemoryError) as error:
        reason = f"{type(error).__name__} at step {step()}: {error}"
        write_text(path / FAILURE_FILE, json.dumps({"reason": reason}) + "\n", shared=True)
        raise
