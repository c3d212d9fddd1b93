"""Captions in the brief style of the paper's validation set (§7.2), true of the picture.

"A woman in a blue shirt waving, upper body". What a caption says of a person comes from the
attributes that she was drawn by; whether it may say so is decided by what the rays hit: a garment,
a hand or an expression that cannot be seen is not spoken of. Left and right stay unsaid, so that a
caption is as true of the mirrored picture.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from fairhuman.humans._colours import BACKDROP, CLOTH, HAIR
from fairhuman.humans._types import HumanImage, Part

Words = Mapping[str, str | None]


def _same(*names: str) -> dict[str, str | None]:
    return {name: name for name in names}


WORDS: Final[Mapping[str, Words]] = {
    "gender": _same("woman", "man"),
    "age": {"young": "young", "middle-aged": None, "elderly": "elderly"},
    "expression": {"neutral": None, **_same("smiling", "laughing", "surprised", "frowning", "sad", "pouting")}
    | {"eyes closed": None},
    "hair": {
        "bald": None,
        "very short": "very short {} hair",
        "short": "short {} hair",
        "short curly": "short curly {} hair",
        "bob": "a {} bob",
        "long": "long {} hair",
        "long wavy": "long wavy {} hair",
        "bun": "{} hair in a bun",
        "ponytail": "{} hair in a ponytail",
        "afro": "a {} afro",
    },
    "hair_color": _same(*HAIR),
    "facial_hair": {"none": None, "stubble": None, "beard": "a beard", "moustache": "a moustache"},
    "top": {"long-sleeved shirt": "shirt"}
    | _same("t-shirt", "shirt", "tank top", "blouse", "sweater", "hoodie", "jacket", "dress"),
    "shirt_color": _same(*CLOTH),
    "pattern": {"plain": None, "buttoned": None, "open": None, "block": None} | _same("striped", "checked"),
    "bottom": {"none": None} | _same("trousers", "jeans", "shorts", "leggings", "skirt"),
    "bottom_color": {"none": None} | _same(*CLOTH),
    "pose": {
        **_same("standing", "walking", "waving"),
        "showing a hand": None,  # the gesture says it
        "hands on hips": "with hands on hips",
        "hand on hip": "with a hand on the hip",
        "arms crossed": "with arms crossed",
        "arms raised": "with arms raised",
        "one arm raised": "with an arm raised",
        "reaching": "reaching out",
        "hands clasped": "with hands clasped",
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
        "face close-up": "close-up of",
        "hand close-up": "close-up of a hand",
        **_same("head and shoulders", "upper body", "whole body"),
        "knees up": "from the knees up",
        "distant": "in the distance",
    },
    "background": {"plain": None, "gradient": None, "room": "in a room", "outdoors": "outdoors"},
    "background_color": {"none": None} | _same(*BACKDROP),
}
"""Attribute to the words for each of its values; None leaves the matter unsaid."""

ADDED: Final[Mapping[str, Words]] = {
    "hair": {"two buns": "{} hair in two buns"},
    "top": {"turtleneck": "turtleneck"},
    "pattern": {"dotted": "dotted"},
    "pose": {
        "showing both hands": None,  # the gesture says it
        "palms together": "with palms together",
        "hand on chest": "with a hand on the chest",
        "hand on chin": "with a hand on the chin",
    },
    "gesture": {
        "three fingers": "showing three fingers",
        "four fingers": "showing four fingers",
        "ok sign": "making an ok sign",
        "rock sign": "making a rock sign",
        "call sign": "making a call sign",
        "thumb down": "giving a thumbs down",
    },
    "framing": {"chest up": "from the chest up"},
    "background": {
        "brick wall": "brick wall background",
        "bookshelf": "bookshelf background",
        "curtain": "{} curtain background",
        "beach": "on a beach",
        "street": "in a street",
        "garden": "in a garden",
        "evening": "under an evening sky",
    },
}
"""More values, of which the captions of the base's corpora know nothing.

Their words are no part of the vocabulary: a trained base's tokenizer cannot grow, and takes them apart.
"""


def words_for(attribute: str) -> Words:
    """The words for each value of an attribute, those that were added among them."""
    return {**WORDS.get(attribute, {}), **ADDED.get(attribute, {})}


_GRAMMAR: Final = "a an in and with , background bald wearing"
_PLURAL: Final = ("trousers", "jeans", "shorts", "leggings")
_OF_LEGS: Final = ("standing", "walking")  # poses that need legs to be seen; the others need a hand

# Least share of the picture that a thing must cover to be spoken of.
_SEEN: Final[Mapping[str, float]] = {
    "face": 0.008,
    "hair": 0.003,
    "hand": 0.002,
    "top": 0.015,
    "bottom": 0.015,
    "legs": 0.04,
    "background": 0.15,
}
# Of a person far away a tenth of it suffices, but for the face and the hair.
_SEEN_FAR: Final = {thing: _SEEN[thing] / 10 for thing in ("hand", "top", "bottom", "legs")}
_FACING: Final = 60  # degrees; an expression is hard to tell from farther to the side


def brief(human: HumanImage, rng: np.random.Generator) -> str:
    """Words for a picture; `rng` chooses between ways to say the same.

    Raises:
        ValueError: An attribute that is missing, or has a value there are no words for.
    """
    view = View(human)
    framing = view.word("framing")
    if view.framing == "hand close-up":
        phrases = [framing, view.word("gesture")]
    elif view.framing == "face close-up":
        phrases = [framing, _person(view), _hair(view, always=True, rng=rng)]
    else:
        hair = _hair(view, always=False, rng=rng)
        phrases = [_person(view), hair, _clothes(view, rng), _doing(view), f", {framing}"]
    text = joined(*phrases, _background(view, rng))
    return text[0].upper() + text[1:]


def brief_vocabulary() -> tuple[str, ...]:
    """Every word and mark that a brief caption can hold, in lower case and alphabetical order."""
    phrases = [phrase for words in WORDS.values() for phrase in words.values() if phrase]
    return tuple(sorted({word for phrase in (*phrases, _GRAMMAR) for word in phrase.split()} - {"{}"}))


class View:
    """What can be seen in a picture, and the words for it."""

    def __init__(self, human: HumanImage) -> None:
        self._attributes = human.attributes
        self.framing, self.pose = human.attributes.get("framing"), human.attributes.get("pose")
        shares = np.bincount(human.parts.ravel(), minlength=len(Part)) / human.parts.size
        facing = abs(human.face_yaw) <= _FACING
        self._shares = {
            "face": shares[[Part.FACE, Part.EYES, Part.MOUTH]].sum() if facing else 0,
            "hair": shares[Part.HAIR],
            "hand": shares[[Part.LEFT_HAND, Part.RIGHT_HAND]].max(),
            "top": shares[Part.TOP],
            "bottom": shares[Part.BOTTOM],
            "legs": shares[[Part.BOTTOM, Part.LEGS]].sum(),
            "background": shares[Part.BACKGROUND],
        }

    def sees(self, thing: str) -> bool:
        least = _SEEN_FAR.get(thing, _SEEN[thing]) if self.framing == "distant" else _SEEN[thing]
        return bool(self._shares[thing] >= least)

    def word(self, attribute: str) -> str | None:
        known, value = words_for(attribute), self._attributes.get(attribute)
        if value is None or value not in known:
            raise ValueError(f"attributes: {attribute} must be one of {', '.join(known)}, found {value!r}")
        return known[value]


def _person(view: View) -> str:
    expression = view.word("expression") if view.sees("face") else None
    bald = "bald" if view.word("hair") is None else None
    return with_article(joined(expression, view.word("age"), bald, view.word("gender")))


def _hair(view: View, always: bool, rng: np.random.Generator) -> str | None:
    hair, beard = view.word("hair"), view.word("facial_hair")
    if not always and rng.random() < 0.5:
        return None
    said = [hair.format(view.word("hair_color"))] if hair and view.sees("hair") else []
    if beard and view.sees("face"):
        said.append(beard)
    return f"with {' and '.join(said)}" if said else None


def _clothes(view: View, rng: np.random.Generator) -> str | None:
    worn = []
    if view.sees("top"):
        worn.append(with_article(joined(view.word("pattern"), view.word("shirt_color"), view.word("top"))))
    if view.sees("bottom") and view.word("bottom"):
        worn.append(with_article(joined(view.word("bottom_color"), view.word("bottom"))))
    return f"{'in' if rng.random() < 0.7 else 'wearing'} {' and '.join(worn)}" if worn else None


def _doing(view: View) -> str | None:
    if view.pose in _OF_LEGS:
        return view.word("pose") if view.sees("legs") else None
    if not view.sees("hand"):
        return None
    return view.word("pose") or view.word("gesture")


def _background(view: View, rng: np.random.Generator) -> str | None:
    place, colour = view.word("background"), view.word("background_color")
    if not ((place or colour) and view.sees("background")) or rng.random() < 0.5:
        return None
    return f", {place.format(colour) if place else f'{colour} background'}"


def with_article(noun: str) -> str:
    if noun.endswith(_PLURAL):
        return noun
    return f"{'an' if noun[0] in 'aeiou' else 'a'} {noun}"


def joined(*phrases: str | None) -> str:
    return " ".join(phrase for phrase in phrases if phrase).replace(" ,", ",")
