"""The `studio` preset: narrow enough for a small model to learn well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import warp as wp

from fairhuman.humans._camera import Shot
from fairhuman.humans._chance import Rng, choose, lips_of, vary
from fairhuman.humans._colours import BACKDROP, CLOTH, HAIR, IRIS, SKIN
from fairhuman.humans._face import face_changes, facial_actions, phenotype
from fairhuman.humans._poses import POSE_GESTURES, POSES, aside
from fairhuman.humans._render import Person, Picture
from fairhuman.humans._stages import soft_light
from fairhuman.humans._structs import Look, Stage
from fairhuman.humans._wardrobe import HEMS, NECKLINES, PATTERNS, SLEEVES, Outfit

_STUDIO_SHIRTS = ("white", "black", "grey", "red", "blue", "green", "yellow", "purple")
_STUDIO_TROUSERS = ("black", "navy", "grey", "beige")
_STUDIO_BACKDROPS = ("white", "grey", "blue", "green", "beige", "pink")
_STUDIO_FRAMINGS = {
    "face close-up": 0.14,
    "head and shoulders": 0.28,
    "upper body": 0.30,
    "whole body": 0.16,
    "hand close-up": 0.12,
}
_STUDIO_POSES = {
    "standing": 0.26,
    "waving": 0.20,
    "showing a hand": 0.26,
    "hands on hips": 0.14,
    "arms crossed": 0.14,
}
_STUDIO_HAIR = {
    "man": {"short": 0.62, "very short": 0.22, "bald": 0.16},
    "woman": {"long": 0.42, "bob": 0.30, "bun": 0.28},
}


def studio(rng: Rng) -> Picture:
    """Plain and graded backdrops, eight shirt colours, five poses, six hair styles.

    Its random stream is frozen: the embedded base model was trained on it.
    """
    gender = choose(rng, ("man", "woman"))
    age = choose(rng, {"young": 0.6, "middle-aged": 0.3, "elderly": 0.1})
    skin_name = choose(rng, tuple(SKIN))
    hair_name = choose(rng, _STUDIO_HAIR[gender])
    fair = {"black": 0.2, "brown": 0.35, "blond": 0.25, "red": 0.12, "grey": 0.08}
    deep = {"black": 0.62, "brown": 0.3, "grey": 0.08}
    hair_colour = choose(rng, deep if skin_name in ("tan", "brown", "dark") else fair)
    if age == "elderly":
        hair_colour = "grey"
    facial_hair = choose(rng, {"none": 0.7, "stubble": 0.1, "beard": 0.2}) if gender == "man" else "none"
    framing = choose(rng, _STUDIO_FRAMINGS)
    pose_name = choose(rng, _STUDIO_POSES)
    if framing == "hand close-up":
        pose_name = "showing a hand"
    if framing in ("face close-up", "head and shoulders"):
        pose_name = "standing"
    gesture = choose(rng, POSE_GESTURES[pose_name])
    expression = choose(
        rng,
        {
            "neutral": 0.36,
            "smiling": 0.36,
            "laughing": 0.12,
            "surprised": 0.08,
            "frowning": 0.08,
        },
    )
    pose = POSES[pose_name](rng, gesture)
    if framing == "hand close-up":
        pose = aside(pose)
    turn, nod, tilt = rng.normal(0, 11), rng.normal(0, 4), rng.normal(0, 3)
    body_turn = rng.normal(0, 10)
    gaze = (float(np.clip(-(turn + body_turn) * 0.8, -18, 18)), 0.0)
    pose = replace(pose, head=(turn, nod, tilt), gaze=gaze, turn=body_turn)
    shirt = choose(rng, _STUDIO_SHIRTS)
    sleeves = choose(rng, {"short": 0.5, "long": 0.5})
    trousers = choose(rng, _STUDIO_TROUSERS)
    shoes = choose(rng, ("black", "white", "brown"))
    neck = choose(rng, {"crew": 0.7, "v": 0.3})
    backdrop = choose(rng, _STUDIO_BACKDROPS)
    kind = choose(rng, {"plain": 0.5, "gradient": 0.5})

    look = Look()
    skin = vary(rng, SKIN[skin_name], 0.05)
    colour = vary(rng, HAIR[hair_colour], 0.08)
    look.skin, look.hair, look.lips = (
        wp.vec3(*skin),
        wp.vec3(*colour),
        wp.vec3(*lips_of(skin, gender, rng)),
    )
    look.brow = wp.vec3(*(np.asarray(colour) * 0.42 + np.asarray(skin) * 0.05))
    eye_colour = choose(rng, {"brown": 0.5, "blue": 0.3, "green": 0.2})
    if hair_colour == "black" or skin_name in ("tan", "brown", "dark"):
        eye_colour = "brown"
    look.iris = wp.vec3(*vary(rng, IRIS[eye_colour], 0.1))
    look.top, look.bottom = (
        wp.vec3(*vary(rng, CLOTH[shirt], 0.06)),
        wp.vec3(*vary(rng, CLOTH[trousers], 0.06)),
    )
    look.top2 = look.top
    look.shoe, look.sole = wp.vec3(*CLOTH[shoes]), wp.vec3(0.55, 0.53, 0.5)
    look.pattern, look.neck = PATTERNS.index("plain"), NECKLINES[neck]
    look.sleeve, look.hem, look.waist = SLEEVES[sleeves], HEMS["full"], -0.02
    look.folds, look.brow_width = 0.20, 1.0 if gender == "woman" else 1.45
    look.beard = {"none": 0.0, "stubble": 0.42, "beard": 0.9}[facial_hair]
    look.blush, look.lines = (
        rng.uniform(0.2, 0.6),
        {"young": 0.0, "middle-aged": 0.3, "elderly": 0.9}[age],
    )
    look.cropped = 0.85 if hair_name == "very short" else 0.0
    look.seed = int(rng.integers(1 << 20))

    person = Person(
        phenotype=phenotype(rng, gender, age, skin_name),
        changes=face_changes(rng, 0.22),
        actions=facial_actions(expression, rng.uniform(0.8, 1.1)),
        pose=pose,
        hair=hair_name,
        outfit=Outfit(SLEEVES[sleeves], HEMS["full"]),
        look=look,
        seed=look.seed,
        hair_lift=-0.002,  # as the embedded base model was trained
    )
    fill, shift = _FILL[framing]
    shown = "L" if pose.left_arm.landmark is None and pose.right_arm.landmark is not None else "R"
    shot = Shot(
        framing,
        rng.uniform(*fill),
        (rng.normal(0, shift), rng.normal(0, shift * 0.7)),
        orbit=0.0,
        elevation=rng.uniform(-4, 5),
        field=rng.uniform(22, 30),
        side=shown,
    )
    stage = Stage()
    base = np.asarray(vary(rng, BACKDROP[backdrop], 0.06))
    stage.kind, stage.wall_y = 0, 1.6
    stage.grounded = int(framing == "whole body")
    stage.high, stage.low = (
        (wp.vec3(*base), wp.vec3(*base))
        if kind == "plain"
        else (wp.vec3(*(base * 1.15)), wp.vec3(*(base * 0.55)))
    )
    stage.radial = float(kind == "gradient" and rng.random() < 0.5)
    stage.centre = wp.vec2(rng.uniform(0.35, 0.65), rng.uniform(0.3, 0.5))
    attributes = {
        "gender": gender,
        "age": age,
        "skin_tone": skin_name,
        "hair": hair_name,
        "hair_color": hair_colour,
        "facial_hair": facial_hair,
        "eye_color": eye_colour,
        "expression": expression,
        "pose": pose_name,
        "gesture": gesture,
        "left_gesture": pose.left_hand.name,
        "right_gesture": pose.right_hand.name,
        "top": "t-shirt" if sleeves == "short" else "long-sleeved shirt",
        "shirt_color": shirt,
        "pattern": "plain",
        "sleeves": sleeves,
        "bottom": "trousers",
        "bottom_color": trousers,
        "bottom_length": "full",
        "shoe_color": shoes,
        "framing": framing,
        "background": kind,
        "background_color": backdrop,
    }
    side = 1.0 if rng.random() < 0.5 else -1.0
    return Picture(
        person,
        shot,
        stage,
        soft_light(rng, side),
        attributes=attributes,
        preset="studio",
    )


_FILL = {
    "face close-up": ((0.82, 1.02), 0.02),
    "hand close-up": ((0.62, 0.85), 0.02),
    "head and shoulders": ((0.80, 0.98), 0.03),
    "upper body": ((0.82, 0.96), 0.02),
    "knees up": ((0.86, 0.96), 0.02),
    "whole body": ((0.84, 0.93), 0.02),
    "distant": ((0.16, 0.42), 0.10),
}
