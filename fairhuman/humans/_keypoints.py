"""Keypoints of the posed body, and whether the camera sees them."""

from __future__ import annotations

import numpy as np
import warp as wp
from numpy.typing import NDArray

from fairhuman.humans import _rays
from fairhuman.humans._body import Topology
from fairhuman.humans._structs import Look
from fairhuman.humans._types import OCCLUDED, OUTSIDE, VISIBLE, Camera

# How deep a joint may lie below the surface in front of it and still count as seen, metres.
_DEPTH = {
    "body": (
        0.04,
        0.04,
        0.04,
        0.07,
        0.07,
        0.13,
        0.13,
        0.09,
        0.09,
        0.06,
        0.06,
        0.18,
        0.18,
        0.12,
        0.12,
        0.09,
        0.09,
    ),
    "hand": 0.032,
}


def body_keypoints(points: NDArray[np.float32], shape: Topology) -> NDArray[np.float64]:
    """The 17 COCO points in the world."""
    return shape.keypoint_weights.astype(np.float64) @ points[shape.keypoint_vertices]


def hand_keypoints(
    points: NDArray[np.float32], positions: NDArray[np.float64], shape: Topology
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """21 points a hand, left then right: the bones' joints and the fingertips."""
    hands = []
    for side, tips in zip("LR", shape.fingertips, strict=True):
        joints = [positions[shape.bones[f"wrist.{side}"]]]
        for finger, tip in zip(range(1, 6), tips, strict=True):
            chain = [positions[shape.bones[f"finger{finger}-{joint}.{side}"]] for joint in (1, 2, 3)]
            # A little inside the tip, where the other joints are: inside the finger.
            joints += [*chain, 0.15 * chain[-1] + 0.85 * points[tip]]
        hands.append(np.asarray(joints, dtype=np.float64))
    return hands[0], hands[1]


def visibility(
    targets: NDArray[np.float64], camera: Camera, size: int, scene: tuple, look: Look
) -> NDArray[np.float32]:
    """0 outside the image, 1 behind a nearer surface, 2 seen; one ray a point."""
    distances = wp.empty(len(targets), dtype=wp.float32, device="cpu")
    wp.launch(
        _rays.first_depths,
        len(targets),
        [
            *scene,
            wp.vec3(*camera.position),
            look,
            wp.array(targets.astype(np.float32), dtype=wp.vec3, device="cpu"),
            distances,
        ],
        device="cpu",
    )
    hit = distances.numpy()
    reach = np.linalg.norm(targets - camera.position, axis=1)
    slack = np.concatenate([_DEPTH["body"], np.full(len(targets) - 17, _DEPTH["hand"])])
    seen = (hit < 0) | (hit > reach - slack)
    pixels = camera.project(camera.to_camera(targets))
    inside = ((pixels >= 0) & (pixels < size)).all(1) & (camera.to_camera(targets)[:, 2] > 0)
    return np.where(inside, np.where(seen, VISIBLE, OCCLUDED), OUTSIDE).astype(np.float32)
