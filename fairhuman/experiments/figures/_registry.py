"""Which figure is drawn by which function from which result, so that all can be drawn again."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from ._files import Data

Draw = Callable[[Any], tuple[Figure, Data]]


@dataclass(frozen=True)
class Drawing:
    """How one figure comes about.

    Attributes:
        name: File name in ``figures/`` without ending.
        result: The result whose figures are drawn: a name in the profile's folder, or ``folder/name`` for one
            that belongs to no profile, such as ``base/training``.
        draw: Takes these and returns the figure and the data to store beside it.
    """

    name: str
    result: str
    draw: Draw


DRAWINGS: dict[str, Drawing] = {}


def drawn_from(result: str, name: str) -> Callable[[Draw], Draw]:
    """Register a drawing function, for :func:`fairhuman.experiments.figures.redraw` to find.

    The function takes the ``values`` entry of ``results/<profile>/<result>.json``, or of
    ``results/<result>.json`` if ``result`` names a folder, and returns the figure and its data.

    Raises:
        ValueError: Another function already draws a figure of that name.
    """

    def register(draw: Draw) -> Draw:
        known: Mapping[str, Drawing] = DRAWINGS
        if name in known and known[name].draw.__qualname__ != draw.__qualname__:
            raise ValueError(f"name: figure {name!r} is already drawn by {known[name].draw.__qualname__}")
        DRAWINGS[name] = Drawing(name, result, draw)
        return draw

    return register
