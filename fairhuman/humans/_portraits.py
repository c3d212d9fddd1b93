"""The `portraits` preset: the fine-tuning set, people near enough to see faces and hands well.

It stands for the paper's set of selected photographs, and holds what the base's corpus (`everyday`) lacks:
patterned clothes in other colours, curls, buns and dyed hair, moustaches, glasses, other signs of the hand,
a hand at the chin, light of a colour or from behind, and places with something in them.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import warp as wp

from fairhuman.humans._camera import Shot
from fairhuman.humans._chance import Rng, choose, lips_of, vary
from fairhuman.humans._colours import BACKDROP, CLOTH, HAIR, IRIS, SKIN
from fairhuman.humans._face import face_changes, facial_actions, phenotype
from fairhuman.humans._glasses import RIMS
from fairhuman.humans._pose import Pose
from fairhuman.humans._poses import POSES, aside
from fairhuman.humans._render import Person, Picture
from fairhuman.humans._stages import NO_BOXES, WALLS, named_light, patterned_wall, scenery
from fairhuman.humans._structs import Look, Stage
from fairhuman.humans._wardrobe import HEMS, NECKLINES, PATTERNS, SLEEVES, Outfit

_FRAMINGS = {
    "face close-up": 0.16,
    "hand close-up": 0.22,
    "head and shoulders": 0.16,
    "chest up": 0.38,
    "upper body": 0.08,
}
_FILL = {
    "face close-up": (0.68, 0.86),
    "hand close-up": (0.56, 0.76),
    "head and shoulders": (0.84, 0.98),
    "chest up": (0.88, 0.97),
    "upper body": (0.88, 0.97),
}
_AGES = {"young": 0.5, "middle-aged": 0.3, "elderly": 0.2}
_EXPRESSIONS = {
    "neutral": 0.24, "smiling": 0.28, "laughing": 0.14, "surprised": 0.1, "frowning": 0.06, "sad": 0.09,
    "pouting": 0.09,
}  # fmt: skip
_HAIR = {
    "man": {"short curly": 0.34, "afro": 0.2, "bun": 0.14, "long": 0.12, "very short": 0.1, "bald": 0.1},
    "woman": {"long wavy": 0.34, "two buns": 0.24, "short curly": 0.2, "afro": 0.12, "short": 0.1},
}
_FAIR = {"dark brown": 0.3, "brown": 0.2, "blond": 0.2, "red": 0.15, "black": 0.15}
_DEEP = {"black": 0.6, "dark brown": 0.4}
_DYED = {"pink": 0.36, "blue": 0.34, "purple": 0.3}
_DEEP_SKINS = ("tan", "brown", "dark")
_POSES = {
    "face close-up": {"standing": 1.0},
    "hand close-up": {"showing a hand": 1.0},
    "head and shoulders": {"hand on chin": 0.6, "standing": 0.4},
    "chest up": {
        "showing a hand": 0.42, "showing both hands": 0.24, "palms together": 0.17, "hand on chest": 0.17,
    },
    "upper body": {
        "showing both hands": 0.4, "palms together": 0.2, "hand on chest": 0.2, "arms raised": 0.2,
    },
}  # fmt: skip
_GESTURES = {
    "three fingers": 0.17, "four fingers": 0.14, "rock sign": 0.16, "call sign": 0.15, "thumb down": 0.12,
    "ok sign": 0.14, "open palm": 0.06, "two fingers": 0.06,
}  # fmt: skip
# Those that detectors find from near as well; closed hands they often miss, in `everyday` too.
_GESTURES_NEAR = {"three fingers": 0.26, "four fingers": 0.26, "ok sign": 0.26, "call sign": 0.22}
_OF_BOTH = {"open palm": 0.3, "thumb up": 0.2, "three fingers": 0.25, "four fingers": 0.25}
# Garment: sleeves, necklines, patterns, how loose.
_TOPS = {
    "t-shirt": (("short",), ("crew",), ("striped", "dotted"), 0.011),
    "sweater": (("long",), ("crew",), ("striped", "plain"), 0.017),
    "turtleneck": (("long",), ("high",), ("plain",), 0.011),
    "shirt": (("long", "short"), ("v",), ("checked",), 0.013),
    "blouse": (("three-quarter",), ("v", "scoop"), ("dotted", "buttoned"), 0.013),
    "jacket": (("long",), ("v",), ("open",), 0.018),
}
_TOPS_OF = {
    "man": {"t-shirt": 0.28, "sweater": 0.22, "turtleneck": 0.14, "shirt": 0.22, "jacket": 0.14},
    "woman": {"t-shirt": 0.24, "sweater": 0.2, "turtleneck": 0.14, "blouse": 0.26, "jacket": 0.16},
}  # fmt: skip
# Colour of the top to that of its pattern.
_SHIRTS = {
    "orange": "white", "pink": "white", "teal": "white", "maroon": "beige", "olive": "beige", "navy": "white",
    "sky blue": "navy", "beige": "brown", "brown": "beige",
}  # fmt: skip
_FRAMES = {"black": 0.4, "brown": 0.2, "red": 0.2, "blue": 0.2}
_SOURCES = {"left": 0.34, "right": 0.34, "above": 0.16, "behind": 0.16}
_TONES = {"neutral": 0.34, "warm": 0.36, "cool": 0.3}
_PLACES = {
    "plain": 0.1, "gradient": 0.1, "brick wall": 0.14, "bookshelf": 0.12, "curtain": 0.12, "beach": 0.1,
    "street": 0.09, "garden": 0.11, "evening": 0.12,
}  # fmt: skip
_WALLS = ("teal", "yellow", "lavender", "dark grey")


def portraits(rng: Rng) -> Picture:
    """People from the chest up and nearer, who do and wear what nobody in `everyday` does or wears."""
    gender, age = choose(rng, ("man", "woman")), choose(rng, _AGES)
    skin, framing = choose(rng, tuple(SKIN)), choose(rng, _FRAMINGS)
    expression = choose(rng, _EXPRESSIONS)
    pose_name, pose = _pose(rng, framing)
    look, looks = _looks(rng, gender, age, skin)
    outfit, clothes = _clothes(rng, gender, look)
    body = phenotype(rng, gender, age, skin)
    person = Person(
        phenotype=body,
        changes=face_changes(rng, 0.26),
        actions=facial_actions(expression, rng.uniform(0.85, 1.1)),
        pose=pose,
        hair=looks["hair"],
        outfit=outfit,
        look=look,
        seed=look.seed,
        glasses=None if looks["glasses"] == "none" else looks["glasses"],
    )
    source, tone = choose(rng, _SOURCES), choose(rng, _TONES)
    stage, boxes, place = _place(rng)
    left = pose.left_arm.landmark is None and pose.right_arm.landmark is not None
    shot = Shot(
        framing,
        rng.uniform(*_FILL[framing]),
        (rng.normal(0, 0.015), rng.normal(0, 0.012)),
        elevation=rng.uniform(-5, 7),
        field=rng.uniform(24, 34),
        side="L" if left else "R",
    )
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
        "light": source,
        "light_color": tone,
    }
    return Picture(person, shot, stage, named_light(rng, source, tone), boxes, attributes, "portraits")


def _pose(rng: Rng, framing: str) -> tuple[str, Pose]:
    name = choose(rng, _POSES[framing])
    gestures = _GESTURES_NEAR if framing == "hand close-up" else _GESTURES
    gesture = choose(rng, _OF_BOTH if name in ("showing both hands", "arms raised") else gestures)
    pose = POSES[name](rng, gesture)
    if framing == "hand close-up":
        pose = aside(pose)
    turn, nod, tilt = rng.normal(0, 15), rng.normal(0, 4), rng.normal(0, 4)
    if name == "hand on chin":  # the arm follows only so far
        turn *= 0.5
    body_turn = rng.normal(0, 9)
    gaze = (float(np.clip(-(turn + body_turn) * 0.8, -18, 18)), 0.0)
    return name, replace(pose, head=(turn, nod, tilt), gaze=gaze, turn=body_turn)


def _looks(rng: Rng, gender: str, age: str, skin_name: str) -> tuple[Look, dict[str, str]]:
    hair, deep = choose(rng, _HAIR[gender]), skin_name in _DEEP_SKINS
    hair_colour = choose(rng, _DEEP if deep else _FAIR)
    natural = vary(rng, HAIR[hair_colour], 0.08)
    facial_hair = choose(rng, {"none": 0.5, "moustache": 0.3, "beard": 0.2}) if gender == "man" else "none"
    if age == "elderly":
        hair_colour = "white"
    elif facial_hair == "none" and rng.random() < 0.35:
        hair_colour = choose(rng, _DYED)
    eyes = choose(rng, {"brown": 0.5, "blue": 0.25, "green": 0.25})
    if deep:
        eyes = "brown"
    glasses = choose(rng, {"none": 0.62, **dict.fromkeys(RIMS, 0.38 / len(RIMS))})
    frame = choose(rng, _FRAMES)
    look = Look()
    skin, colour = vary(rng, SKIN[skin_name], 0.05), vary(rng, HAIR[hair_colour], 0.06)
    brow = colour if age == "elderly" else natural
    look.skin, look.hair, look.lips = wp.vec3(*skin), wp.vec3(*colour), wp.vec3(*lips_of(skin, gender, rng))
    look.brow = wp.vec3(*(np.asarray(brow) * 0.42 + np.asarray(skin) * 0.05))
    look.iris, look.brow_width = wp.vec3(*vary(rng, IRIS[eyes], 0.1)), 1.0 if gender == "woman" else 1.45
    look.beard = 0.9 if facial_hair == "beard" else 0.0
    look.moustache = 1.0 if facial_hair == "moustache" else 0.0
    look.blush, look.lines = rng.uniform(0.2, 0.6), {"young": 0.0, "middle-aged": 0.3, "elderly": 0.9}[age]
    look.cropped = 0.85 if hair == "very short" else 0.0
    look.curl = {"short curly": 0.8, "afro": 1.0, "long wavy": 0.35}.get(hair, 0.0)
    look.frame = wp.vec3(*CLOTH[frame])
    look.seed = int(rng.integers(1 << 20))
    return look, {
        "hair": hair,
        "hair_color": hair_colour,
        "facial_hair": facial_hair,
        "eye_color": eyes,
        "glasses": glasses,
        "glasses_color": "none" if glasses == "none" else frame,
    }


def _clothes(rng: Rng, gender: str, look: Look) -> tuple[Outfit, dict[str, str]]:
    top = choose(rng, _TOPS_OF[gender])
    lengths, necks, patterns, loose = _TOPS[top]
    sleeves, neck, pattern = choose(rng, lengths), choose(rng, necks), choose(rng, patterns)
    shirt, trousers = choose(rng, tuple(_SHIRTS)), choose(rng, ("navy", "black"))
    look.top, look.top2 = (wp.vec3(*vary(rng, CLOTH[name], 0.06)) for name in (shirt, _SHIRTS[shirt]))
    look.bottom = wp.vec3(*vary(rng, CLOTH[trousers], 0.06))
    look.shoe, look.sole = wp.vec3(*CLOTH["black"]), wp.vec3(0.55, 0.53, 0.5)
    look.pattern, look.neck, look.folds = PATTERNS.index(pattern), NECKLINES[neck], 0.20
    look.sleeve, look.hem, look.waist = SLEEVES[sleeves], HEMS["full"], -0.02
    return Outfit(look.sleeve, look.hem, looseness=loose), {
        "top": top,
        "shirt_color": shirt,
        "pattern": pattern,
        "sleeves": sleeves,
        "bottom": "jeans",
        "bottom_color": trousers,
        "bottom_length": "full",
        "shoe_color": "black",
    }


def _place(rng: Rng) -> tuple[Stage, np.ndarray, dict[str, str]]:
    kind, colour = choose(rng, _PLACES), choose(rng, _WALLS)
    facts = {"background": kind, "background_color": "none", "floor": "none", "sky": "none"}
    if kind in WALLS:
        facts["background_color"] = colour if kind == "curtain" else "none"
        return patterned_wall(rng, kind, colour), NO_BOXES, facts
    if kind not in ("plain", "gradient"):
        return *scenery(rng, kind), facts
    stage, base = Stage(), np.asarray(vary(rng, BACKDROP[colour], 0.06))
    stage.kind, stage.wall_y, stage.grounded = 0, 1.6, 0
    low, high = (base * 0.35, base * 1.15) if kind == "gradient" else (base, base)
    stage.low, stage.high = wp.vec3(*low), wp.vec3(*high)
    stage.radial, stage.centre = float(kind == "gradient"), wp.vec2(0.5, 0.4)
    return stage, NO_BOXES, {**facts, "background_color": colour}
