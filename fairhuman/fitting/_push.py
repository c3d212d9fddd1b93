"""Upload of a trained adapter to the Hugging Face hub, with model card and samples, on request only."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any, Final

import numpy as np

from fairhuman.files import write_text
from fairhuman.fitting._fit import AFTER, CONFIGURATION, RUN
from fairhuman.models.adapters import ADAPTERS
from fairhuman.settings import require
from fairhuman.training import Run

__all__ = ["push"]

_CARD, _SAMPLES = "README.md", "samples"
_SHOWN: Final = 12


def push(
    source: str | os.PathLike[str],
    repository: str,
    *,
    samples: str | os.PathLike[str] | None = None,
    private: bool = True,
) -> str:
    """Upload an adapter, its card and samples with ``huggingface_hub.upload_folder``, as one commit.

    Nothing else is uploaded: no photographs, annotations, logs, settings or checkpoints. Other files in the
    repository are kept. ``huggingface_hub`` finds the token, from ``hf auth login`` or ``HF_TOKEN``.

    Args:
        source: Folder of a finished run or of :func:`fairhuman.fitting.fit`.
        repository: ``owner/name``; created if missing.
        samples: Folder of images generated with it by :func:`fairhuman.sampling.sample`; up to twelve are
            shown with their prompts. Default: a fit's images after training, with its sheets and counts;
            otherwise none.
        private: Whether a new repository is private.

    Returns:
        The commit's URL.

    Raises:
        FileNotFoundError: The run or the samples are missing.
        ValueError: The run is incomplete, the name is invalid, or there is no token. Nothing is sent then.
        RuntimeError: The hub rejected the upload or is unreachable.
    """
    from huggingface_hub import HfApi, get_token
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    from huggingface_hub.utils import validate_repo_id

    source, fitted = Path(source), None
    if (source / CONFIGURATION).is_file():
        source, fitted = source / RUN, source
        samples = fitted / AFTER if samples is None else samples
    run = Run.open(source)
    require("source", run.complete, "must be a finished run", str(source))
    try:
        validate_repo_id(repository)
    except HFValidationError as error:
        raise ValueError(f"repository: {error}") from error
    require("repository", repository.count("/") == 1, "must be owner/name", repository)
    if samples is not None and not (Path(samples) / "metadata.jsonl").is_file():
        raise FileNotFoundError(f"samples: {samples} holds no metadata.jsonl")
    if get_token() is None:
        raise ValueError("token: none is known; log in with `hf auth login`, or set HF_TOKEN")
    api = HfApi()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        _collect(folder, run, repository, None if samples is None else Path(samples), fitted)
        try:
            api.create_repo(repository, exist_ok=True, private=private)
            done = api.upload_folder(
                repo_id=repository,
                folder_path=folder,
                commit_message=f"{ADAPTERS[run.settings.adapter].title} trained by fairhuman",
            )
        except (HfHubHTTPError, OSError) as error:
            raise RuntimeError(f"push: {repository} was not taken by {api.endpoint}: {error}") from error
    return str(done.commit_url)


def _collect(folder: Path, run: Run, repository: str, samples: Path | None, fitted: Path | None) -> None:
    """Collect all files to upload in a folder."""
    from huggingface_hub import ModelCard

    weights, title = run.weights, ADAPTERS[run.settings.adapter].title
    beside = weights.parent != run.directory  # a network has a folder of its own, with its card
    for path in sorted(weights.parent.iterdir()) if beside else (weights, run.directory / _CARD):
        shutil.copy(path, folder / path.name)
    text = (folder / _CARD).read_text(encoding="utf-8").replace("THIS_FOLDER", repr(repository))
    shown, pictures = _samples(folder, samples)
    if fitted is not None:
        rows = json.loads((fitted / "report.json").read_text(encoding="utf-8"))["counts"]
        text += f"\n## The base alone, and with the {title}\n\n| measure | before | after |\n|---|---|---|\n"
        text += "".join(f"| {row['measure']} | {row['before']:.2f} | {row['after']:.2f} |\n" for row in rows)
        for path in sorted(fitted.glob("comparison-*.jpg")):
            shutil.copy(path, folder / _SAMPLES / path.name)
            pictures.append(f"{_SAMPLES}/{path.name}")
    if pictures:
        text += "\n## Samples\n\n" + "".join(f"![]({name})\n" for name in pictures)
    card: Any = ModelCard(text)
    if shown:
        card.data.widget = shown
    if run.settings.trigger is not None:
        card.data.instance_prompt = run.settings.trigger
    write_text(folder / _CARD, str(card))


def _samples(folder: Path, samples: Path | None) -> tuple[list[dict[str, Any]], list[str]]:
    """Copy evenly spaced images; returns entries for the hub's gallery, and their names."""
    if samples is None:
        return [], []
    (folder / _SAMPLES).mkdir()
    with (samples / "metadata.jsonl").open(encoding="utf-8") as lines:
        entries = [json.loads(line) for line in lines]
    shown, names = [], []
    for place in np.unique(np.linspace(0, len(entries) - 1, min(_SHOWN, len(entries))).round().astype(int)):
        path = samples / entries[place]["file_name"]
        shutil.copy(path, folder / _SAMPLES / path.name)
        names.append(f"{_SAMPLES}/{path.name}")
        shown.append({"text": entries[place]["text"], "output": {"url": names[-1]}})
    return shown, names
