"""Digests of code, independent of comments, docstrings, formatting and Python version."""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Any

__all__ = ["library_digest", "source_digest"]

_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def source_digest(paths: Iterable[Path], root: Path) -> str:
    """Digest of Python files as 16 hexadecimal digits.

    Args:
        paths: The files, in any order.
        root: Folder that file names are relative to, so that its location does not matter.
    """
    digest = hashlib.sha256()
    for path in sorted(paths):
        digest.update(
            f"{path.relative_to(root).as_posix()}\n{_meaning(path, path.stat().st_mtime_ns)}\n".encode()
        )
    return digest.hexdigest()[:16]


@cache
def library_digest() -> str:
    """Digest of the whole library at the first call in this process."""
    root = Path(__file__).parent
    return source_digest(root.rglob("*.py"), root)


@cache
def _meaning(path: Path, _changed: int) -> str:
    return repr(_plain(ast.parse(path.read_text(encoding="utf-8"))))


def _plain(node: Any) -> Any:
    """The syntax tree as nested tuples, without docstrings, positions and empty fields."""
    if isinstance(node, list):
        return tuple(map(_plain, node))
    if not isinstance(node, ast.AST):
        return node
    fields = dict(ast.iter_fields(node))
    if isinstance(node, _DOCUMENTED) and ast.get_docstring(node, clean=False) is not None:
        fields["body"] = node.body[1:]
    kept = {name: value for name, value in fields.items() if value is not None and value != []}
    return (type(node).__name__, *((name, _plain(value)) for name, value in kept.items()))
