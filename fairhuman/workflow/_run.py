"""Execution of a notebook: as a copy with a profile's parameters, or in place."""

import filecmp
import hashlib
import json
import logging
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fairhuman.files import written_whole
from fairhuman.profiles import load_profile, results_directory, run_directory, workspace
from fairhuman.workflow._notebook import (
    CHECKED,
    check_profile,
    code_cells,
    executed_path,
    notebook_path,
    parameter_defaults,
)
from fairhuman.workflow._sources import sources
from fairhuman.workflow._steps import steps

__all__ = ["refresh_notebook", "run_notebook"]

_RENDERED, _STAGED = "metadata.jsonl", Path(".partial") / "album.json"


def run_notebook(name: str, profile: str = "quick") -> Path:
    """Execute a notebook with a profile's parameters.

    The notebook's own run folders are emptied first if its code, parameters or imports have changed;
    otherwise they are kept, so that an interrupted run resumes. Only content marked by a renderer, training
    run or sampler is removed.

    Args:
        name: Notebook name without extension.
        profile: Profile name.

    Returns:
        Path of the executed copy.

    Raises:
        ValueError: The notebook, profile or parameter is unknown.
        RuntimeError: A cell failed; the message names the copy with the error.
    """
    path = notebook_path(name)
    settings = load_profile(profile)
    check_profile(settings)
    parameter_defaults(name)
    parameters = settings.parameters(name)

    executed = executed_path(name, profile)
    executed.parent.mkdir(parents=True, exist_ok=True)
    _forget_stale(name, profile, _fingerprint(name, parameters))

    import papermill

    logging.getLogger("papermill").setLevel(logging.ERROR)
    unfinished = executed.with_suffix(".unfinished.ipynb")
    try:
        with _environment(profile, executed):
            papermill.execute_notebook(
                path,
                unfinished,
                parameters,
                kernel_name="python3",
                cwd=path.parent,
                progress_bar=sys.stderr.isatty(),
            )
    except papermill.PapermillExecutionError as error:
        raise RuntimeError(f"{name}: {error.ename}: {error.evalue} (see {unfinished})") from error
    unfinished.replace(executed)
    return executed


def refresh_notebook(name: str) -> Path:
    """Execute a notebook in place with its own parameters, to update its stored outputs.

    Parameters and run folders are those of ``quick``; run folders are kept or removed as in
    :func:`run_notebook`. Metadata is reduced to the kernel, tags, and the run time, stored under ``run`` in
    the first cell; nothing else in the file changes.

    Raises:
        ValueError: The notebook does not exist.
        RuntimeError: A cell failed; the file is unchanged.
    """
    path = notebook_path(name)

    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.read(path, as_version=4)
    run_directory("quick", "notebooks").mkdir(parents=True, exist_ok=True)
    _forget_stale(name, "quick", _fingerprint(name, {"profile": "quick"}))
    kept = any(_made_here(run_directory("quick", owned)) for owned in steps()[name].owns)
    client = NotebookClient(
        notebook, timeout=None, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    )
    began = time.perf_counter()
    try:
        with _environment("quick", executed_path(name, "quick")):
            client.execute()
    except CellExecutionError as error:
        raise RuntimeError(f"{name}: {error}") from error
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        if "outputs" in cell:
            cell.outputs = [output for output in cell.outputs if _keep_one_form(output.get("data", {}))]
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags"}
    notebook.cells[0].metadata["run"] = {
        "profile": "quick",
        "seconds": round(time.perf_counter() - began, 1),
        "processors": os.cpu_count(),
        "kept": kept,
    }
    with written_whole(path) as partial:
        nbformat.write(notebook, partial)
    return path


def _keep_one_form(data: dict[str, Any]) -> bool:
    """The representation of an output to store; false if none is left."""
    # A widget's view works only in this kernel; its image or table works everywhere.
    if data.pop("application/vnd.jupyter.widget-view+json", None) and set(data) <= {"text/plain"}:
        return False
    if "image/jpeg" in data:  # Pillow shows a picture as both
        data.pop("image/png", None)
    return True


@contextmanager
def _environment(profile: str, executed: Path) -> Iterator[None]:
    """Set the output folders of results and figures for the kernel, which starts in another folder. If the
    block fails, both are unchanged: figures are drawn into a copy that replaces them at the end."""
    figures, staging = workspace() / "figures", executed.with_suffix(".drawn")
    drawn = staging / figures.name
    shutil.rmtree(staging, ignore_errors=True)  # of a notebook that was killed
    if figures.is_dir():
        shutil.copytree(figures, drawn)
    results = {path: path.read_bytes() for path in results_directory(profile).glob("*.json")}
    places = {
        "FAIRHUMAN_WORKSPACE": str(workspace()),
        "FAIRHUMAN_PROFILE": profile,
        "FAIRHUMAN_FIGURES": str(drawn),
    }
    before = {name: os.environ.get(name) for name in places}
    os.environ.update(places)
    try:
        yield
        for path in drawn.rglob("*"):
            _put(path, figures / path.relative_to(drawn))
    except BaseException:
        for path, content in results.items():
            if path.read_bytes() != content:
                with written_whole(path) as partial:
                    partial.write_bytes(content)
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)
        for name, value in before.items():
            os.environ.pop(name)
            os.environ |= {} if value is None else {name: value}


def _put(path: Path, place: Path) -> None:
    """Move a file to its place if it differs from the existing one."""
    if path.is_file() and not (place.is_file() and filecmp.cmp(path, place, shallow=False)):
        with written_whole(place) as partial:
            shutil.copyfile(path, partial)


def _forget_stale(name: str, profile: str, fingerprint: str) -> None:
    record = executed_path(name, profile).with_suffix(".inputs")
    if record.is_file() and record.read_text() == fingerprint:
        return
    for owned in steps()[name].owns:
        for folder in _made_here(run_directory(profile, owned)):
            shutil.rmtree(folder)
    record.write_text(fingerprint)


def _made_here(folder: Path) -> list[Path]:
    """The folder or its direct subfolders with their maker's mark; a user may keep other data there."""
    if folder.is_symlink() or not folder.is_dir():
        return []
    if _is_marked(folder):
        return [folder]
    return [child for child in folder.iterdir() if not child.is_symlink() and _is_marked(child)]


def _is_marked(folder: Path) -> bool:
    sampled = (folder / "sampling.json").is_file()
    trained = (folder / "inputs.json").is_file() and (folder / "settings.yaml").is_file()
    return sampled or trained or _is_rendered(folder)


def _is_rendered(folder: Path) -> bool:
    """Whether a (possibly incomplete) data set contains only renderer output."""
    if not (folder / _RENDERED).is_file():
        return (folder / _STAGED).is_file()
    with (folder / _RENDERED).open(encoding="utf-8") as lines:
        try:
            return all(json.loads(line)["source"] == "render" for line in lines if line.strip())
        except (ValueError, KeyError, TypeError):
            return False


def _fingerprint(name: str, parameters: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode())
    for source in code_cells(name):
        if CHECKED not in source:
            digest.update(source.encode())
    for path in sources(name, judging=False):
        digest.update(path.read_bytes())
    return digest.hexdigest()
