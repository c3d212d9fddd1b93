"""A notebook in the checkout: its path, code and parameters."""

import ast
import json
from pathlib import Path
from typing import Any

from fairhuman.profiles import Profile, checkout, run_directory, unknown

__all__ = [
    "CHECKED",
    "check_profile",
    "checkout_root",
    "code_cells",
    "executed_path",
    "notebook_code",
    "notebook_path",
    "notebooks_folder",
    "parameter_defaults",
]

CHECKED = "NBVAL_CHECK_OUTPUT"
"""Marks cells with compared outputs. Such cells only inspect the results of other cells."""


def checkout_root() -> Path:
    """The checkout that contains the current folder.

    Raises:
        FileNotFoundError: There is none.
    """
    root = checkout()
    if root is None:
        raise FileNotFoundError(
            f"no checkout (a folder with params/ and notebooks/) at or above {Path.cwd()}"
        )
    return root


def notebooks_folder() -> Path:
    """Folder of the checkout's notebooks."""
    return checkout_root() / "notebooks"


def notebook_path(name: str) -> Path:
    """The notebook's file.

    Raises:
        ValueError: The notebook does not exist.
    """
    folder = notebooks_folder()
    path = folder / f"{name}.ipynb"
    if not path.is_file():
        raise ValueError(f"notebook: {unknown(name, sorted(p.stem for p in folder.glob('*.ipynb')))}")
    return path


def executed_path(name: str, profile: str) -> Path:
    """Path of the executed copy."""
    return run_directory(profile, "notebooks") / f"{name}.ipynb"


def code_cells(name: str) -> list[str]:
    """The source of each code cell."""
    cells = json.loads(notebook_path(name).read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]


def notebook_code(name: str) -> str:
    """All code of a notebook as one text."""
    return "\n".join(code_cells(name))


def parameter_defaults(notebook: str) -> dict[str, Any]:
    """Names and values in the notebook's ``parameters`` cell.

    Raises:
        ValueError: The notebook is unknown, does not have exactly one such cell, or the cell contains more
            than literals.
    """
    path = notebook_path(notebook)
    cells = [
        cell
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if "parameters" in cell["metadata"].get("tags", [])
    ]
    if len(cells) != 1:
        raise ValueError(f"{path}: must have one cell tagged 'parameters', got {len(cells)}")
    defaults = {}
    for statement in ast.parse("".join(cells[0]["source"])).body:
        try:
            defaults[statement.targets[0].id] = ast.literal_eval(statement.value)
        except (AttributeError, ValueError):
            line = ast.unparse(statement)
            raise ValueError(
                f"{path}: the parameters cell may hold `name = literal` only, got {line!r}"
            ) from None
    return defaults


def check_profile(profile: Profile) -> None:
    """Check that parameters exist in a notebook and have the types of their defaults.

    papermill only warns about unknown names and would run for hours with a default.

    Raises:
        ValueError: A parameter is invalid; the message names file, notebook and parameter.
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
                    f"like the notebook's {defaults[name]!r}, got {value!r}"
                )


def _same_type(default: Any, value: Any) -> bool:
    if default is None or value is None:
        return True
    if isinstance(default, bool) or isinstance(value, bool):
        return isinstance(default, bool) and isinstance(value, bool)
    if isinstance(default, float):
        return isinstance(value, int | float)
    return isinstance(value, type(default))
