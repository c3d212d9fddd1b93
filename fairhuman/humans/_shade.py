# ruff: noqa: UP018, SIM102 (to Warp, float(0.0) and int(0) are variables; a nested if saves work)
"""The kernels: vertex normals, the picture, and what hides a keypoint."""

from __future__ import annotations

import warp as wp

from fairhuman.humans._backdrop import backdrop
from fairhuman.humans._light import shade
from fairhuman.humans._material import folds, grain
from fairhuman.humans._raster import corner_shares, in_space, sample
from fairhuman.humans._rays import free_path
from fairhuman.humans._structs import Light, Look, Stage, Surface, View
from fairhuman.humans._surface import surface_at

labels_vec = wp.types.vector(length=16, dtype=wp.float32)


@wp.kernel(enable_backward=False)
def add_face_normals(
    points: wp.array(dtype=wp.vec3),
    faces: wp.array(dtype=wp.int32),
    normals: wp.array(dtype=wp.vec3),
):
    f = wp.tid()
    i, j, k = faces[3 * f], faces[3 * f + 1], faces[3 * f + 2]
    n = wp.cross(points[j] - points[i], points[k] - points[i])
    wp.atomic_add(normals, i, n)
    wp.atomic_add(normals, j, n)
    wp.atomic_add(normals, k, n)


@wp.func
def encode(x: float) -> wp.uint8:
    """Shoulder above 0.7 of full scale, then the sRGB curve."""
    y = wp.max(x, 0.0)
    if y > 0.7:
        y = 0.7 + 0.3 * (1.0 - wp.exp(-(y - 0.7) / 0.3))
    v = 12.92 * y
    if y > 0.0031308:
        v = 1.055 * wp.pow(y, 1.0 / 2.4) - 0.055
    return wp.uint8(wp.clamp(v * 255.0 + 0.5, 0.0, 255.0))


@wp.func
def ray(view: View, x: float, y: float) -> wp.vec3:
    return wp.normalize(
        view.forward + view.right * ((x - view.cx) / view.fx) + view.down * ((y - view.cy) / view.fy)
    )


@wp.kernel(enable_backward=False)
def render(
    mesh: wp.uint64,
    normals: wp.array(dtype=wp.vec3),
    canonical: wp.array(dtype=wp.vec3),
    paints: wp.array(dtype=wp.vec4),
    kinds: wp.array(dtype=wp.int32),
    boxes: wp.array2d(dtype=wp.vec3),
    view: View,
    look: Look,
    light: Light,
    stage: Stage,
    screen: wp.array(dtype=wp.vec3),
    top: int,
    faces: wp.array2d(dtype=wp.int32),
    image: wp.array3d(dtype=wp.uint8),
    parts: wp.array2d(dtype=wp.uint8),
    coverage: wp.array3d(dtype=wp.float32),
    depth: wp.array2d(dtype=wp.float32),
):
    """One thread a pixel: 3x3 rays; every third also looks at the light and around itself."""
    band, column = wp.tid()
    row = top + band
    person_direct = wp.vec3(0.0)
    person_rest = wp.vec3(0.0)
    scene_direct = wp.vec3(0.0)
    scene_rest = wp.vec3(0.0)
    person_ambient = wp.vec3(0.0)
    scene_ambient = wp.vec3(0.0)
    lit = wp.vec2(0.0)
    open = wp.vec2(0.0)
    seen = wp.vec2(0.0)
    count = labels_vec()
    fold = wp.vec3(0.0)
    mottle = float(1.0)
    folded = int(0)
    mottled = int(0)
    depth[row, column] = 0.0
    near = column >= view.left and column < view.right_edge and row >= view.top and row < view.bottom
    for k in range(9):
        x = sample(3 * column + k % 3)
        y = sample(3 * row + k / 3)
        d = ray(view, x, y)
        s = Surface()
        s.hit = 0
        person = int(0)
        face = int(-1)
        if near:
            face = faces[3 * band + k / 3, 3 * (column - view.left) + k % 3]
        if face >= 0:
            person = 1
            a = screen[wp.mesh_get_index(mesh, face * 3)]
            b = screen[wp.mesh_get_index(mesh, face * 3 + 1)]
            c = screen[wp.mesh_get_index(mesh, face * 3 + 2)]
            at = in_space(corner_shares(a, b, c, x, y), a, b, c)
            share = wp.vec3(at[0], at[1], at[2])
            s = surface_at(mesh, normals, canonical, paints, kinds, face, share, d, look)
            s.t = at[3] / wp.dot(d, view.forward)
            count[s.label] = count[s.label] + 1.0
            if k == 4:
                depth[row, column] = at[3]
            # Slow fields, taken once per pixel: the cloth's folds, the skin's mottle.
            if s.label == 12 or s.label == 13:
                if folded == 0:
                    fold = folds(s.point, s.paint, look)
                    folded = 1
                s.normal = wp.normalize(s.normal + fold - s.normal * wp.dot(s.normal, fold))
            elif s.kind == 1:
                if mottled == 0:
                    mottle = 1.0 + 0.05 * grain(
                        look.seed,
                        s.point[0] * 40.0,
                        s.point[1] * 40.0,
                        s.point[2] * 40.0,
                    )
                    mottled = 1
                s.albedo = s.albedo * mottle
            rows = shade(s, d, light)
            person_direct = person_direct + rows[0]
            person_ambient = person_ambient + rows[1]
            person_rest = person_rest + rows[2]
        else:
            count[0] = count[0] + 1.0
            s = backdrop(
                view.origin,
                d,
                x / float(view.width),
                y / float(view.height),
                stage,
                light,
                boxes,
            )
            if s.kind == 4 and (stage.kind > 0 or s.hit == 0):
                scene_rest = scene_rest + s.albedo
            elif s.kind == 4:  # a seamless floor: the backdrop's colour, darkened by shadow
                scene_direct = scene_direct + s.albedo * 0.42
                scene_ambient = scene_ambient + s.albedo * 0.58
            else:
                facing = wp.max(wp.dot(s.normal, light.key), 0.0)
                up = 0.5 + 0.5 * s.normal[2]
                scene_direct = scene_direct + wp.cw_mul(s.albedo, light.colour) * facing
                scene_ambient = scene_ambient + wp.cw_mul(
                    s.albedo, light.sky * up + light.ground * (1.0 - up)
                )
        if k % 4 == 0 and s.hit == 1:
            p = view.origin + d * s.t
            normal = s.normal
            if person == 1:
                normal = s.geometric
            p = p + normal * 0.0025 - d * 0.001
            # Three fixed points of the light, three fixed directions around: no noise.
            i = wp.cos(float(k) * 0.5235988 + 0.4)
            j = wp.sin(float(k) * 0.5235988 + 0.4)
            towards = wp.normalize(light.key + light.side * i + light.over * j)
            shadow = float(1.0)
            if wp.dot(normal, towards) > 0.0:
                if free_path(mesh, canonical, paints, kinds, p, towards, 6.0, False, look) >= 0.0:
                    shadow = 0.0
            across = wp.normalize(wp.cross(normal, wp.vec3(0.31, 0.17, 0.93)))
            around = wp.normalize(normal + (across * i + wp.cross(normal, across) * j) * 0.85)
            free = float(1.0)
            reach = 0.16
            if person == 0:
                reach = 0.5
            met = free_path(mesh, canonical, paints, kinds, p, around, reach, False, look)
            if met >= 0.0:
                free = 0.35 + 0.65 * met / reach
            seen[person] = seen[person] + 1.0
            lit[person] = lit[person] + shadow
            open[person] = open[person] + free
    visible = wp.vec2(1.0, 1.0)
    ambient = wp.vec2(1.0, 1.0)
    for i in range(2):
        if seen[i] > 0.0:
            visible[i] = lit[i] / seen[i]
            ambient[i] = open[i] / seen[i]
    colour = person_direct * visible[1] + person_ambient * ambient[1] + person_rest * ambient[1]
    colour = colour + scene_direct * visible[0] + scene_ambient * ambient[0] + scene_rest
    colour = colour * (light.exposure / 9.0)
    for channel in range(3):
        image[row, column, channel] = encode(colour[channel])
    best = int(0)
    for label in range(1, 15):
        if count[label] > count[best]:
            best = label
    parts[row, column] = wp.uint8(best)
    coverage[row, column, 0] = (count[1] + count[2] + count[3]) / 9.0
    coverage[row, column, 1] = count[6] / 9.0
    coverage[row, column, 2] = count[7] / 9.0
    coverage[row, column, 3] = count[10] / 9.0
    coverage[row, column, 4] = count[11] / 9.0
    coverage[row, column, 5] = count[2] / 9.0
