"""The figures: for each the function that draws it and the result it is drawn from."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from ._files import Data

Draw = Callable[[Any], tuple[Figure, Data]]


@dataclass(frozen=True)
class Drawing:
    """One figure.

    Attributes:
        name: File name in ``figures/`` without ending.
        result: The result that is drawn: a name in the profile's folder, or ``folder/name`` for one
            that belongs to no profile, such as ``base/training``. With ``*`` it stands for several, which are
            drawn as a list in alphabetical order.
        draw: Takes the result's values and returns the figure and the data to store with it.
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
        if name in DRAWINGS:
            known, new = (getattr(one, "__qualname__", one) for one in (DRAWINGS[name].draw, draw))
            if known != new:
                raise ValueError(f"name: figure {name!r} is already drawn by {known}")
        DRAWINGS[name] = Drawing(name, result, draw)
        return draw

    return register
