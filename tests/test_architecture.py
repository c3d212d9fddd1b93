"""The house as its imports show it: no module needs itself, and nothing lower knows of anything higher.

Imports are read from the source, those inside functions included. Only what a type checker alone sees, below
``if TYPE_CHECKING``, does not count.
"""

import ast
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1] / "fairhuman"

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
    ("commands",),
    ("__main__",),
)
"""Parts of the library from the lowest up. A part knows those below it, not those beside it."""

UPWARDS: set[tuple[str, str]] = set()
"""Imports that break this rule, as (module, part); to be emptied, never to grow."""


@cache
def parse(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def modules() -> dict[str, Path]:
    """Every module by its dotted name within the library."""
    found = {}
    for path in ROOT.rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """All that can be executed, at whatever depth."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from (inner for branch in node.orelse for inner in (branch, *statements(branch)))
        else:
            yield node
            yield from statements(node)


@cache
def lazy_homes(module: str) -> dict[str, str]:
    """Names that a package imports on first use to the modules that they come from."""
    for node in parse(module).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES":
            return {name: f"{module}.{home}" for name, home in ast.literal_eval(node.value).items()}
    return {}


def imported_names(module: str) -> Iterator[str]:
    """What a module's import statements name, within the library: modules, each existing or not."""
    package = module if MODULES[module].name == "__init__.py" else module.rpartition(".")[0]
    for node in statements(parse(module)):
        if isinstance(node, ast.Import):
            names = [alias.name.split(".", 1) for alias in node.names]
            yield from (name[-1] for name in names if name[0] == "fairhuman" and len(name) > 1)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            parts = [*above, *(node.module or "").split(".")]
            if not node.level and parts.pop(0) != "fairhuman":
                continue
            source = ".".join(part for part in parts if part)
            homes = lazy_homes(source) if source in MODULES else {}
            for alias in node.names:
                inner = f"{source}.{alias.name}".strip(".")
                yield inner if inner in MODULES else homes.get(alias.name, source)


def imports(module: str) -> set[str]:
    """Modules that a module has executed: those it names, and the packages around them that it is not in."""
    found = set()
    for name in set(imported_names(module)) - {""}:
        parts = name.split(".")
        outer = {".".join(parts[:count]) for count in range(1, len(parts))}
        found |= {name} | {package for package in outer if not f"{module}.".startswith(f"{package}.")}
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
