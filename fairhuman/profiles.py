"""Profiles: paths, and the parameter values of the notebooks.

A profile is a file ``params/<profile>.yaml``. Each notebook's parameter cell has the ``quick`` values; a
profile lists only the differences, by notebook.
"""

import difflib
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


def workspace() -> Path:
    """The folder with ``runs/``, ``results/`` and ``figures/``.

    This is the environment variable ``FAIRHUMAN_WORKSPACE`` if set; otherwise the checkout that contains the
    current folder; otherwise the current folder.
    """
    named = os.environ.get("FAIRHUMAN_WORKSPACE")
    if named:
        return Path(named).resolve()
    return checkout() or Path.cwd()


def checkout() -> Path | None:
    """The nearest folder with ``params/`` and ``notebooks/``, from the current folder upwards."""
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / "params").is_dir() and (folder / "notebooks").is_dir():
            return folder
    return None


def run_directory(profile: str, name: str) -> Path:
    """``runs/<profile>/<name>``, the output of one run. Not created."""
    return workspace() / "runs" / profile / name


def results_directory(profile: str) -> Path:
    """``results/<profile>``, the values behind figures and tables. Not created."""
    return workspace() / "results" / profile


def figures_directory(profile: str | None = None) -> Path:
    """``figures``, or ``figures/<profile>`` for a profile other than ``quick``. Not created.

    Args:
        profile: Default: the environment variable ``FAIRHUMAN_PROFILE``, which
            :func:`fairhuman.workflow.run_notebook` sets to the notebook's profile, or ``quick``. The same
            function sets ``FAIRHUMAN_FIGURES`` to the folder that replaces ``figures`` until the notebook has
            succeeded.
    """
    profile = profile or os.environ.get("FAIRHUMAN_PROFILE") or "quick"
    folder = Path(os.environ.get("FAIRHUMAN_FIGURES") or workspace() / "figures")
    return folder if profile == "quick" else folder / profile


@dataclass(frozen=True)
class Profile:
    """The parameter changes of one profile.

    Attributes:
        name: File name without extension.
        path: The file it was read from.
        notebooks: Maps notebook names (``04_train_lora``) to parameters that differ from the notebook's cell.
    """

    name: str
    path: Path
    notebooks: Mapping[str, Mapping[str, Any]]

    def parameters(self, notebook: str) -> dict[str, Any]:
        """Parameters to inject into ``notebook``: the profile's name and its changes."""
        return {"profile": self.name, **self.notebooks.get(notebook, {})}


def profile_names(folder: Path | None = None) -> list[str]:
    """Names of the profiles in ``params/``."""
    return sorted(path.stem for path in _params(folder).glob("*.yaml"))


def load_profile(name: str, folder: Path | None = None) -> Profile:
    """Read ``params/<name>.yaml``.

    Args:
        name: ``quick``, ``full``, ``paper`` or the stem of your own file.
        folder: Folder of the parameter files. Default: ``params/`` in the checkout.

    Raises:
        ValueError: The profile does not exist, or its file does not have the form
            ``notebooks: {name: {parameter: value}}``.
    """
    path = _params(folder) / f"{name}.yaml"
    if not path.is_file():
        raise ValueError(f"profile: {unknown(name, profile_names(folder))}")
    content = read_yaml(path) or {}
    if not isinstance(content, dict):
        raise ValueError(f"{path}: must be a mapping, got {type(content).__name__}")
    for key in content:
        if key != "notebooks":
            raise ValueError(f"{path}: {unknown(key, ['notebooks'])}")
    notebooks = content.get("notebooks") or {}
    if not isinstance(notebooks, dict):
        raise ValueError(f"{path}: notebooks must map names to parameters, got {notebooks!r}")
    for notebook, changes in notebooks.items():
        if not isinstance(changes, dict):
            raise ValueError(f"{path}: notebooks.{notebook} must map parameters to values, got {changes!r}")
        if "profile" in changes:
            raise ValueError(f"{path}: notebooks.{notebook}.profile is set by the file's name; leave it out")
    return Profile(name, path, notebooks)


def read_yaml(path: Path) -> Any:
    """Content of a YAML file.

    Raises:
        ValueError: The file is not YAML.
    """
    try:
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, ValueError, RecursionError) as error:  # a date may have a thirteenth month
        raise ValueError(f"cannot read {path}: {error}") from error


def unknown(name: object, known: Iterable[str]) -> str:
    """A message that ``name`` is not in ``known``, with the closest match if there is one.

    >>> unknown("mdp", ["ls", "mpd"])
    "unknown name 'mdp'; did you mean 'mpd'? (known: ls, mpd)"
    """
    names = list(known)
    near = difflib.get_close_matches(str(name), names, n=1)
    hint = f"; did you mean {near[0]!r}?" if near else ""
    return f"unknown name {name!r}{hint} (known: {', '.join(names) or 'none'})"


def _params(folder: Path | None) -> Path:
    if folder is not None:
        return folder
    root = checkout()
    if root is None:
        raise FileNotFoundError(f"no folder with params/ and notebooks/ at or above {Path.cwd()}")
    return root / "params"
