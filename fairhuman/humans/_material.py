# ruff: noqa: UP018, RET504, SIM102 (to Warp, float(0.0) is a variable)
"""What each surface looks like at a point: skin, eyes, hair, clothes (Warp functions).

Canonical coordinates are those of the neutral body: x to the person's left, y backwards,
z up, metres, the hip joint near z = 0, the eyes at z = 0.728, the soles at z = -0.82.
"""

from __future__ import annotations

import warp as wp

from fairhuman.humans._structs import Look


@wp.func
def ramp(low: float, high: float, x: float) -> float:
    t = wp.clamp((x - low) / (high - low), 0.0, 1.0)
    return t * t * (3.0 - 2.0 * t)


@wp.func
def grain(seed: int, x: float, y: float, z: float) -> float:
    return wp.noise(wp.rand_init(seed), wp.vec3(x, y, z))


@wp.func
def azimuth(c: wp.vec3) -> float:
    """Degrees around the head, 0 at the nose, 90 beside the ear, 180 behind."""
    return wp.atan2(wp.abs(c[0]), -(c[1] + 0.03)) * 57.29578


@wp.func
def hairline(c: wp.vec3, recede: float) -> float:
    """Height above which hair grows: over the forehead, sideburn, ear and nape."""
    a = azimuth(c)
    z = 0.806 + recede * wp.cos(a * 0.035) - 0.010 * ramp(18.0, 40.0, a)
    z = z - 0.038 * ramp(36.0, 56.0, a) - 0.045 * ramp(54.0, 64.0, a)
    z = z + 0.028 * ramp(65.0, 72.0, a) - 0.070 * ramp(84.0, 104.0, a) - 0.018 * ramp(110.0, 150.0, a)
    return z


@wp.func
def in_face(c: wp.vec3, recede: float) -> bool:
    """Front of the face: below the hairline, before the ears, above the jaw's edge."""
    jaw = c[2] - 0.612 - 0.589 * (c[1] + 0.135)
    return azimuth(c) < 64.0 and c[1] < -0.03 and jaw > 0.0 and c[2] > 0.605 and c[2] < hairline(c, recede)


@wp.func
def eyebrow(c: wp.vec3, width: float, seed: int) -> float:
    x = wp.abs(c[0])
    if c[1] > -0.095 or c[2] < 0.738 or c[2] > 0.765 or x > 0.06:
        return 0.0
    line = 0.7515 - 9.0 * (x - 0.038) * (x - 0.038)
    half = width * (0.0036 - 0.0026 * ramp(0.034, 0.058, x))
    edge = grain(seed, c[0] * 900.0 + c[2] * 500.0, c[2] * 160.0, 3.0) * 0.0009
    inside = half - wp.abs(c[2] - line) + edge
    ends = ramp(0.0095, 0.0145, x) * (1.0 - ramp(0.054, 0.060, x))
    front = 1.0 - ramp(-0.105, -0.095, c[1])
    return ramp(-0.0007, 0.0011, inside) * ends * front


@wp.func
def beard(c: wp.vec3) -> float:
    x = wp.abs(c[0])
    cheek = 0.652 + 1.1 * wp.max(x - 0.030, 0.0)
    chin = 1.0 - ramp(cheek - 0.006, cheek + 0.010, c[2])
    moustache = (1.0 - ramp(0.024, 0.031, x)) * (1.0 - ramp(0.681, 0.686, c[2]))
    top = 1.0 - ramp(0.705, 0.720, c[2])
    neck = ramp(0.600, 0.622, c[2] - 0.40 * wp.max(c[1] + 0.09, 0.0))
    return wp.max(chin * top, moustache) * neck * (1.0 - ramp(60.0, 66.0, azimuth(c)))


@wp.func
def moustache(c: wp.vec3) -> float:
    """From the nose to the upper lip, its ends a little lower."""
    x = wp.abs(c[0])
    low = 0.668 - 0.25 * x
    return ramp(low, low + 0.003, c[2]) * (1.0 - ramp(0.679, 0.683, c[2])) * (1.0 - ramp(0.024, 0.031, x))


@wp.func
def skin(c: wp.vec3, paint: wp.vec4, head: bool, hand: bool, look: Look) -> wp.vec3:
    base = look.skin
    if head:
        x = wp.abs(c[0])
        cheek = wp.exp(-((x - 0.047) * (x - 0.047) + (c[2] - 0.692) * (c[2] - 0.692)) / 0.0004)
        nose = wp.exp(-(x * x + (c[2] - 0.694) * (c[2] - 0.694)) / 0.00016)
        if c[1] > -0.06:
            cheek = 0.0
            nose = 0.0
        red = look.blush * cheek + 0.10 * nose
        base = wp.cw_mul(base, wp.vec3(1.0 + 0.06 * red, 1.0 - 0.30 * red, 1.0 - 0.26 * red))
        if look.freckles > 0.0:
            spot = grain(look.seed + 7, c[0] * 420.0, c[1] * 420.0, c[2] * 420.0)
            base = base * (1.0 - look.freckles * 0.35 * ramp(0.28, 0.5, spot) * (cheek + nose))
        if look.lines > 0.0 and c[1] < -0.06:
            brow = ramp(0.762, 0.770, c[2]) * (1.0 - ramp(0.79, 0.80, c[2])) * (1.0 - ramp(0.03, 0.05, x))
            crease = wp.sin(c[2] * 900.0 + 2.0 * grain(look.seed, c[0] * 60.0, 0.0, 1.0))
            base = base * (1.0 - look.lines * 0.16 * brow * ramp(0.55, 1.0, crease))
        lips = ramp(0.3, 0.7, paint[2])
        base = base * (1.0 - lips) + look.lips * lips
        if look.beard > 0.0 and c[2] < 0.722 and beard(c) > 0.0:
            stubble = 0.75 + 0.6 * grain(look.seed + 3, c[0] * 700.0, c[1] * 700.0, c[2] * 260.0)
            share = wp.clamp(look.beard * beard(c) * stubble * (1.0 - lips), 0.0, 0.94)
            base = base * (1.0 - share) + look.hair * (0.8 * share)
        if look.moustache > 0.0 and c[2] < 0.70 and c[1] < -0.09:
            bristle = 0.95 + 0.25 * grain(look.seed + 3, c[0] * 900.0, 0.5, c[2] * 200.0)
            share = wp.clamp(look.moustache * moustache(c) * (1.0 - lips), 0.0, 0.94)
            base = base * (1.0 - share) + look.hair * (bristle * share)
        if look.cropped > 0.0 and c[2] > hairline(c, look.hairline) - 0.006:
            inside = ramp(-0.006, 0.006, c[2] - hairline(c, look.hairline))
            speck = 0.85 + 0.5 * grain(look.seed + 5, c[0] * 600.0, c[1] * 600.0, c[2] * 600.0)
            share = wp.clamp(look.cropped * inside * speck, 0.0, 0.95)
            base = base * (1.0 - share) + look.hair * share
        hair = eyebrow(c, look.brow_width, look.seed)
        base = base * (1.0 - 0.9 * hair) + look.brow * (0.9 * hair)
    if hand:
        nail = ramp(0.3, 0.7, paint[3])
        pale = wp.vec3(0.62, 0.40, 0.36)
        base = base * (1.0 - 0.45 * nail) + pale * (0.45 * nail)
    return base


@wp.func
def eye(c: wp.vec3, look: Look) -> wp.vec3:
    centre = wp.vec3(0.031, -0.1245, 0.7285)
    d = wp.normalize(wp.vec3(wp.abs(c[0]), c[1], c[2]) - centre)
    angle = wp.acos(wp.clamp(-d[1], -1.0, 1.0)) * 57.29578
    white = wp.vec3(0.74, 0.70, 0.67) - wp.vec3(0.02, 0.10, 0.10) * ramp(35.0, 70.0, angle)
    spoke = 0.8 + 0.5 * grain(look.seed + 11, wp.atan2(d[2], d[0]) * 9.0, angle * 0.1, 0.0)
    iris = look.iris * (spoke * (0.75 + 0.5 * ramp(24.0, 12.0, angle)))
    iris = iris * (1.0 - 0.7 * ramp(23.5, 28.5, angle))
    colour = iris * (1.0 - ramp(27.0, 30.0, angle)) + white * ramp(27.0, 30.0, angle)
    return colour * ramp(10.5, 13.0, angle) + wp.vec3(0.006) * (1.0 - ramp(10.5, 13.0, angle))


@wp.func
def strands(u: float, v: float, look: Look) -> float:
    """Brightness of a lock of hair across (u) and along (v) its strands."""
    wave = 0.5 * look.curl * wp.sin(v * 90.0 + 4.0 * grain(look.seed, u * 0.4, v * 6.0, 5.0))
    coarse = grain(look.seed, u + wave, v * 5.0, 0.0)
    fine = grain(look.seed + 1, u * 4.0 + wave * 3.0, v * 9.0, 1.0)
    tight = grain(look.seed + 2, u * 1.6, v * 130.0, 2.0)
    return 0.45 * coarse + 0.35 * fine + look.curl * 0.45 * tight


@wp.func
def around_arm(c: wp.vec3, along: float) -> float:
    """Angle around the axis of the upper arm or the forearm."""
    q = wp.vec3(wp.abs(c[0]), c[1], c[2])
    if along < 0.5:
        q = q - wp.vec3(0.168, -0.015, 0.525)
        return wp.atan2(q[0] * 0.770 + q[2] * 0.638, -q[1])
    q = q - wp.vec3(0.313, -0.013, 0.349)
    return wp.atan2(q[0] * 0.718 + q[1] * 0.079 + q[2] * 0.693, -0.462 * q[0] - 0.692 * q[1] + 0.557 * q[2])


@wp.func
def top_colour(c: wp.vec3, paint: wp.vec4, look: Look) -> wp.vec3:
    colour = look.top
    front = c[1] < -0.02 and paint[1] < 0.5
    if look.pattern == 1:  # horizontal stripes, also around the sleeves
        band = c[2] * 30.0
        if paint[1] > 0.5:
            band = paint[0] * 16.0
        if wp.mod(band + 100.0, 1.0) < 0.42:
            colour = look.top2
    if look.pattern == 2:  # checks
        row = 0.5 + 0.5 * wp.sign(wp.sin(c[2] * 130.0))
        column = 0.5 + 0.5 * wp.sign(wp.sin(c[0] * 130.0))
        share = 0.5 * (row + column)
        colour = look.top * (1.0 - share) + look.top2 * share
    if look.pattern == 3 and front:  # buttoned
        if wp.abs(c[0] - 0.010) < 0.0012:
            colour = colour * 0.6
        along = wp.mod(c[2] + 0.012, 0.075) - 0.0375
        if along * along + c[0] * c[0] < 0.000022:
            colour = look.top2
    if look.pattern == 4 and front:  # open jacket
        gap = 0.012 + 0.10 * wp.max(c[2] - 0.30, 0.0) * 2.0 + 0.04 * wp.max(0.22 - c[2], 0.0)
        if wp.abs(c[0]) < gap:
            colour = look.top2
        elif wp.abs(c[0]) < gap + 0.004:
            colour = colour * 0.55
    if look.pattern == 5:  # block of another colour across the chest
        if c[2] > 0.36 and c[2] < 0.46 and paint[1] < 0.6:
            colour = look.top2
    if look.pattern == 6:  # dots, every second row moved by half
        across = wp.atan2(c[0], -c[1]) * 4.7746  # thirty around the trunk, ten around a sleeve
        up = c[2] * 34.0
        if paint[1] > 0.5:
            across = around_arm(c, paint[0]) * 1.5915
            up = paint[0] * 15.5
        row = wp.floor(up)
        across = across + 0.5 * wp.mod(row + 100.0, 2.0)
        dx = across - wp.floor(across) - 0.5
        dz = up - row - 0.5
        if dx * dx + dz * dz < 0.075:
            colour = look.top2
    return colour


@wp.func
def neckline(c: wp.vec3, look: Look) -> float:
    """Positive where the neckline leaves the skin bare, metres beyond the edge."""
    x = wp.abs(c[0])
    front = 1.0 - ramp(-0.045, 0.0, c[1])
    edge = 0.592 - 0.018 * front
    if look.neck == 1:
        edge = edge - front * wp.max(0.075 - 1.25 * x, 0.0)
    if look.neck == 2:
        edge = edge - front * wp.sqrt(wp.max(0.0026 - 0.62 * x * x, 0.0))
    if look.neck == 3:
        edge = 0.640
    return c[2] - edge - 0.1 * ramp(0.075, 0.11, x)


@wp.func
def folds(c: wp.vec3, paint: wp.vec4, look: Look) -> wp.vec3:
    """Gradient of a wrinkle field: long on the trunk, across the arms and knees."""
    f = wp.vec3(17.0, 17.0, 9.0)
    if paint[1] > 0.5:
        f = wp.vec3(14.0, 14.0, 14.0)
    q = wp.cw_mul(c, f)
    warp = grain(look.seed + 20, q[0] * 0.5, q[1] * 0.5, q[2] * 0.5) * 1.6
    e = 0.08
    here = grain(look.seed + 21, q[0] + warp, q[1], q[2] + warp)
    gx = grain(look.seed + 21, q[0] + warp + e, q[1], q[2] + warp) - here
    gz = grain(look.seed + 21, q[0] + warp, q[1], q[2] + warp + e) - here
    return wp.vec3(gx, 0.0, gz) * (look.folds / e)
