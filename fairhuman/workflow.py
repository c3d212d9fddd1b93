"""Notebooks as steps: what each reads and leaves behind, and how one is executed.

Snakemake asks this module for the graph and decides what is stale; papermill executes. See ``Snakefile``.
"""

import ast
import hashlib
import json
import logging
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fairhuman.profiles import Profile, checkout, load_profile, run_directory, unknown, workspace

CHECKED = "NBVAL_CHECK_OUTPUT"
"""Marks a cell whose output is compared. Such a cell looks at what others made and makes nothing itself."""


@dataclass(frozen=True)
class Step:
    """One notebook of the sequence.

    Attributes:
        after: Notebooks that must have run before.
        results: Names of the result files it writes whatever its parameters; see :func:`result_names`.
        owns: Run folders that are its alone; removed when its code or parameters have changed, kept for
            resuming when they have not.
        uses: Parts of the library with which it makes its runs and results.
        draws: Parts with which it only draws: their change makes it stale, but not what it owns.
    """

    after: tuple[str, ...] = ()
    results: tuple[str, ...] = ()
    owns: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    draws: tuple[str, ...] = ()


STEPS: Mapping[str, Step] = {
    "00_humans": Step(
        results=("humans",),
        owns=("humans",),
        uses=("humans", "data"),
        draws=("evaluation", "figures", "sheet"),
    ),
    "01_motivation": Step(
        after=("00_humans",),
        results=("motivation",),
        owns=("motivation",),
        uses=("models", "sampling"),
        draws=("evaluation", "figures", "sheet"),
    ),
    "02_mpd_derivation": Step(
        results=("mpd_derivation",), uses=("experiments/derivation", "fairness"), draws=("figures",)
    ),
    "03_objectives": Step(
        after=("00_humans",),
        results=("objectives",),
        uses=("data", "regions", "objectives", "fairness", "models", "training", "evaluation/conflict"),
        draws=("evaluation/latent_masks", "evaluation/statistics", "figures"),
    ),
    "04_train_lora": Step(
        after=("00_humans",),
        results=("train_lora",),
        owns=("lora-ls", "lora-mpd"),
        uses=(
            "data",
            "regions",
            "objectives",
            "fairness",
            "models",
            "training",
            "evaluation/regional",
        ),
        draws=("evaluation", "figures"),
    ),
    "05_train_controlnet": Step(
        after=("00_humans",),
        results=("train_controlnet",),
        owns=("controlnet-ls", "controlnet-mpd"),
        uses=(
            "data",
            "regions",
            "objectives",
            "fairness",
            "models",
            "training",
            "sampling",
            "evaluation/regional",
        ),
        draws=("evaluation", "figures", "sheet"),
    ),
    "06_evaluation": Step(
        after=("00_humans", "04_train_lora", "05_train_controlnet"),
        results=("evaluation", "image_metrics"),
        owns=("samples",),
        uses=("models", "sampling", "evaluation/systems"),
        draws=("evaluation", "figures", "sheet"),
    ),
    # Its runs know by themselves what they were made from, and take hours: they are never removed.
    "07_ablations": Step(
        after=("00_humans",),
        uses=("ablations", "data", "regions", "objectives", "fairness", "models", "training"),
        draws=("evaluation", "figures", "sampling", "sheet"),
    ),
    "08_efficiency": Step(
        results=("efficiency",),
        uses=("models", "sampling", "evaluation/efficiency"),
        draws=("figures", "results"),
    ),
    "09_user_study": Step(
        after=("00_humans", "04_train_lora"),
        results=("user_study",),
        owns=("study",),
        uses=("models", "sampling", "study"),
        draws=("evaluation", "figures", "sheet", "training"),
    ),
    "10_figures": Step(
        after=(
            "00_humans",
            "01_motivation",
            "02_mpd_derivation",
            "03_objectives",
            "04_train_lora",
            "05_train_controlnet",
            "06_evaluation",
            "07_ablations",
            "08_efficiency",
            "09_user_study",
        ),
        draws=("figures", "results"),
    ),
    "11_claims": Step(
        after=(
            "01_motivation",
            "02_mpd_derivation",
            "04_train_lora",
            "05_train_controlnet",
            "06_evaluation",
            "07_ablations",
        ),
        draws=("claims", "results"),
    ),
    "A1_base_model": Step(uses=("models", "sampling"), draws=("figures", "sheet")),
}


def notebook_path(name: str) -> Path:
    """The notebook's file.

    Raises:
        ValueError: No such notebook.
    """
    folder = _checkout() / "notebooks"
    path = folder / f"{name}.ipynb"
    if not path.is_file():
        raise ValueError(f"notebook: {unknown(name, sorted(p.stem for p in folder.glob('*.ipynb')))}")
    return path


def executed_path(name: str, profile: str) -> Path:
    """Where the executed copy lands."""
    return run_directory(profile, "notebooks") / f"{name}.ipynb"


def result_names(name: str, profile: Profile) -> list[str]:
    """Names of the result files that a notebook writes under a profile: one a table if it has ``tables``."""
    tables = (parameter_defaults(name) | profile.parameters(name)).get("tables", [])
    return [*STEPS[name].results, *(f"ablations-{table}" for table in tables)]


def sources(name: str, drawing: bool = True) -> list[Path]:
    """Library files whose change makes the notebook stale; without ``drawing`` also what it owns."""
    package = _checkout() / "fairhuman"
    files: set[Path] = set()
    for part in STEPS[name].uses + STEPS[name].draws * drawing:
        folder = package / part
        if folder.is_dir():
            files.update(path for kind in ("*.py", "*.html") for path in folder.rglob(kind))
        else:
            beside = folder.with_suffix(".yaml")
            files.update([folder.with_suffix(".py"), *([beside] if beside.is_file() else [])])
    return sorted(files)


def check_profile(profile: Profile) -> None:
    """Refuse parameters that a notebook does not have, or of another type than its own.

    papermill only warns of an unknown name and would run for hours with a default.

    Raises:
        ValueError: Names file, notebook and parameter.
    """
    for notebook, changes in profile.notebooks.items():
        defaults = parameter_defaults(notebook)
        for name, value in changes.items():
            where = f"{profile.path}: notebooks.{notebook}"
            if name not in defaults:
                raise ValueError(f"{where}: {unknown(name, defaults)}")
            if not _same_type(defaults[name], value):
                raise ValueError(
                    f"{where}.{name}: must be {type(defaults[name]).__name__} "
                    f"like the notebook's own {defaults[name]!r}, found {value!r}"
                )


def parameter_defaults(notebook: str) -> dict[str, Any]:
    """Names and values in the notebook's ``parameters`` cell.

    Raises:
        ValueError: The notebook is unknown, has not exactly one such cell, or the cell holds more than
            literals.
    """
    path = notebook_path(notebook)
    cells = [
        cell
        for cell in json.loads(path.read_text())["cells"]
        if "parameters" in cell["metadata"].get("tags", [])
    ]
    if len(cells) != 1:
        raise ValueError(f"{path}: must have one cell tagged 'parameters', found {len(cells)}")
    defaults = {}
    for statement in ast.parse("".join(cells[0]["source"])).body:
        try:
            defaults[statement.targets[0].id] = ast.literal_eval(statement.value)
        except (AttributeError, ValueError):
            line = ast.unparse(statement)
            raise ValueError(
                f"{path}: the parameters cell may hold `name = literal` only, found {line!r}"
            ) from None
    return defaults


def run_notebook(name: str, profile: str = "quick") -> Path:
    """Execute a notebook with a profile's parameters.

    Run folders that the notebook owns are removed first if its code, the library parts it uses or its
    parameters have changed since they were made; otherwise they are kept, so that a run that was cut off
    goes on.

    Args:
        name: Notebook name without ending.
        profile: Profile name.

    Returns:
        Path of the executed copy.

    Raises:
        ValueError: Unknown notebook, profile or parameter.
        RuntimeError: A cell failed; names the copy in which the error can be read.
    """
    path = notebook_path(name)
    settings = load_profile(profile)
    check_profile(settings)
    parameter_defaults(name)
    parameters = settings.parameters(name)

    executed = executed_path(name, profile)
    executed.parent.mkdir(parents=True, exist_ok=True)
    _forget_stale(name, profile, _fingerprint(path, parameters))

    import papermill

    logging.getLogger("papermill").setLevel(logging.ERROR)
    unfinished = executed.with_suffix(".unfinished.ipynb")
    try:
        with _environment(profile):
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
    """Execute a notebook in place, with its own parameters, so that its stored outputs are today's.

    Its parameters are those of ``quick``, and so are the run folders: kept or removed as for
    :func:`run_notebook`. Metadata is reduced to the kernel; nothing else of the file changes.

    Raises:
        ValueError: No such notebook.
        RuntimeError: A cell failed; the file is left as it was.
    """
    path = notebook_path(name)

    import nbformat
    from nbclient import NotebookClient
    from nbclient.exceptions import CellExecutionError

    notebook = nbformat.read(path, as_version=4)
    run_directory("quick", "notebooks").mkdir(parents=True, exist_ok=True)
    _forget_stale(name, "quick", _fingerprint(path, {"profile": "quick"}))
    client = NotebookClient(
        notebook, timeout=None, kernel_name="python3", resources={"metadata": {"path": path.parent}}
    )
    try:
        with _environment("quick"):
            client.execute()
    except CellExecutionError as error:
        raise RuntimeError(f"{name}: {error}") from error
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata = {"kernelspec": kernel, "language_info": {"name": "python"}}
    for cell in notebook.cells:
        cell.metadata = {key: value for key, value in cell.metadata.items() if key == "tags"}
    partial = path.with_suffix(".ipynb.partial")
    nbformat.write(notebook, partial)
    partial.replace(path)
    return path


@contextmanager
def _environment(profile: str) -> Iterator[None]:
    """Where results and figures go, for the kernel, which starts in another folder."""
    told = {"FAIRHUMAN_WORKSPACE": str(workspace()), "FAIRHUMAN_PROFILE": profile}
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name)
            os.environ |= {} if value is None else {name: value}


def _forget_stale(name: str, profile: str, fingerprint: str) -> None:
    record = executed_path(name, profile).with_suffix(".inputs")
    if record.is_file() and record.read_text() == fingerprint:
        return
    for owned in STEPS[name].owns if name in STEPS else ():
        shutil.rmtree(run_directory(profile, owned), ignore_errors=True)
    record.write_text(fingerprint)


def _fingerprint(notebook: Path, parameters: Mapping[str, Any]) -> str:
    digest = hashlib.sha256(json.dumps(parameters, sort_keys=True).encode())
    for cell in json.loads(notebook.read_text())["cells"]:
        source = "".join(cell["source"])
        if cell["cell_type"] == "code" and CHECKED not in source:
            digest.update(source.encode())
    for path in sources(notebook.stem, drawing=False) if notebook.stem in STEPS else ():
        digest.update(path.read_bytes())
    return digest.hexdigest()


def _same_type(default: Any, value: Any) -> bool:
    if default is None or value is None:
        return True
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    return isinstance(value, type(default))


def _checkout() -> Path:
    root = checkout()
    if root is None:
        raise FileNotFoundError(
            f"no checkout (a folder with params/ and notebooks/) at or above {Path.cwd()}"
        )
    return root
