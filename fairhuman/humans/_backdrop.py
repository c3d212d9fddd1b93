# ruff: noqa: UP018, SIM102 (to Warp, float(0.0) is a variable; a nested if saves work)
"""The stage behind the person: backdrop, room, open air, boxes (Warp functions)."""

from __future__ import annotations

import warp as wp

from fairhuman.humans._material import grain, ramp
from fairhuman.humans._structs import Light, Stage, Surface


@wp.func
def hit_box(o: wp.vec3, d: wp.vec3, low: wp.vec3, high: wp.vec3) -> wp.vec2:
    """Entry distance and axis (0, 1, 2) of a box, or (-1, 0)."""
    near = float(-1.0e9)
    far = float(1.0e9)
    axis = float(0.0)
    for k in range(3):
        inv = 1.0 / (d[k] + 1.0e-9 * (1.0 - wp.abs(wp.sign(d[k]))))
        a = (low[k] - o[k]) * inv
        b = (high[k] - o[k]) * inv
        if wp.min(a, b) > near:
            near = wp.min(a, b)
            axis = float(k)
        far = wp.min(far, wp.max(a, b))
    if near < far and near > 0.0:
        return wp.vec2(near, axis)
    return wp.vec2(-1.0, 0.0)


@wp.func
def wall_pattern(x: float, z: float, stage: Stage) -> wp.vec3:
    """Colour of a patterned wall at x metres across and z up: `high`, and `low` between its parts."""
    if stage.wall == 1:  # bricks of 21 by 6.5 cm, every second row moved by half
        row = wp.floor(z / 0.075)
        u = x / 0.22 + 0.5 * wp.mod(row + 100.0, 2.0)
        brick = wp.floor(u)
        tone = 1.0 + 0.30 * grain(21, brick * 3.7 + 0.5, row * 5.3 + 0.5, 0.5)
        tone = tone * (1.0 + 0.10 * grain(22, x * 60.0, z * 60.0, 0.5))
        if u - brick < 0.05 or z / 0.075 - row < 0.14:
            return stage.low
        return stage.high * tone
    if stage.wall == 2:  # folds of a curtain
        fold = wp.sin(x * 26.0 + 2.0 * grain(23, x * 2.0, z * 0.4, 0.5)) + 0.4 * wp.sin(x * 71.0 + z)
        return stage.high * (0.72 + 0.24 * fold)
    shelf = z / 0.36  # books between boards
    board = wp.floor(shelf)
    if shelf - board < 0.07:
        return stage.high
    u = x / 0.045 + 0.6 * grain(24, x * 9.0, board * 3.1 + 0.5, 0.5)
    book = wp.floor(u)
    tall = 0.70 + 0.22 * grain(25, book * 2.3 + 0.5, board * 7.7 + 0.5, 0.5)
    if shelf - board > tall or u - book < 0.08:
        return stage.low
    hue = grain(26, book * 4.1 + 0.5, board * 9.3 + 0.5, 0.5)
    pick = grain(27, book * 6.7 + 0.5, board * 2.9 + 0.5, 0.5)
    spine = wp.vec3(0.30 + 0.5 * hue, 0.20 + 0.2 * pick, 0.16 - 0.25 * hue)
    return wp.vec3(wp.max(spine[0], 0.03), wp.max(spine[1], 0.03), wp.max(spine[2], 0.03))


@wp.func
def backdrop(
    o: wp.vec3,
    d: wp.vec3,
    sx: float,
    sy: float,
    stage: Stage,
    light: Light,
    boxes: wp.array2d(dtype=wp.vec3),
) -> Surface:
    """The scene behind the person; `kind` 4 is already lit (sky, lamp, screen gradient)."""
    s = Surface()
    s.hit = 0
    s.kind = 4
    s.normal = wp.vec3(0.0, -1.0, 0.0)
    if stage.kind == 0:
        share = sy
        if stage.radial > 0.0:
            dx = sx - stage.centre[0]
            dy = sy - stage.centre[1]
            share = wp.clamp(wp.sqrt(dx * dx + dy * dy) * 1.3, 0.0, 1.0)
        s.albedo = stage.high * (1.0 - share) + stage.low * share
        if stage.grounded == 1 and d[2] < -0.001:
            t = (stage.floor_z - o[2]) / d[2]
            p = o + d * t
            if t > 0.0 and p[1] < stage.wall_y:
                s.hit = 1
                s.t = t
                s.normal = wp.vec3(0.0, 0.0, 1.0)
        return s
    best = float(1.0e6)
    if d[2] < -1.0e-4:
        t = (stage.floor_z - o[2]) / d[2]
        p = o + d * t
        best = t
        s.hit = 1
        s.kind = 0
        s.normal = wp.vec3(0.0, 0.0, 1.0)
        s.albedo = stage.floor
        if stage.pattern == 1:  # boards
            board = wp.floor(p[0] * 6.0)
            tone = grain(5, board * 7.3, p[1] * 0.7, 0.0)
            s.albedo = stage.floor * (1.0 + 0.25 * tone)
            if wp.abs(p[0] * 6.0 - board - 0.5) > 0.47:
                s.albedo = stage.floor2
        if stage.pattern == 2:  # tiles
            if wp.mod(wp.floor(p[0] * 2.5) + wp.floor(p[1] * 2.5) + 200.0, 2.0) < 0.5:
                s.albedo = stage.floor2
        if stage.pattern == 3:  # grass, gravel
            s.albedo = stage.floor * (
                1.0
                + 0.5 * grain(6, p[0] * 9.0, p[1] * 3.0, 0.0)
                + 0.3 * grain(6, p[0] * 45.0, p[1] * 15.0, 0.0)
            )
        fade = wp.exp(-best * 0.035)
        if stage.kind == 2:
            s.albedo = s.albedo * fade + stage.low * (0.6 * (1.0 - fade))
    if stage.kind == 1 and d[1] > 1.0e-4:
        t = (stage.wall_y - o[1]) / d[1]
        if t < best:
            p = o + d * t
            best = t
            s.hit = 1
            s.kind = 0
            s.normal = wp.vec3(0.0, -1.0, 0.0)
            height = p[2] - stage.floor_z
            s.albedo = stage.high
            if stage.radial > 0.0 and height < stage.radial:
                s.albedo = stage.low
            if stage.wall > 0:
                s.albedo = wall_pattern(p[0], height, stage)
            if height < 0.09:
                s.albedo = wp.vec3(0.6, 0.58, 0.55)
            if stage.window[2] > 0.0:
                dx = wp.abs(p[0] - stage.window[0])
                dz = wp.abs(height - stage.window[1])
                if dx < stage.window[2] + 0.07 and dz < stage.window[3] + 0.07:
                    s.albedo = wp.vec3(0.72, 0.70, 0.66)
                    if dx < stage.window[2] and dz < stage.window[3] and dx > 0.025:
                        s.kind = 4
                        share = wp.clamp(
                            (height - stage.window[1]) / stage.window[3] * 0.5 + 0.5,
                            0.0,
                            1.0,
                        )
                        s.albedo = wp.vec3(0.55, 0.72, 0.95) * share + wp.vec3(0.85, 0.88, 0.90) * (
                            1.0 - share
                        )
                        if share < 0.25 + 0.08 * grain(9, p[0] * 6.0, 0.0, 0.0):
                            s.albedo = wp.vec3(0.16, 0.26, 0.12)
    if s.hit == 1 and s.kind == 0:  # contact shadows
        p = o + d * best
        for k in range(stage.boxes):
            low = boxes[k, 0]
            high = boxes[k, 1]
            dx = wp.max(wp.max(low[0] - p[0], p[0] - high[0]), 0.0)
            dy = wp.max(wp.max(low[1] - p[1], p[1] - high[1]), 0.0)
            dz = wp.max(wp.max(low[2] - p[2], p[2] - high[2]), 0.0)
            apart = wp.sqrt(dx * dx + dy * dy + dz * dz)
            reach = 0.07 + 0.03 * wp.min(high[2] - low[2], 2.0)
            s.albedo = s.albedo * (1.0 - 0.4 * wp.exp(-apart / reach))
    for k in range(stage.boxes):
        entry = hit_box(o, d, boxes[k, 0], boxes[k, 1])
        if entry[0] > 0.0 and entry[0] < best:
            best = entry[0]
            p = o + d * best
            s.hit = 1
            s.kind = 0
            s.albedo = boxes[k, 2]
            s.normal = wp.vec3(0.0, 0.0, 1.0)
            if entry[1] == 0.0:
                s.normal = wp.vec3(-wp.sign(d[0]), 0.0, 0.0)
            if entry[1] == 1.0:
                s.normal = wp.vec3(0.0, -1.0, 0.0)
            style = boxes[k, 3][0]
            if style == 1.0 and entry[1] < 1.5:  # shelves or windows in rows
                a = wp.mod(p[2] - stage.floor_z + 50.0, boxes[k, 3][1])
                b = wp.mod(p[0] + p[1] + 50.0, boxes[k, 3][2])
                if (
                    a > boxes[k, 3][1] * 0.25
                    and a < boxes[k, 3][1] * 0.85
                    and b > boxes[k, 3][2] * 0.2
                    and b < boxes[k, 3][2] * 0.8
                ):
                    s.albedo = s.albedo * 0.35
            if stage.kind == 2:
                fade = wp.exp(-best * 0.02)
                s.albedo = s.albedo * fade + stage.low * (0.6 * (1.0 - fade))
    s.t = best
    if s.hit == 0:  # sky
        share = wp.clamp(d[2] * 3.0, 0.0, 1.0)
        s.albedo = stage.low * (1.0 - share) + stage.high * share
        if stage.kind == 2:
            ridge = 0.035 + 0.05 * grain(14, d[0] / wp.max(d[1], 0.1) * 1.7, 0.0, 0.5)
            if d[2] < ridge:
                s.albedo = stage.low * 0.55 + wp.vec3(0.02, 0.05, 0.05)
                return s
            cloud = grain(8, d[0] * 4.0, d[2] * 14.0, 0.0) + 0.5 * grain(8, d[0] * 9.0, d[2] * 30.0, 1.0)
            s.albedo = s.albedo + (wp.vec3(0.9) - s.albedo) * (0.6 * ramp(0.1, 0.6, cloud))
    return s
