"""What is read of each view, and in which renders and captions it can be known.

A shirt's colour cannot be read off a close-up of a hand: an attribute counts only where the framing shows
it, or, for a generated image, where the caption speaks of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from fairhuman.humans._caption import WORDS

ATTRIBUTES: Final[Mapping[str, tuple[str, ...]]] = {
    "whole": ("framing", "gender", "shirt_color", "pose", "sleeves", "bottom_color", "background_color"),
    "head": ("gender", "expression", "age", "skin_tone", "hair", "hair_color", "facial_hair"),
    "hand": ("gesture", "skin_tone"),
}
"""View to the attributes that are read of it."""

CAPTIONED: Final = ("framing", "gender", "shirt_color", "pose")
"""Attributes of the whole view that captions state."""

_ARMS: Final = ("upper body", "whole body")
_SHOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "gender": ("face close-up", "head and shoulders", *_ARMS),
    "shirt_color": ("head and shoulders", *_ARMS),
    "pose": _ARMS,
    "sleeves": _ARMS,
    "bottom_color": ("whole body",),
}
_SHIRTS: Final = "|".join(sorted({word for word in WORDS["top"].values() if word}, key=len, reverse=True))


def known_attributes(attributes: Mapping[str, str], view: str, side: str = "") -> dict[str, str | None]:
    """What can be known of a view of a render; None where its framing does not show it.

    Args:
        attributes: The render's own, as its metadata has them.
        view: ``whole``, ``head`` or ``hand``.
        side: Of a hand: ``left`` or ``right``.
    """
    found: dict[str, str | None] = {}
    for name in ATTRIBUTES[view]:
        value = attributes.get(f"{side}_gesture" if name == "gesture" else name)
        if view == "whole" and attributes.get("framing") not in _SHOWN.get(name, (attributes["framing"],)):
            value = None
        found[name] = value
    if found.get("hair") == "bald":
        found["hair_color"] = None
    return found


def caption_attributes(caption: str) -> dict[str, str | None]:
    """What a caption of a rendered person says; None for what it leaves unsaid.

    >>> caption_attributes("A smiling woman in a red t-shirt waving, upper body")
    {'framing': 'upper body', 'gender': 'woman', 'shirt_color': 'red', 'pose': 'waving'}
    """
    text = caption.lower()
    if text.startswith("close-up of a hand"):
        return {"framing": "hand close-up", "gender": None, "shirt_color": None, "pose": None}
    framing = "face close-up" if text.startswith("close-up of") else None
    for name in ("head and shoulders", "upper body", "whole body", "knees up", "distant"):
        if f", {WORDS['framing'][name]}" in text:
            framing = name
    gender = re.search(r"\b(woman|man)\b", text)
    shirt = re.search(rf"\b({'|'.join(WORDS['shirt_color'])}) (?:{_SHIRTS})\b", text)
    return {
        "framing": framing,
        "gender": gender and gender[1],
        "shirt_color": shirt and shirt[1],
        "pose": _pose(text),
    }


def _pose(text: str) -> str | None:
    for name, words in WORDS["pose"].items():
        if words and re.search(rf"\b{words}\b", text):
            return name
    gestures: Mapping[str, Any] = WORDS["gesture"]
    return "showing a hand" if any(words and words in text for words in gestures.values()) else None
