"""Every figure and table again, from stored results alone."""

import logging
from pathlib import Path

import matplotlib.pyplot as plt

from fairhuman.profiles import results_directory
from fairhuman.results import read_result

from ._files import save, stored, write_text
from ._registry import DRAWINGS, Drawing
from ._style import style
from ._tables import latex_table, markdown_table

_log = logging.getLogger(__name__)

#: Table file to the function that writes it from the result ``evaluation``.
TABLES = {"table1_miniature.md": markdown_table, "table1_miniature.tex": latex_table}


def redraw(profile: str = "quick") -> list[Path]:
    """Draw every figure and table of ``figures/`` from ``results/<profile>/`` and the data beside figures.

    Nothing is trained, sampled or measured. A figure whose result has not been computed is left as it is, and
    the log says so. Sheets of images are not drawn again, since the images are their data.

    Args:
        profile: Whose results; they replace those of another profile in ``figures/``.

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
        written += _redraw(DRAWINGS[name], profile)
    try:
        figures = read_result(profile, "evaluation")["figures"]
    except FileNotFoundError as error:
        _log.warning("tables not written: %s", error)
    else:
        written += [write_text(table(figures), name) for name, table in TABLES.items()]
    return sorted(written)


def _redraw(drawing: Drawing, profile: str) -> list[Path]:
    try:
        if drawing.result is None:
            source = stored(drawing.name)
        else:
            source = read_result(profile, drawing.result)["figures"]
    except FileNotFoundError as error:
        _log.warning("%s not drawn: %s", drawing.name, error)
        return []
    figure, data = drawing.draw(source)
    try:
        return save(figure, drawing.name, data)
    finally:
        plt.close(figure)
