"""Published weights: locating them, and loading them without running their code."""

from __future__ import annotations

import os
import pickle
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor


class MissingWeights(FileNotFoundError):
    """A model's weights are neither at the given path nor in the hub's cache."""


@dataclass(frozen=True)
class Published:
    """Files of one revision of a repository on the Hugging Face hub.

    Attributes:
        repository: Name of the repository.
        revision: Commit to use.
        files: Required files.
        megabytes: Their size, for messages.
    """

    repository: str
    revision: str
    files: tuple[str, ...]
    megabytes: int


def find(published: Published, local: str | os.PathLike[str] | None, download: bool) -> Path:
    """The folder that holds the files.

    Args:
        published: Files to find.
        local: A folder with the files under their published names. Default: the hub's cache.
        download: Download files missing in the cache.

    Raises:
        MissingWeights: A file is missing; the message names it and explains how to get it.
    """
    if local is not None:
        folder = Path(local)
        for name in published.files:
            if not (folder / name).is_file():
                raise MissingWeights(f"weights: no file {name} in {folder}; {_how(published)}")
        return folder
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    place = ""
    for name in published.files:
        try:
            place = hf_hub_download(
                published.repository, name, revision=published.revision, local_files_only=not download
            )
        except (LocalEntryNotFoundError, HfHubHTTPError, OSError) as error:
            why = "could not be downloaded" if download else "is not in the hub's cache"
            raise MissingWeights(f"weights: {name} {why}; {_how(published)}") from error
    return Path(place).parent


def read_state(path: Path) -> dict[str, Tensor]:
    """Name → tensor of a checkpoint: safetensors, or a PyTorch file read with ``weights_only``.

    A mapping ``state_dict`` inside it, as open_clip's trainer writes, is unwrapped.

    Raises:
        ValueError: Not such a file; names it.
    """
    if path.suffix == ".safetensors":
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        try:
            return load_file(path)
        except SafetensorError as error:
            raise ValueError(f"weights: {path} is not a safetensors file: {error}") from error
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (pickle.UnpicklingError, RuntimeError, EOFError, ValueError) as error:
        raise ValueError(f"weights: {path} cannot be read as plain tensors: {error}") from error
    state = content.get("state_dict", content) if isinstance(content, dict) else content
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ValueError(f"weights: {path} must hold a mapping of names to tensors")
    return {name.removeprefix("module."): value for name, value in state.items()}


def fill(module: torch.nn.Module, state: dict[str, Tensor], what: str) -> None:
    """Load the module's weights, which must match exactly.

    Raises:
        ValueError: Weights are missing, left over or of another shape; the message names them.
    """
    try:
        module.load_state_dict({name: value.float() for name, value in state.items()})
    except RuntimeError as error:
        raise ValueError(f"weights: not those of {what}: {error}") from error
    module.eval().requires_grad_(False)


def _how(published: Published) -> str:
    files = ", ".join(published.files)
    return (
        f"it is part of {published.repository} at revision {published.revision[:10]} on the Hugging Face hub "
        f"({files}; about {published.megabytes} MB): name a folder that holds these files, or allow download"
    )
