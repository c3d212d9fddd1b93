"""From a described person to a picture with everything known about it."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import torch
import warp as wp
from numpy.typing import NDArray

from fairhuman.humans import _shade
from fairhuman.humans._body import BODY_VERTICES, load_model, topology
from fairhuman.humans._camera import Shot, aim
from fairhuman.humans._glasses import wear
from fairhuman.humans._hair import STYLES, grow
from fairhuman.humans._keypoints import body_keypoints, hand_keypoints, visibility
from fairhuman.humans._pose import Pose, body_landmarks, solve_pose
from fairhuman.humans._structs import Light, Look, Stage
from fairhuman.humans._trace import trace
from fairhuman.humans._types import REGION_PARTS, Camera, HumanImage
from fairhuman.humans._wardrobe import Outfit, cloth_vertices, dress

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Person:
    """Everything that decides how a person looks in a picture."""

    phenotype: dict[str, float]
    changes: dict[str, float]
    actions: dict[str, float]
    pose: Pose
    hair: str
    outfit: Outfit
    look: Look
    seed: int
    glasses: str | None = None  # see `fairhuman.humans._glasses.RIMS`
    hair_lift: float = 0.0007  # of the edge of the hair off the scalp, metres


@dataclass(frozen=True)
class Picture:
    """A person, before a camera, on a stage, in a light."""

    person: Person
    shot: Shot
    stage: Stage
    light: Light
    boxes: NDArray[np.float32] = field(default_factory=lambda: np.zeros((1, 4, 3), np.float32))
    attributes: dict[str, str] = field(default_factory=dict)
    preset: str = "studio"


def _array(data: NDArray, dtype: type) -> wp.array:
    return wp.array(np.ascontiguousarray(data), dtype=dtype, device="cpu")


@torch.inference_mode()
def _posed_body(person: Person) -> tuple[Array, Array, NDArray[np.float64], NDArray[np.float64], Array]:
    """Posed vertices, rest vertices, bone rotations, posed bone heads, rest bone heads."""
    model, shape = load_model(), topology()
    _, phenotypes, changes, actions = model.get_tensor_inputs(
        None, person.phenotype, person.changes, person.actions
    )
    coefficients = model._get_phenotype_blendshape_coefficients(phenotypes, changes, actions)
    rest = model.get_rest_model(coefficients)
    rest_poses = rest["rest_bone_poses"]
    rest_vertices = rest["rest_vertices"][0].numpy()
    heads = rest_poses[0, :, :3, 3].numpy()
    turns, positions = solve_pose(person.pose, heads, shape, body_landmarks(rest_vertices, shape))
    oriented = torch.eye(4).repeat(1, len(heads), 1, 1)
    oriented[0, :, :3, :3] = torch.from_numpy(turns.astype(np.float32)) @ rest_poses[0, :, :3, :3]
    oriented[0, :, :3, 3] = torch.from_numpy(positions.astype(np.float32))
    transforms, _ = model.get_bone_transforms(oriented, rest_poses, pose_parameterization="world")
    vertices = model.get_skinned_vertices(rest["rest_vertices"], transforms)[0].numpy()
    return vertices, rest_vertices, turns, positions, heads


def _vertex_normals(points: Array, faces: NDArray[np.int32]) -> Array:
    normals = wp.zeros(len(points), dtype=wp.vec3, device="cpu")
    wp.launch(
        _shade.add_face_normals,
        len(faces),
        [_array(points, wp.vec3), _array(faces.reshape(-1), wp.int32), normals],
        device="cpu",
    )
    result = normals.numpy()
    return result / np.maximum(np.linalg.norm(result, axis=1, keepdims=True), 1e-12)


def _subject(shot: Shot, points: Array, positions: NDArray[np.float64]) -> Array:
    """The points that the framing must hold."""
    shape = topology()
    canonical, body = shape.canonical[:BODY_VERTICES], points[:BODY_VERTICES]
    height, along = canonical[:, 2], shape.paint[:BODY_VERTICES, 0]
    arm = shape.paint[:BODY_VERTICES, 1] > 0.5
    if shot.framing == "face close-up":
        return body[height > 0.60]
    if shot.framing == "hand close-up":
        sign = 1 if shot.side == "L" else -1
        return body[arm & (along > 0.95) & (shape.side[:BODY_VERTICES] == sign)]
    if shot.framing == "chest up":  # with the hands that are held as high
        chest = (height > 0.36) & ~(arm & (along > 0.2))
        return body[chest | (arm & (along > 0.9) & (body[:, 2] > body[chest, 2].min() - 0.03))]
    if shot.framing == "head and shoulders":
        return body[(height > 0.47) & ~(arm & (along > 0.2))]
    if shot.framing == "upper body":
        return body[(height > 0.10) | arm]
    if shot.framing == "knees up":
        return body[(height > -0.36) | arm]
    return body


def draw(picture: Picture, size: int) -> HumanImage:
    """Pose, dress, trace and annotate. Deterministic."""
    person, shape = picture.person, topology()
    points, rest, turns, positions, heads = _posed_body(person)
    normals = _vertex_normals(points, shape.faces)
    keep, points = dress(person.outfit, points, normals, shape)
    head = shape.bones["head"]
    extras = [
        grow(
            STYLES[person.hair],
            points,
            normals,
            rest,
            turns[head],
            positions[head],
            heads[head],
            shape,
            person.seed,
            person.hair_lift,
        )
    ]
    if person.glasses:
        extras.append(wear(person.glasses, rest, heads, turns[head], positions[head], shape))
    starts = np.cumsum([len(points)] + [len(extra.points) for extra in extras])
    all_points = np.concatenate([points, *(extra.points for extra in extras)]).astype(np.float32)
    all_normals = np.concatenate([normals, *(extra.normals for extra in extras)]).astype(np.float32)
    canonical = np.concatenate([shape.canonical, *(extra.canonical for extra in extras)]).astype(np.float32)
    paint = np.concatenate([shape.paint, np.zeros((len(all_points) - len(points), 4), np.float32)])
    extra_faces = [extra.faces + start for extra, start in zip(extras, starts, strict=False)]
    faces = np.concatenate([shape.faces[keep], *extra_faces]).astype(np.int32)
    own_kinds = shape.piece[keep] + 16 * shape.zone[keep]
    kinds = np.concatenate([own_kinds, *(extra.kinds for extra in extras)]).astype(np.int32)

    camera = aim(picture.shot, _subject(picture.shot, points, positions), size)
    used = np.zeros(len(all_points), bool)
    used[faces] = True
    stage = picture.stage
    stage.floor_z = float(points[cloth_vertices(), 2].min()) - 0.001
    mesh = wp.Mesh(_array(all_points, wp.vec3), _array(faces.reshape(-1), wp.int32))
    scene = (
        mesh.id,
        _array(all_normals, wp.vec3),
        _array(canonical, wp.vec3),
        _array(paint, wp.vec4),
        _array(kinds, wp.int32),
    )
    heights = np.array([0.0, 0.0, stage.floor_z], np.float32) * np.array([[1], [1], [0], [0]], np.float32)
    boxes = wp.array(picture.boxes + heights, dtype=wp.vec3, device="cpu")  # they stand on the floor
    traced = trace(scene, all_points, used, boxes, camera, person.look, picture.light, stage, size)
    body = body_keypoints(points, shape)
    left, right = hand_keypoints(points, positions, shape)
    every = np.concatenate([body, left, right])
    flags = visibility(every, camera, size, scene, person.look)
    local = camera.to_camera(every)
    flat = np.concatenate([camera.project(local), flags[:, None]], axis=1).astype(np.float32)
    return HumanImage(
        image=traced.image,
        parts=traced.parts,
        coverage={name: traced.coverage[..., i].copy() for i, name in enumerate(REGION_PARTS)},
        depth=traced.depth,
        keypoints=flat[:17],
        left_hand=flat[17:38],
        right_hand=flat[38:],
        keypoints_camera=local[:17].astype(np.float32),
        left_hand_camera=local[17:38].astype(np.float32),
        right_hand_camera=local[38:].astype(np.float32),
        camera=camera,
        face_yaw=_face_yaw(turns[head], positions[head], camera),
        attributes=picture.attributes,
        preset=picture.preset,
    )


def _face_yaw(turn: NDArray, head: NDArray, camera: Camera) -> float:
    """Angle about the head's vertical from its forward direction to the camera."""
    towards = turn.T @ (camera.position - head)  # in the head's rest frame, face to -y
    return float(np.rad2deg(np.arctan2(-towards[0], -towards[1])))
