"""The presets by name; each samples a complete scene."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from fairhuman.humans._everyday import everyday
from fairhuman.humans._portraits import portraits
from fairhuman.humans._render import Picture
from fairhuman.humans._studio import studio
from fairhuman.humans._world import world

PRESETS: Mapping[str, Callable[[np.random.Generator], Picture]] = {
    "everyday": everyday,
    "portraits": portraits,
    "studio": studio,
    "world": world,
}
