"""What nbval does not look at: a notebook without execution counts would pass it unchecked."""

import ast
import json
import re
from pathlib import Path

import pytest

NOTEBOOKS = sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    return json.loads(request.param.read_text())


def source(cell):
    return "".join(cell["source"])


def code_cells(notebook):
    return [cell for cell in notebook["cells"] if cell["cell_type"] == "code" and source(cell).strip()]


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_takes_at_most_a_megabyte(path):
    assert path.stat().st_size <= 2**20


def test_a_picture_is_stored_in_one_form(notebook):
    outputs = [out.get("data", {}) for cell in code_cells(notebook) for out in cell["outputs"]]
    assert not [data for data in outputs if {"image/png", "image/jpeg"} <= data.keys()]


def test_every_cell_was_executed_in_order_and_none_failed(notebook):
    cells = code_cells(notebook)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert [out for cell in cells for out in cell["outputs"] if out["output_type"] == "error"] == []


def test_some_outputs_are_compared(notebook):
    checked = [cell for cell in code_cells(notebook) if "NBVAL_CHECK_OUTPUT" in source(cell)]
    assert checked
    assert all(cell["outputs"] for cell in checked)


def test_one_cell_holds_the_parameters(notebook):
    assert sum("parameters" in cell["metadata"].get("tags", []) for cell in notebook["cells"]) == 1


def test_the_library_computes(notebook):
    for cell in code_cells(notebook):
        assert len(source(cell).splitlines()) <= 15
        kinds = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)
        lines = "\n".join(line for line in source(cell).splitlines() if not line.startswith(("%", "!")))
        assert not any(isinstance(node, kinds) for node in ast.walk(ast.parse(lines)))


def test_nothing_personal_is_stored(notebook):
    assert set(notebook["metadata"]) <= {"kernelspec", "language_info"}
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"
    stored = json.dumps(notebook)
    assert not [path for path in (str(Path.home()), "PosixPath(", "/tmp/") if path in stored]


def test_it_begins_with_a_title_and_tells_more_than_it_computes(notebook):
    cells = notebook["cells"]
    assert source(cells[0]).startswith("# ")
    words = sum(len(source(cell).split()) for cell in cells if cell["cell_type"] == "markdown")
    lines = sum(len(source(cell).splitlines()) for cell in code_cells(notebook))
    assert words > 3 * lines


def test_it_has_exercises(notebook):
    """Two or three in a list, each with what to expect."""
    texts = [source(cell) for cell in notebook["cells"] if cell["cell_type"] == "markdown"]
    lists = [text[text.index("Try this") :] for text in texts if "Try this" in text]
    assert lists
    for text in lists:
        items = re.findall(r"(?m)^- .+$", text)
        assert len(items) in (2, 3)
        assert all(len(item.split()) > 12 for item in items)
