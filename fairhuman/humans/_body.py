"""The parametric body: anny's model, its constant topology, landmarks and labels."""

from __future__ import annotations

import contextlib
import functools
import logging
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from fairhuman.humans._types import COCO_KEYPOINTS

FACIAL_ACTIONS: tuple[str, ...] = (
    "browDownLeft", "browDownRight", "browInnerUp", "browOuterUpLeft", "browOuterUpRight",
    "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "eyeBlinkLeft", "eyeBlinkRight",
    "eyeSquintLeft", "eyeSquintRight", "eyeWideLeft", "eyeWideRight", "jawOpen",
    "mouthFrownLeft", "mouthFrownRight", "mouthSmileLeft", "mouthSmileRight",
    "mouthFunnel", "mouthPucker", "mouthStretchLeft", "mouthStretchRight",
    "mouthUpperUpLeft", "mouthUpperUpRight", "mouthLowerDownLeft", "mouthLowerDownRight",
    "mouthPressLeft", "mouthPressRight", "noseSneerLeft", "noseSneerRight",
)  # fmt: skip
FACE_CHANGES: tuple[str, ...] = (
    "nose-scale-horiz-incr", "nose-scale-vert-incr", "nose-scale-depth-incr", "nose-hump-incr",
    "mouth-scale-horiz-incr", "mouth-upperlip-volume-incr", "mouth-lowerlip-volume-incr",
    "chin-width-incr", "chin-prominent-incr", "chin-height-incr", "head-fat-incr",
    "head-scale-horiz-incr",
    "forehead-scale-vert-incr",
)  # fmt: skip
BODY_VERTICES = 13380  # come first; those of the helper surfaces follow
RANK = 64  # of the compacted phenotype blend shapes; within 0.1 mm of the full 136


class Piece:
    """Which surface a triangle belongs to."""

    BODY, EYE, TONGUE, TEETH, LASH, CLOTH, SKIRT, CAP, CURTAIN, KNOT, FRAME = range(11)


class Zone:
    """Which part of the body a skin triangle belongs to."""

    BODY, HEAD, LEFT_HAND, RIGHT_HAND, LEFT_FOOT, RIGHT_FOOT, MOUTH, SOCKET = range(8)


@contextlib.contextmanager
def quiet_import() -> Iterator[None]:
    """Warp greets on stdout and warns of an absent GPU on stderr from native code."""
    logging.getLogger("anny").setLevel(logging.ERROR)
    saved = os.dup(1), os.dup(2)
    sink = os.open(os.devnull, os.O_WRONLY)
    os.dup2(sink, 1)
    os.dup2(sink, 2)
    try:
        yield
    finally:
        for number, descriptor in zip((1, 2), saved, strict=True):
            os.dup2(descriptor, number)
            os.close(descriptor)
        os.close(sink)


@dataclass(frozen=True)
class Topology:
    """What never changes from one person to the next. V vertices, F triangles."""

    canonical: NDArray[np.float32]  # (V, 3) the model's neutral standing pose, metres
    faces: NDArray[np.int32]  # (F, 3)
    piece: NDArray[np.int32]  # (F,) `Piece`
    zone: NDArray[np.int32]  # (F,) `Zone`
    paint: NDArray[np.float32]  # (V, 4) along arm 0-1, is arm, lips, nail
    side: NDArray[np.int32]  # (V,) +1 on the person's left, -1 right
    bones: Mapping[str, int]
    parents: NDArray[np.int32]
    fingertips: NDArray[np.int32]  # (2, 5) vertices: left, right; thumb to little finger
    keypoint_vertices: NDArray[np.int32]  # sparse COCO regressor: vertices ...
    keypoint_weights: NDArray[np.float32]  # ... and (17, S) weights


@functools.lru_cache(maxsize=1)
def load_model() -> Any:
    """anny with the helper surfaces kept; the first call on a machine builds its cache."""
    with quiet_import():
        import warp

        warp.config.log_level = warp.LOG_ERROR
        import anny

        model = anny.Anny(
            rig="anny",
            topology="anny-full",
            facial_actions=list(FACIAL_ACTIONS),
            local_changes=list(FACE_CHANGES),
            phenotypes="all",
            phenotype_blendshapes=RANK,
        ).to(torch.float32)
        warp.init()
    return model.requires_grad_(False)


def _texture_at(name: str, uv: NDArray[np.floating]) -> NDArray[np.float32]:
    from anny.paths import get_anny_root_dir
    from PIL import Image

    path = get_anny_root_dir() / "data" / "mpfb2" / "textures" / f"mpfb_{name}.jpg"
    image = np.asarray(Image.open(path).convert("L"), dtype=np.float32) / 255
    height, width = image.shape
    column = np.clip(np.rint(uv[:, 0] * width), 0, width - 1).astype(int)
    row = np.clip(np.rint((1 - uv[:, 1]) * height), 0, height - 1).astype(int)
    return image[row, column]


def _face_zones(model: Any) -> NDArray[np.int32]:
    from anny.face_segmentation import get_face_segmentation_mask

    zones = np.zeros(len(model.faces), dtype=np.int32)
    for zone, labels in {
        Zone.HEAD: ["head"],
        Zone.LEFT_HAND: ["hand.L"],
        Zone.RIGHT_HAND: ["hand.R"],
        Zone.LEFT_FOOT: ["foot.L"],
        Zone.RIGHT_FOOT: ["foot.R"],
        Zone.MOUTH: ["mouth_cavity", "tongue"],
        Zone.SOCKET: ["eye_cavity.L", "eye_cavity.R"],
    }.items():
        zones[get_face_segmentation_mask(model, labels).numpy()] = zone
    return zones


def _triangles(quads: torch.Tensor) -> NDArray[np.int32]:
    quads = quads.numpy().astype(np.int32)
    return np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])


@functools.lru_cache(maxsize=1)
def topology() -> Topology:
    """Body, eyes, teeth, lashes, and MakeHuman's close-fitting suit and skirt for clothes."""
    model = load_model()
    import anny.utils.obj_utils as obj_utils
    from anny.paths import get_anny_root_dir

    data = get_anny_root_dir() / "data"
    *_, groups = obj_utils.load_obj_file(data / "mpfb2/3dobjs/base.obj", dtype=torch.float64)
    canonical = model.template_vertices.numpy().astype(np.float32)
    body = model.faces.numpy().astype(np.int32)
    faces, piece, zone = [body], [np.zeros(len(body), np.int32)], [_face_zones(model)]
    eyes = np.concatenate([groups[f"helper-{s}-eye"]["face_vertex_indices"].numpy().ravel() for s in "lr"])
    tongue = groups["helper-tongue"]["face_vertex_indices"].numpy().ravel()
    piece[0][np.isin(body, eyes).all(1)] = Piece.EYE
    piece[0][np.isin(body, tongue).all(1)] = Piece.TONGUE
    helpers = {
        Piece.TEETH: ["helper-upper-teeth", "helper-lower-teeth"],
        Piece.LASH: [f"helper-{s}-eyelashes-{i}" for s in "lr" for i in "12"],
        Piece.CLOTH: ["helper-tights"],
        Piece.SKIRT: ["helper-skirt"],
    }
    for kind, names in helpers.items():
        for name in names:
            triangles = _triangles(groups[name]["face_vertex_indices"])
            faces.append(triangles)
            piece.append(np.full(len(triangles), kind, np.int32))
            zone.append(np.zeros(len(triangles), np.int32))

    uv = np.zeros((len(canonical), 2))
    corners = model.face_texture_coordinate_indices.numpy()
    uv[body.ravel()] = model.texture_coordinates.numpy()[corners.ravel()]
    used = np.zeros(len(canonical), bool)
    used[body.ravel()] = True
    bones = {name: i for i, name in enumerate(model.bone_labels)}
    heads = model.template_bone_heads.numpy()
    paint = np.zeros((len(canonical), 4), np.float32)
    paint[:, 0] = _along_arm(canonical, heads, bones)
    paint[:, 1] = _arm_share(model, bones)
    paint[used, 2] = _texture_at("lips", uv[used])
    paint[used, 3] = _texture_at("fingernails", uv[used])
    vertices, weights = _keypoint_regressor()
    return Topology(
        canonical=canonical,
        faces=np.concatenate(faces),
        piece=np.concatenate(piece),
        zone=np.concatenate(zone),
        paint=paint,
        side=np.where(canonical[:, 0] >= 0, 1, -1).astype(np.int32),
        bones=bones,
        parents=np.asarray(model.bone_parents, dtype=np.int32),
        fingertips=_fingertips(model, bones),
        keypoint_vertices=vertices,
        keypoint_weights=weights,
    )


def _along_arm(points: NDArray, heads: NDArray, bones: Mapping[str, int]) -> NDArray[np.float32]:
    """Position along the arm, 0 at the shoulder joint, 0.5 at the elbow, 1 at the wrist."""
    mirrored = np.abs(points[:, 0:1]) * [1, 0, 0] + points * [0, 1, 1]
    shoulder, elbow, wrist = (heads[bones[f"{b}.L"]] for b in ("upperarm01", "lowerarm01", "wrist"))
    upper, fore = elbow - shoulder, wrist - elbow
    first = (mirrored - shoulder) @ upper / (upper @ upper)
    second = (mirrored - elbow) @ fore / (fore @ fore)
    return np.where(second > 0, 0.5 + 0.5 * second, 0.5 * np.minimum(first, 1)).astype(np.float32)


def _arm_share(model: Any, bones: Mapping[str, int]) -> NDArray[np.float32]:
    names = ("upperarm", "lowerarm", "wrist", "finger", "metacarpal")
    arm = np.array([label.startswith(names) for label in bones])
    weights, indices = (
        model.vertex_bone_weights.numpy(),
        model.vertex_bone_indices.numpy(),
    )
    return (weights * arm[indices]).sum(1).astype(np.float32)


def _fingertips(model: Any, bones: Mapping[str, int]) -> NDArray[np.int32]:
    canonical, heads = (
        model.template_vertices.numpy(),
        model.template_bone_heads.numpy(),
    )
    weights, indices = (
        model.vertex_bone_weights.numpy(),
        model.vertex_bone_indices.numpy(),
    )
    tips = []
    for side in "LR":
        for finger in range(1, 6):
            last, before = (bones[f"finger{finger}-{joint}.{side}"] for joint in (3, 2))
            mine = ((indices == last) * weights).sum(1) > 0.5
            mine[BODY_VERTICES:] = False  # helper surfaces have no fingers
            direction = heads[last] - heads[before]
            candidates = np.flatnonzero(mine)
            tips.append(candidates[np.argmax(canonical[candidates] @ direction)])
    return np.asarray(tips, dtype=np.int32).reshape(2, 5)


def _keypoint_regressor() -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    from anny.paths import get_anny_root_dir

    path = get_anny_root_dir() / "data" / "keypoints" / "coco.pth"
    data = torch.load(path, weights_only=True)
    dense = torch.stack([data[name] for name in COCO_KEYPOINTS]).numpy()
    dense = np.where(dense > 1e-5, dense, 0)
    dense /= dense.sum(1, keepdims=True)
    used = np.flatnonzero(dense.any(0))
    return used.astype(np.int32), dense[:, used].astype(np.float32)
