"""Captions that name what varies: skin, build, the turn of the head, which hand does what, light, place.

A caption is one of three kinds, by chance: in full; with some details left out; or as brief as those of
`fairhuman.humans._caption`. All are true of the picture. Left and right of a hand are the person's, of
everything else the picture's; mirroring a picture exchanges the two words (`mirrored`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import numpy as np

from fairhuman.humans._caption import ADDED, View, brief, brief_vocabulary, joined, with_article, words_for
from fairhuman.humans._colours import IRIS, SKIN
from fairhuman.humans._types import HumanImage, Part

BRIEF: Final = 0.12
"""Share of captions in the brief style."""
_LEFT_OUT: Final = 0.12  # share of each detail that goes unsaid
_SLIGHTLY, _CLEARLY = 9.0, 22.0  # degrees of the head's turn from the camera

DETAILS: Final[Mapping[str, Mapping[str, str | None]]] = {
    "age": {"middle-aged": "middle-aged"},
    "build": {"slim": "slim", "average": None, "heavy": "heavy"},
    "facial_hair": {"stubble": "stubble"},
    "floor": {
        "none": None,
        "wooden": "a wooden floor",
        "tiled": "a tiled floor",
        "grey": "a grey floor",
        "grass": "on grass",
        "gravel": "on gravel",
        "paving": "on paving",
    },
    "sky": {"none": None, "blue": "a blue sky", "grey": "a grey sky"},
    "light": {"left": "lit from the left", "right": "lit from the right"},
}
ADDED_DETAILS: Final[Mapping[str, Mapping[str, str | None]]] = {
    "light": {"above": "lit from above", "behind": "lit from behind"},
    "light_color": {"neutral": None, "warm": "warm light", "cool": "cool light"},
    "glasses": {"none": None, "round": "round {} glasses", "square": "{} glasses"},
}
"""As `fairhuman.humans._caption.ADDED`: no part of the vocabulary."""

GRAMMAR: Final = (
    "skin eyes facing the camera turned slightly to left right hand arms at sides shaded plain background"
    " shoes sleeve wall floor under both"
)


def caption(human: HumanImage, rng: np.random.Generator) -> str:
    """Words for a picture, in detail where its preset states the light; `rng` decides how much is said.

    Raises:
        ValueError: An attribute that is missing, or has a value there are no words for.
    """
    if "light" not in human.attributes or rng.random() < BRIEF:
        return brief(human, rng)
    tell = _Teller(human, rng)
    framing = tell.detail("framing")
    if tell.view.framing == "hand close-up":
        side = _shown_side(human)
        phrases = [
            f"close-up of a {side} hand",
            tell.view.word("gesture"),
            tell.maybe(f", {human.attributes['skin_tone']} skin"),
            tell.maybe(f", {human.attributes['shirt_color']} sleeve") if tell.view.sees("top") else None,
        ]
    else:
        close = tell.view.framing == "face close-up"
        phrases = [
            framing if close else None,
            tell.person(),
            tell.looks(close),
            tell.turn(),
            None if close else tell.clothes(),
            None if close else tell.doing(),
            None if close else f", {framing}",
        ]
    text = joined(*phrases, tell.maybe(tell.light()), tell.place())
    return text[0].upper() + text[1:]


def caption_vocabulary() -> tuple[str, ...]:
    """Every word and mark that a caption can hold, in lower case and alphabetical order."""
    phrases = [phrase for words in DETAILS.values() for phrase in words.values() if phrase]
    skins, eyes = " ".join(SKIN), " ".join(IRIS)
    words = {word for phrase in (*phrases, GRAMMAR, skins, eyes) for word in phrase.split()}
    return tuple(sorted(words | set(brief_vocabulary())))


class _Teller:
    """Phrases about one picture; each detail is left out now and then."""

    def __init__(self, human: HumanImage, rng: np.random.Generator) -> None:
        self.human, self.view, self._rng = human, View(human), rng
        self._shares = np.bincount(human.parts.ravel(), minlength=len(Part)) / human.parts.size

    def maybe(self, phrase: str | None) -> str | None:
        return phrase if self._rng.random() >= _LEFT_OUT else None

    def detail(self, attribute: str) -> str | None:
        value = self.human.attributes.get(attribute)
        details = {**DETAILS.get(attribute, {}), **ADDED_DETAILS.get(attribute, {})}
        known = {**words_for(attribute), **details}
        if value not in known:
            raise ValueError(f"attributes: {attribute} must be one of {', '.join(known)}, got {value!r}")
        return known[value]

    def person(self) -> str:
        expression = self.detail("expression") if self.view.sees("face") else None
        build = self.detail("build") if self.view.framing != "face close-up" else None
        bald = "bald" if self.detail("hair") is None else None
        return with_article(
            joined(expression, self.maybe(self.detail("age")), self.maybe(build), bald, self.detail("gender"))
        )

    def looks(self, close: bool) -> str | None:
        facts = self.human.attributes
        hair = self.detail("hair")
        said = [self.maybe(f"{facts['skin_tone']} skin")]
        if hair and self.view.sees("hair"):
            said.append(self.maybe(hair.format(self.detail("hair_color"))))
        if self.view.sees("face"):
            said.append(self.detail("facial_hair"))
            if facts.get("glasses", "none") != "none" and (glasses := self.detail("glasses")):
                said.append(self.maybe(glasses.format(facts["glasses_color"])))
        if close and self.view.sees("face"):
            said.append(self.maybe(f"{facts['eye_color']} eyes"))
        return f"with {_listed(said)}" if any(said) else None

    def turn(self) -> str | None:
        yaw = self.human.face_yaw
        side = "right" if yaw > 0 else "left"
        if abs(yaw) < _SLIGHTLY:
            return self.maybe(", facing the camera")
        return self.maybe(f", turned {'slightly ' if abs(yaw) < _CLEARLY else ''}to the {side}")

    def clothes(self) -> str | None:
        facts, worn = self.human.attributes, []
        if self.view.sees("top"):
            pattern, colour = self.detail("pattern"), self.detail("shirt_color")
            worn.append(with_article(joined(pattern, colour, self.detail("top"))))
        if self.view.sees("bottom"):
            worn.append(joined(self.detail("bottom_color"), self.detail("bottom")))
        if max(self._shares[[Part.LEFT_FOOT, Part.RIGHT_FOOT]]) >= 0.001:
            worn.append(self.maybe(f"{facts['shoe_color']} shoes"))
        return f", in {_listed(worn)}" if any(worn) else None

    def doing(self) -> str | None:
        pose = self.human.attributes["pose"]
        if pose == "standing":
            return joined(
                "," if self.view.sees("legs") or self.view.sees("hand") else None,
                "standing" if self.view.sees("legs") else None,
                "with arms at the sides" if self.view.sees("hand") else None,
            )
        if not self.view.sees("hand"):
            return None
        phrase = self.view.word("pose") or self.view.word("gesture")
        side = _shown_side(self.human)
        if pose == "showing both hands":
            return f", {phrase} with both hands"
        if pose in ("waving", "showing a hand") and phrase:
            return f", {phrase} with the {side} hand"
        if pose in ADDED["pose"] and phrase:
            phrase = phrase.replace(" a hand", f" the {side} hand")
        return f", {phrase}"

    def light(self) -> str:
        colour = self.detail("light_color") if "light_color" in self.human.attributes else None
        words = self.detail("light")
        return f", {words.replace('lit', colour) if words and colour else words}"

    def place(self) -> str | None:
        facts, kind = self.human.attributes, self.human.attributes["background"]
        if not self.view.sees("background"):
            return None
        floor = self.detail("floor") if self.view.framing in ("knees up", "whole body") else None
        if kind == "room":
            wall = with_article(f"{facts['background_color']} wall")
            return self.maybe(f", in a room with {_listed([wall, floor])}")
        if kind == "outdoors":
            return self.maybe(joined(", outdoors", floor, "under", self.detail("sky")))
        if place := ADDED["background"].get(kind):
            return self.maybe(f", {place.format(facts['background_color'])}")
        shade = "shaded" if kind == "gradient" else "plain"
        return self.maybe(f", {shade} {facts['background_color']} background")


def _shown_side(human: HumanImage) -> str:
    """Which hand of the person the pose shows: that whose gesture is not the other's rest."""
    return "left" if human.attributes["left_gesture"] != "relaxed" else "right"


def _listed(phrases: list[str | None]) -> str:
    """`a`, `a and b`, or `a, b and c`."""
    said = [phrase for phrase in phrases if phrase]
    return " and ".join(filter(None, [", ".join(said[:-1]), said[-1]]))
