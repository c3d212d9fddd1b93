"""Named colours, as a caption would call them, in linear RGB."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np


def linear(code: str) -> tuple[float, float, float]:
    """`#rrggbb` in sRGB to linear RGB in [0, 1]."""
    value = np.array([int(code[i : i + 2], 16) for i in (1, 3, 5)]) / 255
    red, green, blue = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    return float(red), float(green), float(blue)


def _table(**codes: str) -> Mapping[str, tuple[float, float, float]]:
    return {name.replace("_", " "): linear(code) for name, code in codes.items()}


SKIN = _table(
    very_light="#f0cdb8",
    light="#e2b598",
    medium="#c99570",
    tan="#ab7850",
    brown="#7d5238",
    dark="#513527",
)
HAIR = _table(
    black="#14110f",
    dark_brown="#33221a",
    brown="#5b3d28",
    blond="#b98f56",
    red="#8a3f1e",
    grey="#8f8c88",
    white="#d5d1ca",
    pink="#c9718f",
    blue="#2f5a9c",
    purple="#68428f",
)
IRIS = _table(brown="#4a2a16", hazel="#6b5228", green="#4f6a42", blue="#4b7396", grey="#6d7a80")
CLOTH = _table(
    white="#e8e6e1", black="#1d1d20", grey="#84868a", red="#b3262b", blue="#2b56a8", green="#2f7d43",
    yellow="#e0b22c", orange="#d9702a", purple="#6a3d94", pink="#e08ca6", navy="#1f2b4d", brown="#6b4a32",
    teal="#1f7f83", beige="#cdb99a", maroon="#6d1f2f", olive="#6b6b35", sky_blue="#86b6dd",
)  # fmt: skip
BACKDROP = _table(
    white="#e4e2de", grey="#8c8e92", dark_grey="#3c3e43", blue="#6f93bd", green="#8fae92", beige="#d2c2a6",
    pink="#dbb4b5", teal="#5f9a98", yellow="#dcc77e", lavender="#a99bc4",
)  # fmt: skip
