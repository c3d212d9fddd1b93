"""The `everyday` preset: the corpus of the embedded base, people in whole scenes with few surprises.

It stands for the web pictures that a large base is trained on. What varies is named by the caption (see
`fairhuman.humans._description`): what a caption leaves open, a model must average over. It is narrow, and
nearly half of it is close-ups, so that a small network can learn it.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import warp as wp

from fairhuman.humans._camera import Shot
from fairhuman.humans._chance import Rng, choose, lips_of, vary
from fairhuman.humans._colours import BACKDROP, CLOTH, HAIR, IRIS, SKIN
from fairhuman.humans._face import face_changes, facial_actions, phenotype
from fairhuman.humans._pose import Pose
from fairhuman.humans._poses import POSES, aside
from fairhuman.humans._render import Person, Picture
from fairhuman.humans._stages import named_outdoors, named_room, soft_light
from fairhuman.humans._structs import Look, Stage
from fairhuman.humans._wardrobe import HEMS, NECKLINES, PATTERNS, SLEEVES, Outfit

_FRAMINGS = {
    "face close-up": 0.24,
    "hand close-up": 0.20,
    "head and shoulders": 0.16,
    "upper body": 0.22,
    "whole body": 0.18,
}
_FILL = {
    "face close-up": (0.82, 1.0),
    "hand close-up": (0.62, 0.85),
    "head and shoulders": (0.80, 0.96),
    "upper body": (0.84, 0.96),
    "whole body": (0.84, 0.94),
}
_AGES = {"young": 0.6, "middle-aged": 0.4}
_EXPRESSIONS = {"neutral": 0.5, "smiling": 0.5}
_HAIR = {
    "man": {"short": 0.62, "very short": 0.2, "bald": 0.18},
    "woman": {"long": 0.42, "bob": 0.3, "bun": 0.28},
}
_FAIR = {"black": 0.2, "brown": 0.35, "blond": 0.25, "red": 0.12, "grey": 0.08}
_DEEP = {"black": 0.62, "brown": 0.3, "grey": 0.08}
_DEEP_SKINS = ("tan", "brown", "dark")
_POSES = {
    "standing": 0.28,
    "waving": 0.2,
    "showing a hand": 0.4,
    "hands on hips": 0.12,
}
_GESTURES = {"open palm": 0.4, "thumb up": 0.3, "two fingers": 0.3}
_SHIRTS = ("white", "black", "grey", "red", "blue", "green", "yellow", "purple")
_TROUSERS = ("black", "navy", "grey", "beige")
_SHOES = ("black", "white", "brown")
_WALLS = ("white", "grey", "blue", "green", "beige", "pink")
_PLACES = {"plain": 0.44, "gradient": 0.26, "room": 0.15, "outdoors": 0.15}


def everyday(rng: Rng) -> Picture:
    """Eight shirt colours, four poses, three gestures, six hair styles; few rooms; soft light."""
    gender, age = choose(rng, ("man", "woman")), choose(rng, _AGES)
    skin, framing = choose(rng, tuple(SKIN)), choose(rng, _FRAMINGS)
    expression = choose(rng, _EXPRESSIONS)
    pose_name, pose = _pose(rng, framing)
    look, looks = _looks(rng, gender, age, skin)
    outfit, clothes = _clothes(rng, look)
    body = phenotype(rng, gender, age, skin)
    person = Person(
        phenotype=body,
        changes=face_changes(rng, 0.16),
        actions=facial_actions(expression, rng.uniform(0.8, 1.1)),
        pose=pose,
        hair=looks["hair"],
        outfit=outfit,
        look=look,
        seed=look.seed,
    )
    stage, place = _place(rng, framing)
    shift = 0.02 if framing.endswith("close-up") else 0.03
    left = pose.left_arm.landmark is None and pose.right_arm.landmark is not None
    shot = Shot(
        framing,
        rng.uniform(*_FILL[framing]),
        (rng.normal(0, shift), rng.normal(0, shift * 0.7)),
        elevation=rng.uniform(-3, 4),
        field=rng.uniform(22, 30),
        side="L" if left else "R",
    )
    lit = 1.0 if rng.random() < 0.5 else -1.0
    attributes = {
        "gender": gender,
        "age": age,
        "build": "slim" if body["weight"] < 0.38 else "heavy" if body["weight"] > 0.62 else "average",
        "skin_tone": skin,
        **looks,
        "expression": expression,
        "pose": pose_name,
        "gesture": "relaxed",  # settled by what the picture shows
        "left_gesture": pose.left_hand.name,
        "right_gesture": pose.right_hand.name,
        **clothes,
        "framing": framing,
        **place,
        "light": "right" if lit > 0 else "left",
    }
    return Picture(person, shot, stage, soft_light(rng, lit), attributes=attributes, preset="everyday")


def _pose(rng: Rng, framing: str) -> tuple[str, Pose]:
    name, gesture = choose(rng, _POSES), choose(rng, _GESTURES)
    if framing == "hand close-up":
        name = "showing a hand"
    if framing in ("face close-up", "head and shoulders"):
        name = "standing"
    gesture = {"showing a hand": gesture, "waving": "open palm"}.get(name, "relaxed")
    pose = POSES[name](rng, gesture)
    if framing == "hand close-up":
        pose = aside(pose)
    turn, nod, tilt = rng.normal(0, 8), rng.normal(0, 3), rng.normal(0, 2)
    body_turn = rng.normal(0, 6)
    gaze = (float(np.clip(-(turn + body_turn) * 0.8, -18, 18)), 0.0)
    return name, replace(pose, head=(turn, nod, tilt), gaze=gaze, turn=body_turn)


def _looks(rng: Rng, gender: str, age: str, skin_name: str) -> tuple[Look, dict[str, str]]:
    hair, deep = choose(rng, _HAIR[gender]), skin_name in _DEEP_SKINS
    hair_colour = choose(rng, _DEEP if deep else _FAIR)
    facial_hair = choose(rng, {"none": 0.7, "stubble": 0.1, "beard": 0.2}) if gender == "man" else "none"
    eyes = choose(rng, {"brown": 0.5, "blue": 0.3, "green": 0.2})
    if deep or hair_colour == "black":
        eyes = "brown"
    look = Look()
    skin, colour = vary(rng, SKIN[skin_name], 0.05), vary(rng, HAIR[hair_colour], 0.08)
    look.skin, look.hair, look.lips = wp.vec3(*skin), wp.vec3(*colour), wp.vec3(*lips_of(skin, gender, rng))
    look.brow = wp.vec3(*(np.asarray(colour) * 0.42 + np.asarray(skin) * 0.05))
    look.iris, look.brow_width = wp.vec3(*vary(rng, IRIS[eyes], 0.1)), 1.0 if gender == "woman" else 1.45
    look.beard = {"none": 0.0, "stubble": 0.42, "beard": 0.9}[facial_hair]
    look.blush, look.lines = rng.uniform(0.2, 0.6), {"young": 0.0, "middle-aged": 0.3}[age]
    look.cropped = 0.85 if hair == "very short" else 0.0
    look.seed = int(rng.integers(1 << 20))
    return look, {"hair": hair, "hair_color": hair_colour, "facial_hair": facial_hair, "eye_color": eyes}


def _clothes(rng: Rng, look: Look) -> tuple[Outfit, dict[str, str]]:
    shirt, sleeves = choose(rng, _SHIRTS), choose(rng, ("short", "long"))
    trousers, shoes = choose(rng, _TROUSERS), choose(rng, _SHOES)
    look.top = look.top2 = wp.vec3(*vary(rng, CLOTH[shirt], 0.06))
    look.bottom = wp.vec3(*vary(rng, CLOTH[trousers], 0.06))
    look.shoe, look.sole = wp.vec3(*CLOTH[shoes]), wp.vec3(0.55, 0.53, 0.5)
    look.pattern, look.neck, look.folds = PATTERNS.index("plain"), NECKLINES["crew"], 0.20
    look.sleeve, look.hem, look.waist = SLEEVES[sleeves], HEMS["full"], -0.02
    return Outfit(SLEEVES[sleeves], HEMS["full"]), {
        "top": "t-shirt" if sleeves == "short" else "long-sleeved shirt",
        "shirt_color": shirt,
        "pattern": "plain",
        "sleeves": sleeves,
        "bottom": "trousers",
        "bottom_color": trousers,
        "bottom_length": "full",
        "shoe_color": shoes,
    }


def _place(rng: Rng, framing: str) -> tuple[Stage, dict[str, str]]:
    kind, colour = choose(rng, _PLACES), choose(rng, _WALLS)
    facts = {"background": kind, "background_color": "none", "floor": "none", "sky": "none"}
    if kind == "room":
        stage, floor = named_room(rng, colour)
        return stage, {**facts, "background_color": colour, "floor": floor}
    if kind == "outdoors":
        stage, ground, sky = named_outdoors(rng)
        return stage, {**facts, "floor": ground, "sky": sky}
    stage, base = Stage(), np.asarray(vary(rng, BACKDROP[colour], 0.06))
    low, high = (base * 0.55, base * 1.15) if kind == "gradient" else (base, base)
    stage.kind, stage.wall_y, stage.grounded = 0, 1.6, int(framing == "whole body")
    stage.low, stage.high = wp.vec3(*low), wp.vec3(*high)
    stage.radial, stage.centre = 0.0, wp.vec2(0.5, 0.4)
    return stage, {**facts, "background_color": colour}
