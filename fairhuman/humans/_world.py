"""The `world` preset: the whole variety of people, clothes, poses, places and framings."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import warp as wp

from fairhuman.humans._camera import Shot
from fairhuman.humans._chance import Rng, choose, lips_of, vary
from fairhuman.humans._colours import BACKDROP, CLOTH, HAIR, IRIS, SKIN
from fairhuman.humans._face import EXPRESSIONS, face_changes, facial_actions, phenotype
from fairhuman.humans._pose import Pose
from fairhuman.humans._poses import POSE_GESTURES, POSES, aside
from fairhuman.humans._render import Person, Picture
from fairhuman.humans._stages import NO_BOXES, any_light, backdrop_stage, outdoors, room
from fairhuman.humans._structs import Look
from fairhuman.humans._wardrobe import HEMS, NECKLINES, PATTERNS, SLEEVES, Outfit

_FRAMINGS = {
    "face close-up": 0.11,
    "hand close-up": 0.10,
    "head and shoulders": 0.17,
    "upper body": 0.19,
    "knees up": 0.14,
    "whole body": 0.15,
    "distant": 0.14,
}
_FILL = {
    "face close-up": (0.70, 1.05),
    "hand close-up": (0.50, 0.90),
    "head and shoulders": (0.70, 1.0),
    "upper body": (0.75, 0.97),
    "knees up": (0.75, 0.96),
    "whole body": (0.62, 0.94),
    "distant": (0.18, 0.44),
}
_HAIR = {
    "man": {
        "bald": 0.1,
        "very short": 0.16,
        "short": 0.36,
        "short curly": 0.14,
        "long": 0.06,
        "bun": 0.05,
        "ponytail": 0.05,
        "afro": 0.08,
    },
    "woman": {
        "very short": 0.05,
        "short": 0.10,
        "short curly": 0.08,
        "bob": 0.17,
        "long": 0.18,
        "long wavy": 0.16,
        "bun": 0.11,
        "ponytail": 0.10,
        "afro": 0.05,
    },
}
# Garment: sleeves, necklines, patterns, how loose, what it is called.
_TOPS = {
    "t-shirt": (("short",), ("crew", "v"), ("plain", "striped", "block"), 0.011),
    "long-sleeved shirt": (("long", "three-quarter"), ("crew", "v", "scoop"), ("plain", "striped"), 0.010),
    "shirt": (("long", "short"), ("v",), ("buttoned", "checked", "striped"), 0.013),
    "tank top": (("sleeveless",), ("scoop",), ("plain", "striped"), 0.008),
    "blouse": (("three-quarter", "long"), ("v", "scoop"), ("plain", "buttoned"), 0.013),
    "sweater": (("long",), ("high", "crew"), ("plain", "striped", "block"), 0.017),
    "jacket": (("long",), ("v",), ("open",), 0.018),
    "dress": (
        ("short", "sleeveless", "three-quarter", "long"),
        ("crew", "v", "scoop"),
        ("plain", "striped", "checked"),
        0.009,
    ),
}
_TOPS_OF = {
    "man": {
        "t-shirt": 0.28,
        "long-sleeved shirt": 0.14,
        "shirt": 0.24,
        "tank top": 0.06,
        "sweater": 0.15,
        "jacket": 0.13,
    },
    "woman": {
        "t-shirt": 0.2,
        "long-sleeved shirt": 0.12,
        "shirt": 0.1,
        "tank top": 0.08,
        "blouse": 0.12,
        "sweater": 0.12,
        "jacket": 0.1,
        "dress": 0.16,
    },
}
_BOTTOMS_OF = {
    "man": {"trousers": 0.45, "jeans": 0.3, "shorts": 0.25},
    "woman": {
        "trousers": 0.25,
        "jeans": 0.22,
        "shorts": 0.15,
        "leggings": 0.13,
        "skirt": 0.25,
    },
}
_BOTTOM_HEMS = {
    "trousers": ("full", "full", "cropped"),
    "jeans": ("full", "full", "cropped"),
    "shorts": ("shorts", "knee"),
    "leggings": ("full", "cropped"),
    "skirt": ("mini", "knee", "midi"),
    "none": ("knee", "midi", "maxi"),
}
_POSES = (
    "standing",
    "waving",
    "showing a hand",
    "hands on hips",
    "hand on hip",
    "arms crossed",
    "arms raised",
    "one arm raised",
    "reaching",
    "hands clasped",
    "walking",
)
_JEANS = {"navy": 0.5, "blue": 0.3, "black": 0.2}


def world(rng: Rng) -> Picture:
    """Any adult, dressed any way, doing anything the poses know, anywhere."""
    gender = choose(rng, ("man", "woman"))
    age = choose(rng, {"young": 0.5, "middle-aged": 0.3, "elderly": 0.2})
    skin_name = choose(rng, tuple(SKIN))
    framing = choose(rng, _FRAMINGS)
    expression = choose(
        rng,
        {name: 0.25 if name in ("neutral", "smiling") else 0.09 for name in EXPRESSIONS},
    )
    pose_name, pose = _draw_pose(rng, framing)
    look, facts, hair = _draw_looks(rng, gender, age, skin_name)
    outfit, worn = _draw_clothes(rng, gender, look)
    person = Person(
        phenotype=phenotype(rng, gender, age, skin_name),
        changes=face_changes(rng, 0.34),
        actions=facial_actions(expression, rng.uniform(0.75, 1.15)),
        pose=pose,
        hair=hair,
        outfit=outfit,
        look=look,
        seed=look.seed,
    )
    place = choose(rng, {"plain": 0.16, "gradient": 0.16, "room": 0.40, "outdoors": 0.28})
    colour, boxes = "none", NO_BOXES
    if place == "room":
        stage, boxes = room(rng)
    elif place == "outdoors":
        stage, boxes = outdoors(rng)
    else:
        colour = choose(rng, tuple(BACKDROP))
        stage = backdrop_stage(rng, colour, place, framing in ("whole body", "distant"))
    shift = 0.16 if framing == "distant" else 0.03
    shown = "L" if pose.left_arm.landmark is None and pose.right_arm.landmark is not None else "R"
    shot = Shot(
        framing,
        rng.uniform(*_FILL[framing]),
        (
            rng.normal(0, shift),
            rng.normal(0.04 if framing == "distant" else 0, shift * 0.4),
        ),
        orbit=rng.normal(0, 9),
        elevation=rng.uniform(1 if framing in ("whole body", "distant") else -6, 14),
        field=rng.uniform(20, 42),
        side=shown,
    )
    attributes = {
        "gender": gender,
        "age": age,
        "skin_tone": skin_name,
        **facts,
        "expression": expression,
        "pose": pose_name,
        "gesture": "relaxed",
        "left_gesture": pose.left_hand.name,
        "right_gesture": pose.right_hand.name,
        **worn,
        "framing": framing,
        "background": place,
        "background_color": colour,
    }
    return Picture(
        person,
        shot,
        stage,
        any_light(rng, place == "outdoors"),
        boxes,
        attributes,
        "world",
    )


def _draw_pose(rng: Rng, framing: str) -> tuple[str, Pose]:
    names = [name for name in _POSES if name != "walking" or framing in ("knees up", "whole body", "distant")]
    name = choose(
        rng,
        {name: 2.0 if name in ("standing", "showing a hand") else 1.0 for name in names},
    )
    if framing == "hand close-up":
        name = choose(rng, ("showing a hand", "showing a hand", "waving", "one arm raised"))
    if framing in ("face close-up", "head and shoulders"):
        name = choose(rng, ("standing", "standing", "hands on hips", "hands clasped"))
    pose = POSES[name](rng, choose(rng, POSE_GESTURES[name]))
    if framing == "hand close-up":
        pose = aside(pose)
    wide = framing != "hand close-up"
    turn = float(np.clip(rng.normal(0, 26 if wide else 8), -75, 75))
    head = float(np.clip(rng.normal(-0.3 * turn, 18), -55, 55))
    gaze = (
        float(np.clip(rng.normal(-0.5 * (head + turn), 6), -20, 20)),
        rng.normal(0, 3),
    )
    spine = (rng.normal(0, 3), rng.normal(1, 3), rng.normal(0, 2.5))
    return name, replace(
        pose,
        head=(head, rng.normal(0, 7), rng.normal(0, 5)),
        gaze=gaze,
        turn=turn,
        spine=spine,
    )


def _draw_looks(rng: Rng, gender: str, age: str, skin_name: str) -> tuple[Look, dict[str, str], str]:
    hair = choose(rng, _HAIR[gender])
    deep = skin_name in ("tan", "brown", "dark")
    natural = (
        {"black": 0.6, "dark brown": 0.4}
        if deep
        else {
            "black": 0.16,
            "dark brown": 0.24,
            "brown": 0.25,
            "blond": 0.22,
            "red": 0.13,
        }
    )
    hair_colour = choose(rng, natural)
    if rng.random() < {"young": 0.03, "middle-aged": 0.15, "elderly": 0.8}[age]:
        hair_colour = choose(rng, ("grey", "white"))
    if hair == "afro" and not deep:
        hair = "short curly"
    facial_hair = choose(rng, {"none": 0.58, "stubble": 0.17, "beard": 0.25}) if gender == "man" else "none"
    eyes = choose(rng, {"brown": 0.9, "hazel": 0.1} if deep else tuple(IRIS))
    look = Look()
    skin = vary(rng, SKIN[skin_name], 0.10)
    colour = vary(rng, HAIR[hair_colour], 0.15)
    look.skin, look.hair, look.lips = (
        wp.vec3(*skin),
        wp.vec3(*colour),
        wp.vec3(*lips_of(skin, gender, rng)),
    )
    look.brow = wp.vec3(*(np.asarray(colour) * 0.42 + np.asarray(skin) * 0.05))
    look.iris = wp.vec3(*vary(rng, IRIS[eyes], 0.2))
    look.brow_width = rng.uniform(0.75, 1.2) if gender == "woman" else rng.uniform(1.1, 1.8)
    look.beard = {"none": 0.0, "stubble": 0.42, "beard": rng.uniform(0.8, 1.0)}[facial_hair]
    look.blush = rng.uniform(0.1, 0.7)
    look.freckles = (
        rng.uniform(0.5, 1.0) if skin_name in ("very light", "light") and rng.random() < 0.25 else 0.0
    )
    look.lines = {
        "young": 0.0,
        "middle-aged": rng.uniform(0.2, 0.5),
        "elderly": rng.uniform(0.7, 1.0),
    }[age]
    look.cropped = 0.85 if hair == "very short" else 0.0
    look.curl = {"short curly": 0.8, "long wavy": 0.35, "afro": 1.0}.get(hair, 0.0)
    if gender == "man" and age != "young" and rng.random() < 0.5:
        look.hairline = rng.uniform(0.004, 0.014)
    look.seed = int(rng.integers(1 << 20))
    return (
        look,
        {
            "hair": hair,
            "hair_color": hair_colour,
            "facial_hair": facial_hair,
            "eye_color": eyes,
        },
        hair,
    )


def _draw_clothes(rng: Rng, gender: str, look: Look) -> tuple[Outfit, dict[str, str]]:
    top = choose(rng, _TOPS_OF[gender])
    sleeve_names, necks, patterns, loose = _TOPS[top]
    sleeves, neck, pattern = (
        choose(rng, sleeve_names),
        choose(rng, necks),
        choose(rng, patterns),
    )
    shirt = choose(rng, tuple(CLOTH))
    second = choose(
        rng,
        [name for name in ("white", "black", "grey", "beige", "navy") if name != shirt],
    )
    bottom = "none" if top == "dress" else choose(rng, _BOTTOMS_OF[gender])
    hem = choose(rng, _BOTTOM_HEMS[bottom])
    bottom_colour = (
        choose(rng, _JEANS)
        if bottom == "jeans"
        else choose(rng, ("black", "navy", "grey", "beige", "brown", "olive", "white", "maroon"))
    )
    skirt = bottom in ("skirt", "none")
    tucked = skirt or (top in ("shirt", "tank top", "blouse", "t-shirt") and rng.random() < 0.35)
    shoes = choose(rng, ("black", "white", "brown", "grey", "red", "navy"))
    look.top, look.bottom = (
        wp.vec3(*vary(rng, CLOTH[shirt], 0.12)),
        wp.vec3(*vary(rng, CLOTH[bottom_colour], 0.12)),
    )
    look.top2 = wp.vec3(*vary(rng, CLOTH[second], 0.1))
    if top == "dress":
        look.bottom = look.top
    look.shoe, look.sole = (
        wp.vec3(*vary(rng, CLOTH[shoes], 0.1)),
        wp.vec3(*([rng.uniform(0.02, 0.6)] * 3)),
    )
    look.pattern, look.neck = PATTERNS.index(pattern), NECKLINES[neck]
    look.sleeve, look.hem, look.waist = (
        SLEEVES[sleeves],
        HEMS[hem],
        0.14 if tucked else -0.02,
    )
    look.folds = rng.uniform(0.14, 0.30)
    outfit = Outfit(
        sleeve=look.sleeve,
        hem=look.hem,
        waist=look.waist,
        skirt=skirt,
        looseness=loose,
        trouser={"leggings": 0.002, "trousers": rng.uniform(0.008, 0.016)}.get(bottom, 0.008),
    )
    return outfit, {
        "top": top,
        "shirt_color": shirt,
        "pattern": pattern,
        "sleeves": sleeves,
        "bottom": bottom,
        "bottom_color": "none" if bottom == "none" else bottom_colour,
        "bottom_length": hem,
        "shoe_color": shoes,
    }
