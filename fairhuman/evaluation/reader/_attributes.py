"""What is read of each view, and in which renders and captions it can be known.

A shirt's colour cannot be read off a close-up of a hand: an attribute counts only where the framing shows
it, or, for a generated image, where the caption speaks of it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

from fairhuman.humans._caption import words_for

ATTRIBUTES: Final[Mapping[str, tuple[str, ...]]] = {
    "whole": (
        *("framing", "gender", "shirt_color", "pose", "gesture", "hair", "hair_color"),
        *("sleeves", "bottom_color", "background_color"),
    ),
    "head": ("gender", "expression", "age", "skin_tone", "hair", "hair_color", "facial_hair"),
    "hand": ("gesture", "skin_tone"),
}
"""View to the attributes that are read of it."""

CAPTIONED: Final = ("framing", "gender", "shirt_color", "pose", "gesture", "hair", "hair_color")
"""Attributes of the whole view that captions state."""

_ARMS: Final = ("chest up", "upper body", "knees up", "whole body")
_HEADS: Final = ("face close-up", "head and shoulders", *_ARMS)
_SHOWN: Final[Mapping[str, tuple[str, ...]]] = {
    "gender": _HEADS,
    "shirt_color": ("head and shoulders", *_ARMS),
    "pose": _ARMS,
    "gesture": ("hand close-up", *_ARMS),
    "hair": _HEADS,
    "hair_color": _HEADS,
    "sleeves": _ARMS,
    "bottom_color": ("knees up", "whole body"),
}
_SHIRTS: Final = "|".join(sorted({word for word in words_for("top").values() if word}, key=len, reverse=True))


def known_attributes(attributes: Mapping[str, str], view: str, side: str = "") -> dict[str, str | None]:
    """What can be known of a view of a render; None where its framing does not show it.

    Args:
        attributes: The render's, from its metadata.
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

    >>> said = caption_attributes("A smiling woman in a red t-shirt waving, upper body")
    >>> {name: value for name, value in said.items() if value}
    {'framing': 'upper body', 'gender': 'woman', 'shirt_color': 'red', 'pose': 'waving'}
    """
    text = re.sub(r"\b(?:the|a) (?:left|right) hand\b", "a hand", caption.lower())
    gestures = words_for("gesture").items()
    gesture = next((name for name, words in gestures if words and words in text), None)
    said: dict[str, str | None] = dict.fromkeys(CAPTIONED)
    if re.match(r"close-up of a (left |right )?hand", text):
        return said | {"framing": "hand close-up", "gesture": gesture}
    framing = "face close-up" if text.startswith("close-up of") else None
    for name, words in words_for("framing").items():
        if f", {words}" in text:
            framing = name
    gender = re.search(r"\b(woman|man)\b", text)
    shirt = re.search(rf"\b({'|'.join(words_for('shirt_color'))}) (?:{_SHIRTS})\b", text)
    hair, colour = _hair(text)
    return said | {
        "framing": framing,
        "gender": gender and gender[1],
        "shirt_color": shirt and shirt[1],
        "pose": _pose(text),
        "gesture": gesture,
        "hair": hair,
        "hair_color": colour,
    }


def _hair(text: str) -> tuple[str | None, str | None]:
    """Its style and colour."""
    colours = "|".join(words_for("hair_color"))
    for name, words in words_for("hair").items():
        pattern = "bald" if words is None else words.format(f"({colours})")
        # "short hair" is also the end of "very short hair".
        found = re.search(rf"(?<!very )\b{pattern}\b", text)
        if found:
            return name, found[1] if words else None
    return None, None


def _pose(text: str) -> str | None:
    for name, words in words_for("pose").items():
        if words and re.search(rf"\b{words}\b", text):
            return name
    if "with arms at the sides" in text:
        return "standing"
    if not any(words and words in text for words in words_for("gesture").values()):
        return None
    return "showing both hands" if "with both hands" in text else "showing a hand"
