"""A run's folder: whose it is, its settings, its log, its result."""

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
# These change nothing of what is trained; of the inputs it is the content that counts.
_MAY_DIFFER = {
    *("output", "data", "heldout", "base", "tracker", "cache", "cache_folder", "skip_limit"),
    *("sample_every", "sample_count", "checkpoint_every", "checkpoint_minutes", "keep_checkpoints"),
}
# These may be what a run that failed needs to continue; it keeps a record of the change.
_AFTER_FAILURE = {
    *("learning_rate", "text_encoder_learning_rate", "steps", "accumulation", "gradient_checkpointing"),
}
_WAYS = ("from", "to")
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
        """One entry per step: ``step``, ``losses``, ``weights``, ``gramian`` (or None), ``timesteps``,
        ``present`` (images with each region), ``coverage`` (the share of the latent grid that the region
        takes, on average over these), ``finite``, ``learning_rate``, ``seconds``; with a rate of their
        own ``text_encoder_learning_rate``; with buckets ``size``, the height and width of the step's images.
        In a run of several processes, ``timesteps``, ``present`` and ``coverage`` are those of the first
        one's images."""
        return read_lines(self.directory / LOG_FILE)

    @property
    def changes(self) -> list[dict[str, Any]]:
        """Settings that changed after a failure: ``step`` from which, ``after`` which failure, and setting →
        value in ``from`` and ``to``. Empty for most runs."""
        return read_lines(self.directory / CHANGES_FILE)

    @property
    def failure(self) -> str | None:
        """How the run ended before its last step, where it diverged or ran out of memory."""
        path = self.directory / FAILURE_FILE
        return _object(path.read_text(errors="replace"), str(path)).get("reason") if path.is_file() else None

    @property
    def heldout(self) -> list[dict[str, Any]]:
        """One entry per measurement: ``step`` and ``errors``, region → one mean error per image."""
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
    """The whole lines of a JSON-lines file; none if there is no file.

    Raises:
        ValueError: A line is damaged; names it.
    """
    if not path.is_file():
        return []
    lines = path.read_text(errors="replace").split("\n")[:-1]  # what follows the last newline was cut short
    return [_object(line, f"{path}, line {number}") for number, line in enumerate(lines, 1)]


def _object(text: str, place: str) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise ValueError(f"run: {place} must be a JSON object, got {text[:80]!r}")
    return found


def check_output(
    settings: TrainSettings, inputs: Mapping[str, str] | None = None, *, may_change: bool = False
) -> str | None:
    """Why the output folder holds another run than this one, or ``None`` if it holds this one or nothing.

    Args:
        settings: The run to be made.
        inputs: Fingerprints of what it is made from; compared if given. The paths themselves don't count:
            a checkout may be moved.
        may_change: Whether it is the same run after a failure if only what may help has changed: learning
            rates, steps, and options that save memory.

    Raises:
        ValueError: The folder is a file, or holds something else than a run.
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
        file = path / INPUTS_FILE
        was = _object(file.read_text(errors="replace"), str(file)) if file.is_file() else {}
        for name, value in inputs.items():
            if was.get(name) != value and (name in was or name not in _SINCE):
                place = settings.data if name == "conditions" else getattr(settings, name)
                return f"its {name} was not what {place or 'the embedded one'} is now"
    return None


def changed_settings(there: TrainSettings, here: TrainSettings) -> dict[str, tuple[Any, Any]]:
    """Settings that decide a result and differ: name → value there and here."""
    theirs, ours = there.to_dict(), here.to_dict()
    differing = (name for name in ours if name not in _MAY_DIFFER and theirs[name] != ours[name])
    return {name: (theirs[name], ours[name]) for name in differing}


def write_settings(path: Path, settings: TrainSettings, inputs: Mapping[str, str], step: int = 0) -> None:
    """Make the run's folder, with its settings and the fingerprints of its inputs in it; a change of settings
    after a failure is recorded with the step from which it counts."""
    if (path / SETTINGS_FILE).is_file():
        run = Run.open(path)
        if changed := changed_settings(run.settings, settings):
            line: dict[str, Any] = {"step": step, "after": run.failure}
            line |= {key: {name: pair[i] for name, pair in changed.items()} for i, key in enumerate(_WAYS)}
            write_text(path / CHANGES_FILE, "".join(json.dumps(one) + "\n" for one in [*run.changes, line]))
    write_text(path / INPUTS_FILE, json.dumps(inputs) + "\n")
    write_text(path / SETTINGS_FILE, settings.to_yaml())


def remove_run(path: Path) -> None:
    """Remove what a run made, and nothing that somebody has put beside it: first the record of its inputs, so
    that nobody takes up what is half removed, and last its settings, without which it would be no run."""
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
    """Leave word in a run's folder where the block diverges or lacks memory: settings may change then."""
    try:
        yield
    except (FloatingPointError, MemoryError, torch.cuda.OutOfMemoryError) as error:
        reason = f"{type(error).__name__} at step {step()}: {error}"
        write_text(path / FAILURE_FILE, json.dumps({"reason": reason}) + "\n", shared=True)
        raise
