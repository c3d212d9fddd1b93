"""Captions in the brief style of the paper's validation set (§7.2), true of the picture.

"A woman in a blue shirt waving, upper body". What a caption says of a person comes from the
attributes that she was drawn by; whether it may say so is decided by what the rays hit: a garment,
a hand or an expression that cannot be seen is not spoken of.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from fairhuman.humans._types import HumanImage, Part

# Attribute to the words for each of its values. None leaves the matter unsaid.
Words = Mapping[str, str | None]
COLOURS: Final = (
    "black",
    "white",
    "gray",
    "red",
    "orange",
    "yellow",
    "green",
    "blue",
    "purple",
    "pink",
    "brown",
)
WORDS: Final[Mapping[str, Words]] = {
    "gender": {"woman": "woman", "man": "man"},
    "age": {"young": "young", "middle-aged": None, "old": "old"},
    "expression": {
        "neutral": None,
        "smiling": "smiling",
        "laughing": "laughing",
        "surprised": "surprised",
        "sad": "sad",
        "angry": "angry",
    },
    "hair": {"none": None, "short": "short", "long": "long", "bun": "bun"},
    "hair_color": {name: name for name in ("black", "brown", "blond", "red", "gray", "white")},
    "top": {name: name for name in ("shirt", "sweater")},
    "top_color": {name: name for name in COLOURS},
    "bottom": {name: name for name in ("trousers", "shorts")},
    "bottom_color": {name: name for name in COLOURS},
    "pose": {
        "standing": "standing",
        "walking": "walking",
        "waving": "waving",
        "hands on hips": "with hands on hips",
        "arms crossed": "with arms crossed",
        "arms raised": "with arms raised",
        "reaching": "reaching out",
    },
    "gesture": {
        "relaxed": None,
        "open palm": "showing an open palm",
        "fist": "making a fist",
        "pointing": "pointing",
        "thumb up": "giving a thumbs up",
        "two fingers": "showing two fingers",
        "gripping": "gripping",
    },
    "framing": {
        "face": "face",
        "hand": "hand",
        "head and shoulders": "head and shoulders",
        "upper body": "upper body",
        "whole body": "whole body",
    },
    "background_color": {name: name for name in COLOURS},
}
_WITH_HANDS: Final = ("waving", "hands on hips", "arms crossed", "arms raised", "reaching")
_PLURAL: Final = ("trousers", "shorts")
_GRAMMAR: Final = "a an in and with hair close-up of the hand background , bald wearing"

# Least share of the picture that a thing must cover to be spoken of.
_SEEN: Final[Mapping[str, float]] = {
    "face": 0.008,
    "hair": 0.003,
    "hand": 0.003,
    "top": 0.02,
    "bottom": 0.02,
    "legs": 0.04,
}
_FACING = 60  # degrees; an expression is hard to tell from farther to the side


def caption(human: HumanImage, rng: np.random.Generator) -> str:
    """Words for a picture; `rng` chooses between ways to say the same.

    Raises:
        ValueError: An attribute that is missing, or has a value there are no words for.
    """
    view = _View(human)
    text = _hand(view, rng) if view.word("framing") == "hand" else _person(view, rng)
    return text[0].upper() + text[1:]


def caption_vocabulary() -> tuple[str, ...]:
    """Every word and mark that a caption can hold, in lower case and alphabetical order."""
    phrases = [phrase for words in WORDS.values() for phrase in words.values() if phrase]
    return tuple(sorted({word for phrase in (*phrases, _GRAMMAR) for word in phrase.split()}))


class _View:
    """What can be seen in a picture, and the words for it."""

    def __init__(self, human: HumanImage) -> None:
        self._attributes = human.attributes
        self.pose = human.attributes.get("pose")
        shares = np.bincount(human.parts.ravel(), minlength=len(Part)) / human.parts.size
        self._left, self._right = (float(shares[part]) for part in (Part.LEFT_HAND, Part.RIGHT_HAND))
        self._shares = {
            "face": shares[[Part.FACE, Part.EYES, Part.MOUTH]].sum() if abs(human.face_yaw) <= _FACING else 0,
            "hair": shares[Part.HAIR],
            "hand": max(self._left, self._right),
            "top": shares[Part.TOP],
            "bottom": shares[Part.BOTTOM],
            "legs": shares[[Part.BOTTOM, Part.LEGS]].sum(),
        }

    def sees(self, thing: str) -> bool:
        return bool(self._shares[thing] >= _SEEN[thing])

    def gesture(self) -> str | None:
        """What the hand does that covers more of the picture."""
        return self.word("left_gesture" if self._left >= self._right else "right_gesture", "gesture")

    def word(self, attribute: str, words: str | None = None) -> str | None:
        """The words for an attribute; `words` names the table where that has another name."""
        known = WORDS[words or attribute]
        value = self._attributes.get(attribute)
        if value not in known:
            raise ValueError(f"attributes: {attribute} must be one of {', '.join(known)}, found {value!r}")
        return known[value]


def _hand(view: _View, rng: np.random.Generator) -> str:
    # Which hand it is stays unsaid, so that a caption is as true of the mirrored picture.
    return _joined("close-up of a hand", view.gesture(), _background(view, rng))


def _person(view: _View, rng: np.random.Generator) -> str:
    framing, close = view.word("framing"), view.word("framing") == "face"
    hair = view.word("hair")
    person = _joined(
        view.word("expression") if view.sees("face") else None,
        view.word("age"),
        "bald" if hair is None else None,
        view.word("gender"),
    )
    person = f"{'an' if person[0] in 'aeiou' else 'a'} {person}"
    said = None
    if hair and view.sees("hair") and (close or rng.random() < 0.5):
        said = f"with {hair} {view.word('hair_color')} hair"
    if close:
        return _joined("close-up of", person, said, _background(view, rng))
    return _joined(person, said, _clothes(view, rng), _doing(view), f", {framing}", _background(view, rng))


def _clothes(view: _View, rng: np.random.Generator) -> str | None:
    worn = []
    for garment in ("top", "bottom"):
        if view.sees(garment):
            name = _joined(view.word(f"{garment}_color"), view.word(garment))
            article = "" if name.endswith(_PLURAL) else "an " if name[0] in "aeiou" else "a "
            worn.append(article + name)
    return f"{'in' if rng.random() < 0.7 else 'wearing'} {' and '.join(worn)}" if worn else None


def _doing(view: _View) -> str | None:
    """What the body does, then what a hand does unless the pose already says it."""
    pose = view.word("pose") if view.sees("hand" if view.pose in _WITH_HANDS else "legs") else None
    if view.pose in _WITH_HANDS or not view.sees("hand"):
        return pose
    gesture = view.gesture()
    return " and ".join(filter(None, (pose, gesture))) or None


def _background(view: _View, rng: np.random.Generator) -> str | None:
    colour = view.word("background_color")
    return f", {colour} background" if colour and rng.random() < 0.5 else None


def _joined(*phrases: str | None) -> str:
    return " ".join(phrase for phrase in phrases if phrase).replace(" ,", ",")
