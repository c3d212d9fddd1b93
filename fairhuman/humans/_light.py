"""Light on a surface: diffuse, bleeding through skin, highlights, hair, rim (Warp function)."""

from __future__ import annotations

import warp as wp

from fairhuman.humans._structs import Light, Surface


@wp.func
def shade(s: Surface, direction: wp.vec3, light: Light) -> wp.mat33:
    """Rows: direct light, ambient light, rim and highlights (all linear RGB)."""
    n = s.normal
    half = wp.normalize(light.key - direction)
    cosine = wp.dot(n, light.key)
    direct = wp.vec3(wp.max(cosine, 0.0))
    if s.kind == 1:  # light bleeds through skin, red furthest
        direct = wp.vec3(
            wp.max((cosine + 0.32) / 1.32, 0.0),
            wp.max((cosine + 0.17) / 1.17, 0.0),
            wp.max((cosine + 0.12) / 1.12, 0.0),
        )
    spec = wp.pow(wp.max(wp.dot(n, half), 0.0), s.gloss) * s.shine
    tint = wp.vec3(1.0)
    if s.kind == 2:
        along = wp.dot(s.tangent, half)
        spec = wp.pow(wp.sqrt(wp.max(1.0 - along * along, 0.0)), 60.0) * 0.45 * wp.max(cosine + 0.2, 0.0)
        direct = wp.vec3(wp.max((cosine + 0.15) / 1.15, 0.0))
        tint = s.albedo * 1.2 + wp.vec3(0.06)
    up = 0.5 + 0.5 * n[2]
    ambient = light.sky * up + light.ground * (1.0 - up)
    grazing = wp.pow(1.0 - wp.max(-wp.dot(n, direction), 0.0), 3.0)
    rim = light.rim_colour * (wp.max(wp.dot(n, light.rim), 0.0) * (0.3 + 0.7 * grazing))
    a = wp.cw_mul(
        wp.cw_mul(s.albedo, direct) + tint * (spec * wp.min(cosine * 4.0 + 1.0, 1.0)),
        light.colour,
    )
    b = wp.cw_mul(s.albedo, ambient) + wp.cw_mul(tint, ambient) * (
        0.04 * grazing * (1.0 - wp.float32(s.kind == 2))
    )
    c = wp.cw_mul(s.albedo + wp.vec3(0.03), rim)
    return wp.matrix_from_rows(a, b, c)
