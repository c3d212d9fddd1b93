"""The order of the notebooks, and their outputs."""

import ast
from collections.abc import Mapping
from dataclasses import dataclass

from fairhuman.profiles import Profile
from fairhuman.workflow._notebook import code_cells, notebooks_folder, parameter_defaults

__all__ = ["STEPS", "Step", "result_names", "steps"]


@dataclass(frozen=True)
class Step:
    """Information on a notebook that is not in its code.

    Attributes:
        after: Notebooks with runs or results that it reads.
        owns: Run folders that only it uses; their content is removed if its code or parameters have changed,
            and otherwise kept for resuming.
    """

    after: tuple[str, ...] = ()
    owns: tuple[str, ...] = ()


STEPS: Mapping[str, Step] = {
    "00_humans": Step(owns=("humans",)),
    "01_motivation": Step(after=("00_humans",), owns=("motivation",)),
    "03_objectives": Step(after=("00_humans",)),
    "04_train_lora": Step(after=("00_humans",), owns=("lora-ls", "lora-mpd")),
    "05_train_controlnet": Step(after=("00_humans",), owns=("controlnet-ls", "controlnet-mpd")),
    "06_evaluation": Step(after=("00_humans", "04_train_lora", "05_train_controlnet"), owns=("samples",)),
    # Its runs record their inputs and take hours, so they are never removed.
    "07_ablations": Step(after=("00_humans",)),
    "09_user_study": Step(after=("00_humans", "04_train_lora"), owns=("study",)),
    "10_figures": Step(
        after=(
            "00_humans",
            "01_motivation",
            "02_mpd_derivation",
            "03_objectives",
            "04_train_lora",
            "05_train_controlnet",
            "06_evaluation",
            "07_ablations",
            "08_efficiency",
            "09_user_study",
        ),
    ),
    "11_claims": Step(
        after=(
            "01_motivation",
            "02_mpd_derivation",
            "03_objectives",
            "04_train_lora",
            "05_train_controlnet",
            "06_evaluation",
            "07_ablations",
            "08_efficiency",
        ),
    ),
}
"""Notebooks that depend on others or own runs; all other notebooks are independent."""


def steps() -> dict[str, Step]:
    """Every notebook of the checkout by name, in order."""
    return {path.stem: STEPS.get(path.stem, Step()) for path in sorted(notebooks_folder().glob("*.ipynb"))}


def result_names(name: str, profile: Profile) -> list[str]:
    """Names of the result files that a notebook writes under a profile.

    These are the names passed to ``write_result``, and, if it has ``tables``, one per table and the primary
    comparisons.

    Raises:
        ValueError: A name is not a literal, so it is known only at run time.
    """
    calls = [node for node in ast.walk(ast.parse("\n".join(code_cells(name)))) if isinstance(node, ast.Call)]
    written = []
    for result in (call.args[1] for call in calls if ast.unparse(call.func) == "write_result"):
        if not (isinstance(result, ast.Constant) and isinstance(result.value, str)):
            raise ValueError(f"{name}: a result must be named by a literal, got {ast.unparse(result)}")
        written.append(result.value)
    tables = (parameter_defaults(name) | profile.parameters(name)).get("tables", [])
    named = [*tables, "primary"] if tables else []
    return [*written, *(f"ablations-{table}" for table in named)]
