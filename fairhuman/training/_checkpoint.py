"""Checkpoints: everything that later steps depend on, in one safetensors file that appears whole.

A single file replaces its predecessor in one atomic rename, after it has reached the disk: a kill or a
full disk while writing leaves the previous checkpoint as it was. Nothing is pickled.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from fairhuman.files import remove_partials, written_whole

__all__ = ["latest_checkpoint", "load_checkpoint", "save_checkpoint"]

_FOLDER, _TENSOR = "checkpoints", "__tensor__"


def save_checkpoint(run: Path, step: int, state: dict[str, Any], keep: int) -> Path:
    """Write ``checkpoints/step-<step>.safetensors`` and remove all but the latest ``keep``.

    Args:
        run: The run's folder.
        step: Steps done.
        state: Nested dictionaries and lists of tensors and plain values.
        keep: Number of checkpoints to keep, ≥ 1.

    Raises:
        OSError: It could not be written, as on a full disk; earlier checkpoints are as they were.
    """
    folder = run / _FOLDER
    path = folder / f"step-{step:08d}.safetensors"
    tensors: dict[str, Tensor] = {}
    plain = _flatten(state, "", tensors)
    try:
        with written_whole(path, durable=True) as partial:
            save_file(tensors, partial, metadata={"state": json.dumps(plain), "step": str(step)})
    except (OSError, SafetensorError) as error:
        raise OSError(f"checkpoint: cannot write {path}: {error}; earlier ones are untouched") from error
    finally:
        remove_partials(folder)  # of an attempt that was killed
    for old in sorted(folder.glob("step-*.safetensors"))[:-keep]:
        old.unlink()
    return path


def latest_checkpoint(run: Path) -> Path | None:
    """The checkpoint with the most steps, if there is one."""
    return max((run / _FOLDER).glob("step-*.safetensors"), default=None)


def load_checkpoint(path: Path) -> tuple[int, dict[str, Any]]:
    """Steps done and the state that was saved (keys of dictionaries as strings, tuples as lists)."""
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        return int(metadata["step"]), _restore(json.loads(metadata["state"]), tensors)
    except Exception as error:
        raise ValueError(f"checkpoint: cannot read {path}: {error}") from error


def _flatten(value: Any, path: str, tensors: dict[str, Tensor]) -> Any:
    if isinstance(value, Tensor):
        # A copy of its own: safetensors refuses tensors that share memory.
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
