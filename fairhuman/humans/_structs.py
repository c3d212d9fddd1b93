"""The parameters a picture's kernels read: the person's look, the light, stage and view."""

from __future__ import annotations

import warp as wp


@wp.struct
class Look:
    skin: wp.vec3
    lips: wp.vec3
    hair: wp.vec3
    brow: wp.vec3
    iris: wp.vec3
    top: wp.vec3
    top2: wp.vec3  # second colour of a pattern, or what is under an open jacket
    bottom: wp.vec3
    shoe: wp.vec3
    sole: wp.vec3
    pattern: wp.int32  # of the top, see `fairhuman.humans._wardrobe.PATTERNS`
    sleeve: wp.float32  # along the arm, 0 shoulder to 1 wrist
    neck: wp.int32  # 0 crew, 1 V, 2 scoop, 3 high
    waist: wp.float32  # canonical height where top meets bottom
    hem: wp.float32  # canonical height of the trouser leg's or skirt's edge
    folds: wp.float32
    beard: wp.float32  # 0 shaven, 0.5 stubble, 1 full
    moustache: wp.float32  # 0 to 1
    brow_width: wp.float32
    blush: wp.float32
    freckles: wp.float32
    lines: wp.float32  # of age, 0 to 1
    hairline: wp.float32  # recession of the hairline, metres
    cropped: wp.float32  # hair so short that the scalp is only tinted, 0 to 1
    curl: wp.float32  # 0 straight strands, 1 tight curls
    frame: wp.vec3  # of glasses
    seed: wp.int32


@wp.struct
class Light:
    key: wp.vec3  # towards the light
    side: wp.vec3  # two directions across it, scaled by the light's size
    over: wp.vec3
    colour: wp.vec3
    sky: wp.vec3  # ambient from above and from below
    ground: wp.vec3
    rim: wp.vec3
    rim_colour: wp.vec3
    exposure: wp.float32


@wp.struct
class Stage:
    kind: wp.int32  # 0 backdrop, 1 room, 2 outdoors
    low: wp.vec3  # backdrop below and above; wall and its skirting; horizon and zenith
    high: wp.vec3
    floor: wp.vec3
    floor2: wp.vec3  # boards or tiles
    radial: wp.float32
    grounded: wp.int32  # whether the floor is there to catch the shadow
    floor_z: wp.float32
    wall_y: wp.float32
    pattern: wp.int32  # of the floor: 0 plain, 1 boards, 2 tiles, 3 grass or gravel
    wall: wp.int32  # 0 plain, 1 bricks, 2 a curtain, 3 rows of books
    boxes: wp.int32
    window: wp.vec4  # on the back wall: x, z, half-width, half-height; 0 width for none
    centre: wp.vec2  # of a radial backdrop, in units of the picture


@wp.struct
class View:
    origin: wp.vec3
    right: wp.vec3
    down: wp.vec3
    forward: wp.vec3
    fx: wp.float32
    fy: wp.float32
    cx: wp.float32
    cy: wp.float32
    width: wp.int32
    height: wp.int32
    left: wp.int32  # pixels that can see the person
    right_edge: wp.int32
    top: wp.int32
    bottom: wp.int32


@wp.struct
class Surface:
    """What the first opaque hit looks like."""

    hit: wp.int32
    t: wp.float32
    albedo: wp.vec3
    normal: wp.vec3
    geometric: wp.vec3
    tangent: wp.vec3
    shine: wp.float32
    gloss: wp.float32
    kind: wp.int32  # 0 cloth, 1 skin, 2 hair, 3 eye
    point: wp.vec3  # canonical
    paint: wp.vec4
    label: wp.int32
