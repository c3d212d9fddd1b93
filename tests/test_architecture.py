"""The house as its imports show it: no module needs itself, and nothing lower knows of anything higher.

Imports are read from the source, those inside functions included. Only what a type checker alone sees, below
``if TYPE_CHECKING``, does not count.
"""

import ast
import sys
from collections.abc import Iterator
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = "fairhuman"

LAYERS = (
    # What everything may use: the standard library's helpers, and what NumPy, Pillow or YAML alone are needed for.
    ("files", "processes", "quiet", "profiles", "checks", "boxes", "images", "settings", "seeds"),
    ("results", "sheet", "regions", "objectives", "fairness"),
    # A data set of people: what a sample is, who renders it, who finds people in photographs.
    ("data",),
    ("humans", "detectors"),
    ("data.store",),
    ("data.annotation", "data.review", "data.exchange"),
    ("models",),
    ("training",),
    ("sampling",),
    ("evaluation",),
    # All of it in one call; and what serves one notebook or benchmark.
    ("fitting", "ablations", "study", "sweeps", "figures", "claims", "experiments"),
    ("workflow",),
    ("commands",),
    ("__main__",),
)
"""Parts of the library, from the lowest up. A part may import its own layer and those below."""


def modules() -> dict[str, Path]:
    """Every module's dotted name, without the package's own, to its file."""
    found = {}
    for path in sorted((ROOT / PACKAGE).rglob("*.py")):
        parts = path.relative_to(ROOT / PACKAGE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


MODULES = modules()
