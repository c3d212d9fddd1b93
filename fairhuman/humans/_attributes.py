"""Keeps, of what is known about a person, what the picture shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fairhuman.humans._types import HumanImage, Part

_ENOUGH = 0.004  # of the picture's area

# Attributes that only hold where one of these parts takes enough of the picture.
_NEEDS: dict[str, tuple[Part, ...]] = {
    "expression": (Part.FACE,),
    "facial_hair": (Part.FACE,),
    "eye_color": (Part.EYES,),
    "hair": (Part.HAIR, Part.FACE),
    "hair_color": (Part.HAIR,),
    "top": (Part.TOP,),
    "shirt_color": (Part.TOP,),
    "pattern": (Part.TOP,),
    "sleeves": (Part.ARMS, Part.LEFT_HAND, Part.RIGHT_HAND),
    "bottom": (Part.BOTTOM,),
    "bottom_color": (Part.BOTTOM,),
    "bottom_length": (Part.LEFT_FOOT, Part.RIGHT_FOOT, Part.LEGS),
    "shoe_color": (Part.LEFT_FOOT, Part.RIGHT_FOOT),
    "left_gesture": (Part.LEFT_HAND,),
    "right_gesture": (Part.RIGHT_HAND,),
}
_SMALL = {"eye_color": 0.0005, "expression": 0.002, "facial_hair": 0.002, "hair_color": 0.0015, "shoe_color": 0.001,
          "bottom_length": 0.001, "left_gesture": 0.001, "right_gesture": 0.001, "sleeves": 0.0015, "hair": 0.001}  # fmt: skip


def seen_attributes(picture: HumanImage) -> HumanImage:
    """The same picture without attributes of what it does not show.

    `gesture` becomes the one gesture shown by a visible hand that is not relaxed, or
    `relaxed`; it goes where no hand is to be seen.
    """
    share = np.bincount(picture.parts.ravel(), minlength=len(Part)) / picture.parts.size
    kept = {
        name: value
        for name, value in picture.attributes.items()
        if name not in _NEEDS or sum(share[part] for part in _NEEDS[name]) >= _SMALL.get(name, _ENOUGH)
    }
    hands = [kept[name] for name in ("left_gesture", "right_gesture") if name in kept]
    kept.pop("gesture", None)
    if hands:
        kept["gesture"] = next((hand for hand in hands if hand != "relaxed"), "relaxed")
    return replace(picture, attributes=kept)
