"""Checkpoints: everything that later steps depend on, in one atomically written safetensors file.

A new file is flushed to disk and then renamed atomically, so that a kill or a full disk leaves the previous
checkpoint intact. Each file has a version and a content digest: a damaged checkpoint is detected and the
previous one is used. Nothing is pickled.
"""

from __future__ import annotations

import hashlib
import json
import logging
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fairhuman.files import remove_partials, written_whole

__all__ = [
    "CHECKPOINTS",
    "digest",
    "latest_checkpoint",
    "load_checkpoint",
    "newest_readable",
    "save_checkpoint",
]

logger = logging.getLogger(__name__)

CHECKPOINTS, _TENSOR = "checkpoints", "__tensor__"
VERSION = 2
"""Version of the format; older files have neither version nor digest."""


def save_checkpoint(run: Path, step: int, state: dict[str, Any], keep: int) -> Path:
    """Write ``checkpoints/step-<step>.safetensors`` and remove all but the latest ``keep``.

    Args:
        run: The run folder.
        step: Completed steps.
        state: Nested dictionaries and lists of tensors and plain values.
        keep: Number of checkpoints to keep, ≥ 1.

    Raises:
        OSError: The checkpoint could not be written, for example on a full disk; earlier ones are unaffected.
    """
    folder = run / CHECKPOINTS
    path = folder / f"step-{step:08d}.safetensors"
    tensors: dict[str, Tensor] = {}
    plain = _flatten(state, "", tensors)
    try:
        with written_whole(path, durable=True) as partial:
            about = {"state": json.dumps(plain), "step": str(step), "version": str(VERSION)}
            save_file(tensors, partial, metadata=about | {"sha256": digest(about, tensors)})
    except (OSError, SafetensorError) as error:
        raise OSError(f"checkpoint: cannot write {path}: {error}; earlier ones are untouched") from error
    finally:
        remove_partials(folder)  # of an attempt that was killed
    for old in sorted(folder.glob("step-*.safetensors"))[:-keep]:
        old.unlink()
    return path


def latest_checkpoint(run: Path) -> Path | None:
    """The checkpoint with the most steps, if there is one."""
    return max((run / CHECKPOINTS).glob("step-*.safetensors"), default=None)


def newest_readable(run: Path) -> tuple[int, dict[str, Any]] | None:
    """Steps and state of the newest valid checkpoint, if there are any checkpoints.

    Damaged checkpoints are reported and renamed to ``*.damaged``.

    Raises:
        ValueError: There are checkpoints, but none is readable.
        NotImplementedError: As :func:`load_checkpoint`.
    """
    damaged: list[Path] = []
    for path in sorted((run / CHECKPOINTS).glob("step-*.safetensors"), reverse=True):
        try:
            found = load_checkpoint(path)
        except ValueError as error:
            logger.warning("%s", error)
            damaged.append(path)
            continue
        for one in damaged:
            one.rename(one.with_name(f"{one.name}.damaged"))
        return found
    if damaged:
        raise ValueError(
            f"checkpoint: none in {run / CHECKPOINTS} can be read; remove them to start at step 0"
        )
    return None


def load_checkpoint(path: Path) -> tuple[int, dict[str, Any]]:
    """Completed steps and saved state (dictionary keys as strings, tuples as lists).

    Raises:
        ValueError: The checkpoint is damaged.
        NotImplementedError: It was written by a later version of this library.
    """
    try:
        with safe_open(path, framework="pt") as file:
            about = file.metadata()
            if (version := int(about.get("version", 1))) > VERSION:
                raise NotImplementedError(f"checkpoint: {path}: version must be ≤ {VERSION}, got {version}")
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        stored = about.pop("sha256", None)
        if version > 1 and stored != digest(about, tensors):
            raise ValueError("its content is not what was written")
        return int(about["step"]), _restore(json.loads(about["state"]), tensors)
    except NotImplementedError:
        raise
    except Exception as error:
        raise ValueError(f"checkpoint: cannot read {path}: {error}") from error


def digest(about: dict[str, str], tensors: dict[str, Tensor]) -> str:
    """Digest of a file's metadata and tensors, to detect damage."""
    found = hashlib.sha256(json.dumps(about, sort_keys=True).encode())
    for name in sorted(tensors):
        tensor = tensors[name]
        found.update(f"{name} {tensor.dtype} {tuple(tensor.shape)} ".encode())
        found.update(tensor.contiguous().reshape(-1).view(torch.uint8).numpy())
    return found.hexdigest()


def _flatten(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        # A separate copy, because safetensors refuses tensors that share memory.
        tensors[path] = value.detach().cpu().clone(memory_format=torch.contiguous_format)
        return {_TENSOR: path}
    if isinstance(value, dict):
        return {str(key): _flatten(entry, f"{path}/{key}", tensors) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_flatten(entry, f"{path}/{index}", tensors) for index, entry in enumerate(value)]
    return value


def _restore(value: Any, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, dict):
        if _TENSOR in value:
            return tensors[value[_TENSOR]]
        return {key: _restore(entry, tensors) for key, entry in value.items()}
    if isinstance(value, list):
        return [_restore(entry, tensors) for entry in value]
    return value
