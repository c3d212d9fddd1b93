"""Poses: where arms, hands, legs and head go, solved for a body's proportions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from fairhuman.humans._body import Topology
from fairhuman.humans._hands import HandShape, finger_rotations

Array = NDArray[np.float64]


def rotation(axis: Array | tuple[float, float, float], degrees: float) -> Array:
    """Rotation matrix about an axis, right-handed (Rodrigues)."""
    x, y, z = np.asarray(axis, dtype=float) / np.linalg.norm(axis)
    angle = np.deg2rad(degrees)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    return np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross


def unit(vector: Array) -> Array:
    return vector / max(float(np.linalg.norm(vector)), 1e-9)


def _frame(first: Array, second: Array) -> Array:
    """Orthonormal columns: `first`, then the part of `second` across it, then their cross."""
    a = unit(first)
    b = unit(second - a * (a @ second))
    return np.stack([a, b, np.cross(a, b)], axis=1)


@dataclass(frozen=True)
class Arm:
    """One arm, in coordinates lateral (away from the body's middle), forward, up.

    `wrist` is relative to the shoulder joint in arm lengths, or, with `landmark`, to a
    landmark in metres; `elbow` says which way the elbow points, `fingers` where the
    fingers point and `palm` where the palm looks. At the chin they turn with the head.
    """

    wrist: tuple[float, float, float]
    elbow: tuple[float, float, float]
    fingers: tuple[float, float, float]
    palm: tuple[float, float, float]
    landmark: str | None = None
    raise_shoulder: float = 0.0  # degrees


@dataclass(frozen=True)
class Leg:
    """Degrees: thigh forward, thigh outwards, knee bent, foot turned out."""

    flex: float = 0.0
    spread: float = -6.0
    knee: float = 0.0
    turn: float = 6.0
    heel: float = 0.0


@dataclass(frozen=True)
class Pose:
    """A whole pose. Head angles in degrees: yaw to the person's left, pitch down, roll."""

    left_arm: Arm
    right_arm: Arm
    left_hand: HandShape
    right_hand: HandShape
    left_leg: Leg = field(default_factory=Leg)
    right_leg: Leg = field(default_factory=Leg)
    head: tuple[float, float, float] = (0.0, 0.0, 0.0)
    spine: tuple[float, float, float] = (
        0.0,
        0.0,
        0.0,
    )  # twist, lean forward, lean left
    gaze: tuple[float, float] = (0.0, 0.0)  # yaw, pitch
    turn: float = 0.0  # of the whole body, degrees to its left


def body_landmarks(rest: NDArray[np.float32], shape: Topology) -> dict[str, float]:
    """Half-widths and depths of a body's trunk in its rest pose, metres."""
    canonical, trunk = shape.canonical, shape.paint[:, 1] < 0.05
    trunk[15329:] = False  # not the skirt

    def band(low: float, high: float) -> NDArray[np.float32]:
        return rest[trunk & (canonical[:, 2] > low) & (canonical[:, 2] < high)]

    hips, waist, chest = band(-0.06, 0.08), band(0.17, 0.24), band(0.36, 0.46)
    chin = band(0.610, 0.635)
    return {
        "hip_width": float(hips[:, 0].max()),
        "hip_height": float(hips[:, 2].mean()),
        "hip_front": float(-hips[:, 1].min()),
        "waist_width": float(waist[:, 0].max()),
        "waist_height": float(waist[:, 2].mean()),
        "waist_front": float(-waist[:, 1].min()),
        "chest_front": float(-chest[:, 1].min()),
        "chest_height": float(chest[:, 2].mean()),
        "chin_front": float(-chin[:, 1].min()),
        "chin_height": float(chin[chin[:, 1].argmin(), 2]),
    }


class Solver:
    """Forward kinematics in rest-world axes: G maps a bone's rest frame to its posed one."""

    def __init__(self, heads: Array, shape: Topology, landmarks: Mapping[str, float]) -> None:
        self.heads, self.bones, self.parents = heads, shape.bones, shape.parents
        self.landmarks = landmarks
        self.turn: dict[int, Array] = {}  # bone -> rotation relative to its parent
        self.fixed: dict[int, Array] = {}  # bone -> absolute rotation

    def set(self, bone: str, relative: Array) -> None:
        self.turn[self.bones[bone]] = relative

    def fix(self, bone: str, absolute: Array) -> None:
        self.fixed[self.bones[bone]] = absolute

    def solve(self) -> tuple[Array, Array]:
        """Rotations (B, 3, 3) and posed heads (B, 3)."""
        count = len(self.parents)
        rotations, positions = np.empty((count, 3, 3)), np.empty((count, 3))
        for bone in range(count):
            parent = self.parents[bone]
            above = rotations[parent] if parent >= 0 else np.eye(3)
            if bone in self.fixed:
                rotations[bone] = self.fixed[bone]
            else:
                turn = self.turn.get(bone)
                rotations[bone] = above if turn is None else above @ turn
            positions[bone] = (
                self.heads[bone]
                if parent < 0
                else positions[parent] + above @ (self.heads[bone] - self.heads[parent])
            )
        return rotations, positions

    def arm(self, side: str, spec: Arm, hand: HandShape) -> None:
        """Two-bone inverse kinematics; forearm twist spread over its two bones."""
        sign = 1.0 if side == "L" else -1.0
        rotations, positions = self.solve()
        index = {
            n: self.bones[f"{n}.{side}"]
            for n in (
                "clavicle",
                "upperarm01",
                "lowerarm01",
                "wrist",
                "finger3-1",
                "finger2-1",
                "finger5-1",
            )
        }
        chest = rotations[self.bones["spine01"]]
        if spec.raise_shoulder:
            lift = rotation((0, -sign, 0), spec.raise_shoulder)
            self.fix(f"clavicle.{side}", chest @ lift)
            rotations, positions = self.solve()

        frame = rotations[self.bones["head"]] if spec.landmark == "chin" else chest

        def world(vector: tuple[float, float, float]) -> Array:
            return frame @ np.array([sign * vector[0], -vector[1], vector[2]])

        head = self.heads
        shoulder0, elbow0, wrist0 = (head[index[n]] for n in ("upperarm01", "lowerarm01", "wrist"))
        upper0, fore0 = elbow0 - shoulder0, wrist0 - elbow0
        upper, fore = float(np.linalg.norm(upper0)), float(np.linalg.norm(fore0))
        shoulder = positions[index["upperarm01"]]
        if spec.landmark is None:
            target = shoulder + world(spec.wrist) * (upper + fore)
        else:
            target = self._landmark(spec.landmark, sign, positions, chest) + world(spec.wrist)
        reach = target - shoulder
        distance = float(np.clip(np.linalg.norm(reach), abs(upper - fore) + 0.02, 0.992 * (upper + fore)))
        axis = unit(reach)
        pole = world(spec.elbow)
        pole = unit(pole - axis * (axis @ pole))
        cosine = (upper**2 + distance**2 - fore**2) / (2 * upper * distance)
        along, across = upper * cosine, upper * np.sqrt(max(1 - cosine**2, 0))
        elbow = shoulder + axis * along + pole * across
        wrist = shoulder + axis * distance
        hinge, hinge0 = np.cross(pole, axis), np.cross(upper0, fore0)
        arm_turn = _frame(elbow - shoulder, hinge) @ _frame(upper0, hinge0).T
        fore_turn = _frame(wrist - elbow, hinge) @ _frame(fore0, hinge0).T

        # Half of the upper arm's twist belongs to its upper bone, or the shoulder wrings.
        above = rotations[index["clavicle"]]
        twist = _twist(above.T @ arm_turn, unit(upper0))
        self.fix(f"upperarm01.{side}", arm_turn @ rotation(upper0, -0.5 * twist))
        self.fix(f"upperarm02.{side}", arm_turn)

        finger0 = head[index["finger3-1"]] - wrist0
        thumbward = head[index["finger2-1"]] - head[index["finger5-1"]]
        palm0 = sign * np.cross(finger0, thumbward)
        hand_turn = _frame(world(spec.fingers), world(spec.palm)) @ _frame(finger0, palm0).T
        relative = fore_turn.T @ hand_turn
        roll = float(np.clip(_twist(relative, unit(fore0)), -110, 110))
        bend = _limit(rotation(fore0, -_twist(relative, unit(fore0))) @ relative, 65)
        hand_turn = fore_turn @ rotation(fore0, roll) @ bend
        self.fix(f"lowerarm01.{side}", fore_turn @ rotation(fore0, 0.25 * roll))
        self.fix(f"lowerarm02.{side}", fore_turn @ rotation(fore0, 0.7 * roll))
        self.fix(f"wrist.{side}", hand_turn)
        for bone, turn in finger_rotations(hand, head, self.bones, side).items():
            self.set(bone, turn)

    def _landmark(self, name: str, sign: float, positions: Array, chest: Array) -> Array:
        marks, heads = self.landmarks, self.heads
        if name == "hip":
            point = np.array([sign * marks["hip_width"], 0.0, marks["hip_height"]])
        elif name == "waist":
            point = np.array([sign * marks["waist_width"], 0.0, marks["waist_height"]])
        elif name == "chest":
            point = np.array([0.0, -marks["chest_front"], marks["chest_height"]])
        elif name == "belly":
            point = np.array([0.0, -marks["waist_front"], marks["waist_height"]])
        elif name == "chin":
            point = np.array([0.0, -marks["chin_front"], marks["chin_height"]])
        else:
            raise ValueError(f"landmark must be hip, waist, chest, belly or chin, got {name!r}")
        bone = self.bones[{"hip": "root", "waist": "spine03", "chin": "head"}.get(name, "spine01")]
        rotations, _ = self.solve()
        return positions[bone] + rotations[bone] @ (point - heads[bone])


def _twist(matrix: Array, axis: Array) -> float:
    """Degrees of a rotation about an axis (swing-twist)."""
    vector = np.array(
        [
            matrix[2, 1] - matrix[1, 2],
            matrix[0, 2] - matrix[2, 0],
            matrix[1, 0] - matrix[0, 1],
        ]
    )
    w = np.sqrt(max(1 + np.trace(matrix), 1e-12)) / 2
    return float(np.rad2deg(2 * np.arctan2(vector @ axis / (4 * w), w) + np.pi) % 360 - 180)


def _limit(matrix: Array, degrees: float) -> Array:
    """The same rotation, its angle at most `degrees`."""
    angle = np.rad2deg(np.arccos(np.clip((np.trace(matrix) - 1) / 2, -1, 1)))
    if angle <= degrees:
        return matrix
    vector = np.array(
        [
            matrix[2, 1] - matrix[1, 2],
            matrix[0, 2] - matrix[2, 0],
            matrix[1, 0] - matrix[0, 1],
        ]
    )
    return rotation(vector, degrees)


def solve_pose(
    pose: Pose, heads: Array, shape: Topology, landmarks: Mapping[str, float]
) -> tuple[Array, Array]:
    """Bone rotations (B, 3, 3) from rest and posed bone heads (B, 3), root in place."""
    solver = Solver(np.asarray(heads, dtype=np.float64), shape, landmarks)
    solver.set("root", rotation((0, 0, 1), pose.turn))
    twist, lean, side = pose.spine
    for bone in ("spine05", "spine04", "spine03", "spine02", "spine01"):
        step = rotation((0, 0, 1), twist / 5) @ rotation((1, 0, 0), lean / 5) @ rotation((0, 1, 0), side / 5)
        solver.set(bone, step)
    yaw, pitch, roll = pose.head
    for bone, share in (
        ("neck01", 0.2),
        ("neck02", 0.25),
        ("neck03", 0.25),
        ("head", 0.3),
    ):
        solver.set(
            bone,
            rotation((0, 0, 1), share * yaw)
            @ rotation((1, 0, 0), share * pitch)
            @ rotation((0, 1, 0), share * roll),
        )
    for eye in ("eye.L", "eye.R"):
        solver.set(eye, rotation((0, 0, 1), pose.gaze[0]) @ rotation((1, 0, 0), pose.gaze[1]))
    for side_name, leg, sign in (
        ("L", pose.left_leg, 1.0),
        ("R", pose.right_leg, -1.0),
    ):
        thigh = rotation((0, sign, 0), -leg.spread) @ rotation((1, 0, 0), -leg.flex)
        turn = rotation((0, 0, 1), sign * leg.turn)
        solver.set(f"upperleg01.{side_name}", turn @ thigh)
        shin = turn @ thigh @ rotation((1, 0, 0), leg.knee)
        solver.set(f"lowerleg01.{side_name}", rotation((1, 0, 0), leg.knee))
        # The sole stays level: undo what thigh and knee tilted, keep the turn.
        solver.set(f"foot.{side_name}", shin.T @ turn @ rotation((1, 0, 0), leg.heel))
    solver.arm("L", pose.left_arm, pose.left_hand)
    solver.arm("R", pose.right_arm, pose.right_hand)
    return solver.solve()
