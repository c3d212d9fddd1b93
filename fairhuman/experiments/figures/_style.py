"""One style for every figure, readable in print, on screen and by the colour-blind."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import matplotlib as mpl
from cycler import cycler

# Okabe and Ito's palette (https://jfly.uni-koeln.de/color/) without its yellow, which vanishes on paper.
_BLACK, _ORANGE, _SKY, _GREEN, _BLUE, _VERMILLION, _PURPLE = (
    "#000000", "#E69F00", "#56B4E9", "#009E73", "#0072B2", "#D55E00", "#CC79A7",
)  # fmt: skip
_GREY = "#8C8C8C"

#: Colour of each region, of each strategy and of each system that is no strategy.
COLOURS: Mapping[str, str] = MappingProxyType(
    {
        "global": "#4D4D4D",
        "face": _ORANGE,
        "hand": _SKY,
        "foot": _GREEN,
        "eyes": _PURPLE,
        "ls": _VERMILLION,
        "mpd": _BLUE,
        "closed_form": _GREEN,
        "max_min": _PURPLE,
        "nash": _BLACK,
        "least_squares": _GREY,
        "base": _GREY,
        "renders": _BLACK,
        "generated": _BLUE,
        "reconstructions": _GREEN,
        "samples": _VERMILLION,
    }
)

#: Widths in inches: one column and both columns of a two-column page.
COLUMN, PAGE = 3.3, 6.9

_SETTINGS: Any = {  # Matplotlib's annotations take literal names only
    "figure.figsize": (COLUMN, 2.4),
    "figure.dpi": 120,
    "figure.constrained_layout.use": True,
    "savefig.dpi": 200,
    "savefig.bbox": None,  # a tight box depends on the installed fonts and moves panels between figures
    "font.family": "DejaVu Sans",  # comes with Matplotlib, hence the same everywhere
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": "#E0E0E0",
    "grid.linewidth": 0.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "lines.linewidth": 1.4,
    "lines.markersize": 4,
    "errorbar.capsize": 2,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "image.cmap": "cividis",
    # Line styles differ as well as colours, for printing in grey.
    "axes.prop_cycle": cycler(color=[_BLUE, _ORANGE, _GREEN, _VERMILLION, _SKY, _PURPLE, _GREY])
    + cycler(linestyle=["-", "--", "-.", ":", "-", "--", "-."]),
    "pdf.fonttype": 42,  # text stays text in the PDF
}


def style() -> None:
    """Set Matplotlib's defaults for all figures that follow; call it once, before drawing."""
    mpl.rcParams.update(_SETTINGS)


def colour(name: str) -> str:
    """The colour that ``name`` has in every figure; grey for an unknown name.

    Accepts names with a prefix, as runs have them: ``lora-mpd`` is drawn as ``mpd``.

    >>> colour("lora-mpd") == colour("mpd") == "#0072B2"
    True
    """
    return COLOURS.get(name, COLOURS.get(name.rsplit("-", 1)[-1], _GREY))
