"""The head of each notebook: a line with its neighbours, and contents that link to its sections.

``python -m fairhuman.experiments.navigation`` writes both anew; a test fails when they are out of date.
"""

import json
import re
from pathlib import Path
from typing import Any

from fairhuman.files import write_text
from fairhuman.workflow import notebook_path, steps

__all__ = ["navigated"]

_LINE = "navigation"
"""Id of the cell with the neighbours."""
_CONTENTS = "## Contents"
_ALL = "[All notebooks](../README.md#Map)"
"""The map of all notebooks."""
_UNLISTED = ("Contents", "Parameters")


def navigated(name: str) -> str:
    """A notebook's text with its head as it should be; nothing else is changed.

    Args:
        name: Notebook name without ending.

    Raises:
        ValueError: No such notebook.
    """
    notebook = json.loads(notebook_path(name).read_text(encoding="utf-8"))
    cells = [cell for cell in notebook["cells"] if cell.get("id") != _LINE]
    line = {"cell_type": "markdown", "id": _LINE, "metadata": {}, "source": [_neighbours(name)]}
    for cell in cells:
        if cell["cell_type"] == "markdown" and _source(cell).startswith(f"{_CONTENTS}\n"):
            cell["source"] = _contents(cells).splitlines(keepends=True)
    notebook["cells"] = [*cells[:1], line, *cells[1:]]
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"


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


def _main() -> None:
    for name in steps():
        write_text(Path(notebook_path(name)), navigated(name))


if __name__ == "__main__":
    _main()
