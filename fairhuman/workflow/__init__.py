"""Notebooks as workflow steps: inputs, outputs and execution.

Snakemake gets the graph from this package and decides which steps are outdated; papermill executes them. See
``Snakefile``.
"""

from fairhuman.workflow._notebook import (
    CHECKED,
    check_profile,
    executed_path,
    notebook_code,
    notebook_path,
    parameter_defaults,
)
from fairhuman.workflow._run import refresh_notebook, run_notebook
from fairhuman.workflow._sources import imported_modules, made_by, module_imports, sources
from fairhuman.workflow._steps import Step, result_names, steps

__all__ = [
    "CHECKED",
    "Step",
    "check_profile",
    "executed_path",
    "imported_modules",
    "made_by",
    "module_imports",
    "notebook_code",
    "notebook_path",
    "parameter_defaults",
    "refresh_notebook",
    "result_names",
    "run_notebook",
    "sources",
    "steps",
]
