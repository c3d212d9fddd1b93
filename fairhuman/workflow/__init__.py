"""Notebooks as steps: what each rests on and leaves behind, and how one is executed.

Snakemake asks this package for the graph and decides what is stale; papermill executes. See ``Snakefile``.
"""

from fairhuman.workflow._notebook import (
    CHECKED,
    check_profile,
    executed_path,
    notebook_path,
    parameter_defaults,
)
from fairhuman.workflow._run import refresh_notebook, run_notebook
from fairhuman.workflow._sources import imported_modules, sources
from fairhuman.workflow._steps import Step, result_names, steps

__all__ = [
    "CHECKED",
    "Step",
    "check_profile",
    "executed_path",
    "imported_modules",
    "notebook_path",
    "parameter_defaults",
    "refresh_notebook",
    "result_names",
    "run_notebook",
    "sources",
    "steps",
]
