"""One person by chance; what draws it loads with the first one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fairhuman.humans._types import HumanImage

if TYPE_CHECKING:
    import numpy as np

__all__ = ["PRESETS", "render_human"]

PRESETS = ("everyday", "portraits", "studio", "world")


def render_human(rng: np.random.Generator, preset: str = "studio", size: int = 256) -> HumanImage:
    """One person drawn by chance.

    Args:
        rng: the only source of chance; the same state gives the same picture.
        preset: `everyday` (the base's corpus), `portraits` (near, with much that `everyday` lacks), `studio`
            (plain backdrops, few poses and clothes) or `world`.
        size: width and height in pixels, from 16 to 4096.

    Returns:
        The picture with its masks, keypoints, depth, camera and true attributes.

    Raises:
        ValueError: an unknown preset, or a size out of range.

    Example:
        >>> import numpy as np
        >>> from fairhuman.humans import render_human
        >>> person = render_human(np.random.default_rng(0), "studio", 64)
        >>> person.image.shape
        (64, 64, 3)
    """
    if preset not in PRESETS:
        raise ValueError(f"preset must be one of {', '.join(PRESETS)}; got {preset!r}")
    if not 16 <= size <= 4096:
        raise ValueError(f"size must be from 16 to 4096 pixels; got {size}")
    from fairhuman.humans import _presets
    from fairhuman.humans._attributes import seen_attributes
    from fairhuman.humans._render import draw

    return seen_attributes(draw(_presets.PRESETS[preset](rng), size))
