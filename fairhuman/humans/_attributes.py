"""Says of a person's hands only what the picture shows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from fairhuman.humans._types import HumanImage, Part

_ENOUGH = 0.001  # of the picture's area


def seen_attributes(picture: HumanImage) -> HumanImage:
    """The same picture with `gesture` settled: what the more conspicuous visible hand does.

    `relaxed` where no hand is seen. The other attributes are facts about the person,
    whether or not the framing shows them; the keys are the same in every picture.
    """
    share = np.bincount(picture.parts.ravel(), minlength=len(Part)) / picture.parts.size
    hands = [
        picture.attributes[name]
        for name, part in (
            ("left_gesture", Part.LEFT_HAND),
            ("right_gesture", Part.RIGHT_HAND),
        )
        if share[part] >= _ENOUGH
    ]
    gesture = next((hand for hand in hands if hand != "relaxed"), "relaxed")
    return replace(picture, attributes={**picture.attributes, "gesture": gesture})
