"""The imports between modules: no circles, none upwards, and the picture of ``ARCHITECTURE.md`` shows them.

Imports are read from the source, those inside functions included. What stands below ``if TYPE_CHECKING`` does
not count.
"""

import re
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import matplotlib.pyplot as plt
import pytest
from matplotlib.text import Annotation

from fairhuman.experiments.architecture import architecture_figure, parts
from fairhuman.experiments.figures import stored
from fairhuman.workflow import module_imports

ROOT = Path(__file__).parents[1] / "fairhuman"
PAGE = (ROOT.parent / "ARCHITECTURE.md").read_text()

LAYERS = (
    (
        "files",
        "processes",
        "quiet",
        "checks",
        "profiles",
        "boxes",
        "images",
        "seeds",
        "text",
        "source",
    ),  # no part of the library below
    ("results", "sheet", "settings", "regions", "objectives", "fairness"),
    ("data",),  # data sets on disk, and what of them goes into a model
    ("humans", "detectors"),
    ("data.store",),
    ("data.annotation", "data.exchange", "data.review"),
    ("models",),
    ("training",),
    ("sampling",),
    ("evaluation",),
    ("fitting", "workflow"),
    ("experiments",),  # what serves one notebook or benchmark
    ("explorers",),
    ("commands",),
    ("__main__",),
)
"""Parts of the library from the lowest up. A part knows those below it, not those beside it."""

UPWARDS: set[tuple[str, str]] = set()
"""Imports that break this rule, as (module, part); to be emptied, never to grow."""


def modules() -> dict[str, Path]:
    """Every module by its dotted name within the library."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def imports(module: str) -> set[str]:
    """Modules that a module has executed: those it names, and the packages around them that it is not in."""
    found = set()
    for name in module_imports(f"fairhuman.{module}".rstrip("."), ROOT.parent) - {"fairhuman"}:
        parts = name.split(".")[1:]
        outer = {".".join(parts[:count]) for count in range(1, len(parts))}
        found |= {".".join(parts)}
        found |= {package for package in outer if not f"{module}.".startswith(f"{package}.")}
    return found


GRAPH = {module: imports(module) for module in MODULES}


def part_of(module: str) -> str:
    """The part that a module belongs to, by the longest name that fits."""
    fitting = [part for layer in LAYERS for part in layer if f"{module}.".startswith(f"{part}.")]
    return max(fitting, key=len, default="")


def test_every_import_names_a_module():
    """Those inside functions would otherwise fail only when they are reached."""
    missing = {(module, name) for module, names in GRAPH.items() for name in names if name not in MODULES}
    assert missing == set()


def test_no_module_needs_itself():
    try:
        TopologicalSorter(GRAPH).prepare()
    except CycleError as circle:
        pytest.fail(" needs ".join(reversed(circle.args[1])))


def test_every_module_has_its_place():
    assert [module for module in MODULES if module and not part_of(module)] == []


def test_imports_run_downwards():
    height = {part: number for number, layer in enumerate(LAYERS) for part in layer}
    upwards = {
        (module, part_of(name))
        for module, names in GRAPH.items()
        for name in names
        if part_of(name) != part_of(module) and height[part_of(name)] >= height[part_of(module)]
    }
    assert upwards == UPWARDS


@pytest.mark.parametrize("package", ["data.store", "detectors"])
def test_what_many_share_is_used_by_its_public_names(package):
    private = {
        (module, name)
        for module, names in GRAPH.items()
        for name in names
        if name.startswith(f"{package}._") and not f"{module}.".startswith(f"{package}.")
    }
    assert private == set()


def test_the_picture_is_that_of_the_source():
    """``python -m fairhuman.experiments.architecture`` draws it again."""
    assert stored("architecture", ROOT.parent / "figures") == parts(ROOT.parent)


def test_every_package_has_its_paragraph():
    assert [name for name in parts(ROOT.parent) if f"`{name}`" not in PAGE] == []


def test_the_files_to_touch_exist():
    named = re.findall(r"`((?:fairhuman|tests|benchmarks)/[a-z0-9_/.]+)`", PAGE)
    assert len(named) > 15
    assert [name for name in named if not (ROOT.parent / name).exists()] == []


PACKAGE = {
    "__init__": "",
    "tools": "",
    "middle/__init__": '"""What is in the middle.\n\nMore of it."""',
    "middle/one": "import fairhuman.low.a\nfrom fairhuman.tools import f",
    "low/__init__": "",
    "low/a": "",
    "high/__init__": "from fairhuman.low import a\nfrom fairhuman.middle import one",
}


@pytest.fixture
def small(tmp_path):
    for name, text in PACKAGE.items():
        path = tmp_path / "fairhuman" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def test_parts_are_what_the_source_says(small):
    assert parts(small) == {
        "high/": {"does": "", "imports": ["low/", "middle/"]},
        "low/": {"does": "", "imports": []},
        "middle/": {"does": "What is in the middle.", "imports": ["low/", "tools.py"]},
        "tools.py": {"does": "", "imports": []},
    }


def test_another_import_is_another_picture(small):
    (small / "fairhuman/low/a.py").write_text("def f():\n    from fairhuman import tools")
    assert parts(small)["low/"]["imports"] == ["tools.py"]


def test_a_picture_shows_each_part_above_what_it_imports(small):
    (axes,) = architecture_figure(parts(small)).axes
    plt.close("all")
    heights = {text.get_text(): text.get_position()[1] for text in axes.texts}
    assert heights["high/"] > heights["middle/"] > heights["low/"] > heights["tools.py"]
    arrows = [text for text in axes.texts if isinstance(text, Annotation)]
    assert len(arrows) == 2  # from high to low is implied
    assert all(arrow.xyann[1] > arrow.xy[1] for arrow in arrows)
