"""Figures in one style, saved with their data, and drawn again from stored results alone.

A drawing function takes a result's figures and returns a Matplotlib figure with the data it shows;
``@drawn_from(result, name)`` makes it known to :func:`redraw`.
"""

from ._files import save, stored
from ._registry import DRAWINGS, Drawing, drawn_from
from ._style import COLOURS, COLUMN, PAGE, colour, style

__all__ = [
    "COLOURS",
    "COLUMN",
    "DRAWINGS",
    "PAGE",
    "Drawing",
    "colour",
    "drawn_from",
    "save",
    "stored",
    "style",
]

# The derivation's figures.

# Training's figures.

# The evaluation's figures and tables.
