"""Redraw every figure and table from stored results."""

import logging
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt

from fairhuman.experiments import ablations
from fairhuman.profiles import figures_directory, profile_names, results_directory
from fairhuman.results import read_named

from ._ablations import ablation_latex, ablation_markdown, primary_markdown
from ._files import save, write_text
from ._registry import DRAWINGS
from ._style import style
from ._systems import systems_latex, systems_markdown
from ._tables import images_table, latex_table, markdown_table

_log = logging.getLogger(__name__)

#: Table file to the result it is written from and the function that writes it.
TABLES = {
    "table1_miniature.md": ("evaluation", markdown_table),
    "table1_miniature.tex": ("evaluation", latex_table),
    "table1_images.md": ("image_metrics", images_table),
    "table1_systems.md": ("benchmarks/table1", systems_markdown),
    "table1_systems.tex": ("benchmarks/table1", systems_latex),
    "ablation_primary.md": ("ablations-primary", primary_markdown),
} | {
    f"ablation_{name}.{ending}": (f"ablations-{name}", write)
    for name in ablations.TABLES
    for ending, write in (("md", ablation_markdown), ("tex", ablation_latex))
}


def redraw(profile: str = "quick") -> list[Path]:
    """Draw every figure and table again from ``results/``.

    Nothing is trained, sampled or measured. A figure without a result is left as it is and logged. Sheets of
    images are not redrawn, since the images are their data.

    Args:
        profile: Whose results; its figures lie in :func:`fairhuman.profiles.figures_directory`. Figures of
            results that belong to no profile lie in ``figures/`` in any case.

    Returns:
        The files written, in alphabetical order.

    Raises:
        FileNotFoundError: The profile has no results at all.
    """
    if not any(results_directory(profile).glob("*.json")):
        raise FileNotFoundError(
            f"{results_directory(profile)}: no results; `make reproduce PROFILE={profile}` computes them"
        )
    style()
    written: list[Path] = []
    for name in sorted(DRAWINGS):
        drawing = DRAWINGS[name]
        found = _values(name, drawing.result, profile)
        if found is None:
            continue
        figure, data = drawing.draw(found)
        try:
            written += save(figure, name, data, _folder(drawing.result, profile))
        finally:
            plt.close(figure)
    for name, (result, write) in TABLES.items():
        found = _values(name, result, profile)
        if found is not None:
            written.append(write_text(write(found), name, _folder(result, profile)))
    return sorted(written)


def drawn_profiles() -> list[str]:
    """Profiles that have results to draw."""
    return [name for name in profile_names() if any(results_directory(name).glob("*.json"))]


def _values(name: str, result: str, profile: str) -> Any:
    try:
        if "*" in result:
            folder, _, pattern = result.rpartition("/")
            names = sorted(path.stem for path in results_directory(folder or profile).glob(f"{pattern}.json"))
            if not names:
                raise FileNotFoundError(f"no result {result}")
            return [read_named(profile, f"{folder or profile}/{one}")["values"] for one in names]
        return read_named(profile, result)["values"]
    except FileNotFoundError as error:
        _log.info("%s not drawn: %s", name, error)
        return None


def _folder(result: str, profile: str) -> Path:
    return figures_directory("quick" if "/" in result else profile)
