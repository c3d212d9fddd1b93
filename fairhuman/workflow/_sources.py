"""The library files that a notebook depends on, from its import statements."""

import ast
from collections.abc import Collection
from functools import cache
from pathlib import Path

from fairhuman.source import source_digest
from fairhuman.workflow._notebook import checkout_root, code_cells

__all__ = ["imported_modules", "made_by", "module_imports", "sources"]

PACKAGE = "fairhuman"
UNCOUNTED = (
    "fairhuman.profiles",
    "fairhuman.results",
    "fairhuman.source",
    "fairhuman.workflow",
)
"""Modules that only read, compare and write results, and do not determine them."""
DRAWING = ("fairhuman.experiments.figures", "fairhuman.sheet")
"""Drawing modules count for notebooks that use them, but their imports do not: each figure needs only
some."""
JUDGING = ("fairhuman.evaluation", "fairhuman.experiments", "fairhuman.explorers")
"""Modules that only inspect runs and images."""


def sources(name: str, judging: bool = True) -> list[Path]:
    """Library files that make a notebook outdated when they change.

    Args:
        name: The notebook.
        judging: Whether to include modules that evaluate and draw; without them, the result lists the files
            that also make the notebook's runs outdated.
    """
    code, root = "\n".join(code_cells(name)), checkout_root()
    if not judging:
        modules = imported_modules(code, root, without=(*UNCOUNTED, *DRAWING, *JUDGING))
    else:
        modules = imported_modules(code, root, without=UNCOUNTED, leaves=DRAWING)
    files = set()
    for path in filter(None, (_file(module, root) for module in modules)):
        beside = [path.with_suffix(".yaml")]
        beside += [file for ending in ("html", "js", "css") for file in path.parent.glob(f"*.{ending}")]
        beside += path.parent.glob("*.yaml") if path.stem == "__init__" else ()
        files.update(one for one in (path, *beside) if one.is_file())
    return sorted(files)


@cache
def made_by(code: str) -> str:
    """Digest of the library modules that code imports, directly or indirectly.

    Args:
        code: Python code with the import statements of the modules that produce a result.
    """
    root = Path(__file__).parents[2]
    modules = imported_modules(code, root, without=UNCOUNTED)
    return source_digest(filter(None, (_file(module, root) for module in modules)), root)


def imported_modules(
    code: str, root: Path, *, without: Collection[str] = (), leaves: Collection[str] = ()
) -> set[str]:
    """Library modules that code imports, directly or indirectly.

    Imports inside functions count; imports only for type checking do not. A package with lazy imports, in a
    table ``_HOMES`` from name to module, counts with the modules of the names used.

    Args:
        code: Python.
        root: Folder of the package's folder.
        without: Modules and packages that do not count.
        leaves: Packages that count completely, but without their imports.
    """
    found: set[str] = set()
    left = _imports(code, "", False, root)
    while left:
        module = left.pop()
        if module in found or _within(module, without):
            continue
        found.add(module)
        if "." in module:  # importing a module runs the packages above it
            left.add(module.rpartition(".")[0])
        if _within(module, leaves):
            left.update(_siblings(module, root) if module in leaves else ())
        else:
            left |= module_imports(module, root)
    return found


@cache
def module_imports(module: str, root: Path) -> frozenset[str]:
    """Modules of the library that a module imports directly; read from its source as in
    :func:`imported_modules`.

    Args:
        module: Dotted name, such as ``fairhuman.data``.
        root: Folder of the package's folder.
    """
    path = _file(module, root)
    if path is None:
        return frozenset()
    return frozenset(_imports(path.read_text(encoding="utf-8"), module, path.stem == "__init__", root))


def _within(module: str, packages: Collection[str]) -> bool:
    return any(f"{module}.".startswith(f"{package}.") for package in packages)


def _file(module: str, root: Path) -> Path | None:
    path = root.joinpath(*module.split("."))
    candidates = (path / "__init__.py", path.with_suffix(".py"))
    return next((candidate for candidate in candidates if candidate.is_file()), None)


def _siblings(package: str, root: Path) -> list[str]:
    return [f"{package}.{path.stem}" for path in root.joinpath(*package.split(".")).glob("*.py")]


def _imports(code: str, module: str, is_package: bool, root: Path) -> set[str]:
    """Modules that a module's code names in its import statements."""
    tree = ast.parse(code)
    typing = {id(node) for block in ast.walk(tree) if _is_typing(block) for node in ast.walk(block)}
    nodes = [node for node in ast.walk(tree) if id(node) not in typing]
    found, names = set(), {}
    for node in nodes:
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _absolute(node, module, is_package)
            for alias in node.names if _within(base, [PACKAGE]) else ():
                names[alias.asname or alias.name] = target = _home(base, alias.name, root)
                found.add(target)
    for node in nodes:  # evaluation.detect, after `from fairhuman import evaluation`
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id in names:
            found.add(_home(names[node.value.id], node.attr, root))
    return {name for name in found if _within(name, [PACKAGE])}


def _absolute(node: ast.ImportFrom, module: str, is_package: bool) -> str:
    """The module that names are taken from, without leading dots."""
    if not node.level:
        return node.module or ""
    parts = module.split(".")
    parts = parts[: len(parts) - node.level + is_package]
    return ".".join([*parts, *([node.module] if node.module else [])])


def _is_typing(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"


def _home(base: str, name: str, root: Path) -> str:
    """The module that `name`, taken from the module `base`, is or comes from."""
    if _file(f"{base}.{name}", root):
        return f"{base}.{name}"
    home = _homes(base, root).get(name)
    return base if home is None else f"{base}.{home}"


@cache
def _homes(module: str, root: Path) -> dict[str, str]:
    path = _file(module, root)
    tree = ast.parse(path.read_text(encoding="utf-8")) if path else ast.Module([], [])
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_HOMES":
            return ast.literal_eval(node.value)
    return {}
