"""Notebook headers: links to neighbours, profile and run time, and a table of contents.

``python -m fairhuman.experiments.navigation`` and ``python -m fairhuman refresh`` update them. A test fails
if they are outdated.
"""

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from fairhuman.files import write_text
from fairhuman.workflow import notebook_path, steps

__all__ = ["navigated", "run_time", "write_heads"]

_LINE = "navigation"
"""Id of the cell with the neighbours."""
_CONTENTS = "## Contents"
_ALL = "[All notebooks](../README.md#Map)"
"""The map of all notebooks."""
_UNLISTED = ("Contents", "Parameters")


def navigated(name: str) -> str:
    """A notebook's text with an updated header and no other changes.

    Args:
        name: Notebook name without ending.

    Raises:
        ValueError: The notebook does not exist.
    """
    notebook = json.loads(notebook_path(name).read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell.get("id") != _LINE]
    head = f"{_neighbours(name)}\n\n{run_time(name, cells[0]['metadata'].get('run'))}"
    line = {
        "cell_type": "markdown",
        "id": _LINE,
        "metadata": {},
        "source": head.splitlines(keepends=True),
    }
    for cell in cells:
        if cell["cell_type"] == "markdown" and _source(cell).startswith(f"{_CONTENTS}\n"):
            cell["source"] = _contents(cells).splitlines(keepends=True)
    notebook["cells"] = [*cells[:1], line, *cells[1:]]
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


def run_time(name: str, record: Mapping[str, Any] | None) -> str:
    """How long a notebook took when its stored outputs were made.

    Args:
        name: Notebook name.
        record: What :func:`fairhuman.workflow.refresh_notebook` measured; None if nothing.

    >>> run_time("08_efficiency", {"profile": "quick", "seconds": 200, "processors": 2, "kept": False})
    'Stored outputs: profile `quick`, 3 min 20 s on 2 processors.'
    """
    if record is None:
        return (
            "Stored outputs: profile `quick`. "
            f"The run time is recorded by the next `python -m fairhuman refresh {name}`."
        )
    minutes, seconds = divmod(round(record["seconds"]), 60)
    time = f"{minutes} min {seconds} s" if minutes else f"{seconds} s"
    kept = ", with earlier runs at hand" if record["kept"] else ""
    return (
        f"Stored outputs: profile `{record['profile']}`, {time} on {record['processors']} processors{kept}."
    )


def write_heads(names: Iterable[str]) -> None:
    """Update the headers of notebooks.

    Args:
        names: Notebook names without extension.

    Raises:
        ValueError: The notebook does not exist.
    """
    for name in names:
        write_text(Path(notebook_path(name)), navigated(name))


def _neighbours(name: str) -> str:
    names = list(steps())
    place = names.index(name)
    links = [f"← [{_title(one)}]({one}.ipynb)" for one in names[:place][-1:]]
    links += [_ALL]
    links += [f"[{_title(one)}]({one}.ipynb) →" for one in names[place + 1 :][:1]]
    return " | ".join(links)


def _title(name: str) -> str:
    first = json.loads(notebook_path(name).read_text(encoding="utf-8"))["cells"][0]
    return _source(first).splitlines()[0].removeprefix("# ")


def _contents(cells: list[dict[str, Any]]) -> str:
    """Links as JupyterLab makes its anchors: the title with hyphens for spaces."""
    text = "\n".join(_source(cell) for cell in cells if cell["cell_type"] == "markdown")
    titles = [title for title in re.findall(r"(?m)^## (.+)$", text) if title not in _UNLISTED]
    lines = [f"- [{title}](<#{title.replace('`', '').replace(' ', '-')}>)" for title in titles]
    return "\n".join([_CONTENTS, "", *lines])


def _source(cell: dict[str, Any]) -> str:
    return "".join(cell["source"])


if __name__ == "__main__":
    write_heads(steps())
