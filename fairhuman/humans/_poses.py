"""Named poses: each draws arms and legs with a little chance in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np

from fairhuman.humans._hands import GESTURES, HandShape, jitter
from fairhuman.humans._pose import Arm, Leg, Pose

Rng = np.random.Generator


def _near(rng: Rng, point: tuple[float, float, float], spread: float) -> tuple[float, float, float]:
    x, y, z = np.asarray(point) + rng.normal(0, spread, 3)
    return float(x), float(y), float(z)


def hanging(rng: Rng, swing: float = 0.0) -> Arm:
    """An arm that hangs beside the hip; `swing` forward in arm lengths."""
    out = rng.uniform(0.075, 0.12)
    return Arm(
        (out, 0.06 + swing, -0.02),
        (0.35, -1, -0.1),
        (-0.05, 0.16 + swing, -1),
        (-1, -0.25, 0),
        landmark="hip",
    )


def waving(rng: Rng) -> Arm:
    wrist = (rng.uniform(0.34, 0.52), rng.uniform(0.16, 0.30), rng.uniform(0.28, 0.50))
    return Arm(
        wrist,
        (0.5, -0.1, -1),
        (rng.uniform(-0.25, 0.3), 0.12, 1),
        _near(rng, (-0.05, 1, 0.0), 0.08),
        raise_shoulder=8,
    )


def showing(rng: Rng) -> Arm:
    """A hand held up before the shoulder, its palm to the camera."""
    wrist = (rng.uniform(0.14, 0.40), rng.uniform(0.34, 0.46), rng.uniform(-0.06, 0.16))
    return Arm(
        wrist,
        (0.45, -0.2, -1),
        (rng.uniform(-0.12, 0.2), 0.15, 1),
        _near(rng, (-0.1, 1, 0), 0.08),
    )


def thumbing(rng: Rng) -> Arm:
    """A fist held forward with the thumb side up."""
    wrist = (
        rng.uniform(0.02, 0.22),
        rng.uniform(0.42, 0.52),
        rng.uniform(-0.22, -0.02),
    )
    return Arm(wrist, (0.5, -0.3, -1), _near(rng, (-0.75, 0.65, 0.05), 0.07), (-0.65, -0.75, 0))


def pointing_up(rng: Rng) -> Arm:
    wrist = (rng.uniform(0.12, 0.36), rng.uniform(0.34, 0.46), rng.uniform(-0.05, 0.14))
    return Arm(
        wrist,
        (0.45, -0.2, -1),
        (rng.uniform(-0.2, 0.1), 0.12, 1),
        _near(rng, (-0.35, 1, 0), 0.1),
    )


def on_hip(rng: Rng) -> Arm:
    return Arm(
        (0.060, -0.005, 0.015 + rng.uniform(-0.02, 0.02)),
        (1, -0.45, 0.1),
        (-0.62, 0.62, -0.5),
        (-0.72, -0.55, -0.2),
        landmark="waist",
    )


def crossed(rng: Rng, over: bool) -> Arm:
    """A forearm across the chest; the one that lies over is further forward and higher."""
    forward, height = (0.135, 0.005) if over else (0.075, -0.045)
    wrist = (-0.085 if over else -0.075, forward, height - 0.055)
    return Arm(
        wrist,
        (0.9, 0.05, -1),
        (-1, -0.05, 0.22 if over else 0.12),
        (-0.05, -1, -0.05),
        landmark="chest",
    )


def raised(rng: Rng) -> Arm:
    wrist = (rng.uniform(0.25, 0.5), rng.uniform(0.0, 0.12), rng.uniform(0.72, 0.85))
    return Arm(
        wrist,
        (1, -0.2, -0.2),
        (rng.uniform(0, 0.3), 0, 1),
        (-0.1, 1, 0),
        raise_shoulder=22,
    )


def reaching(rng: Rng) -> Arm:
    wrist = (rng.uniform(0.0, 0.3), rng.uniform(0.7, 0.85), rng.uniform(-0.1, 0.25))
    return Arm(
        wrist,
        (0.4, -0.1, -1),
        _near(rng, (0.05, 1, 0.15), 0.08),
        _near(rng, (-0.5, 0.1, -0.7), 0.1),
    )


def clasped(rng: Rng, over: bool) -> Arm:
    """Hands together before the belly."""
    return Arm(
        (0.018 if over else 0.030, 0.095 if over else 0.07, -0.06),
        (1, -0.4, -0.5),
        (-0.9, 0.25, -0.3),
        (-0.1, -1, -0.1),
        landmark="belly",
    )


def together(rng: Rng) -> Arm:
    """A palm against the other before the chest, fingers up."""
    return Arm(
        (0.022, rng.uniform(0.12, 0.15), rng.uniform(-0.03, 0.03)),
        (1, -0.1, -0.7),
        (-0.02, 0.25, 1),
        (-1, 0, 0),
        landmark="chest",
    )


def on_chest(rng: Rng) -> Arm:
    """A palm flat on the other side of the breastbone."""
    return Arm(
        (0.03, 0.05, -0.03 + rng.uniform(-0.01, 0.02)),
        (1, -0.2, -0.7),
        (-1, 0.1, rng.uniform(0.25, 0.45)),
        (0, -1, 0),
        landmark="chest",
    )


def on_chin(rng: Rng) -> Arm:
    """The knuckles under the chin."""
    return Arm(
        (-0.005 + rng.uniform(-0.006, 0.006), 0.0, -0.115),
        (rng.uniform(0.3, 0.6), 0.2, -1),
        (-0.12, 0.2, 1),
        (-0.3, -1, 0.1),
        landmark="chin",
    )


def ringing(rng: Rng) -> Arm:
    """As `showing`, the palm turned so that the ring of thumb and forefinger is seen."""
    return replace(showing(rng), palm=_near(rng, (-0.55, 1, 0), 0.08))


def thumbing_down(rng: Rng) -> Arm:
    """A fist held forward with the thumb side down."""
    return replace(thumbing(rng), elbow=(1, -0.2, -0.3), palm=(0.65, 0.75, 0))


def _legs(rng: Rng) -> tuple[Leg, Leg]:
    spread, turn = rng.uniform(-11, -5), rng.uniform(4, 14)
    left, right = Leg(spread=spread, turn=turn), Leg(spread=spread, turn=turn)
    if rng.random() < 0.5:  # weight on one leg, the other knee a little bent
        bent = Leg(
            flex=rng.uniform(6, 14),
            spread=spread + 3,
            knee=rng.uniform(10, 20),
            turn=turn + 8,
        )
        left, right = (bent, right) if rng.random() < 0.5 else (left, bent)
    return left, right


def _standing(rng: Rng, gesture: str) -> Pose:
    left, right = _legs(rng)
    relaxed = GESTURES["relaxed"]
    return Pose(
        hanging(rng),
        hanging(rng),
        jitter(relaxed, rng, 3),
        jitter(relaxed, rng, 3),
        left,
        right,
    )


def _one_arm(make: Callable[[Rng], Arm]) -> Callable[[Rng, str], Pose]:
    def draw(rng: Rng, gesture: str) -> Pose:
        pose = _standing(rng, gesture)
        arm, hand = make(rng), jitter(GESTURES[gesture], rng, 2.5)
        if rng.random() < 0.5:
            return replace(pose, left_arm=arm, left_hand=hand)
        return replace(pose, right_arm=arm, right_hand=hand)

    return draw


def _touching(make: Callable[[Rng], Arm], hand: HandShape, both: bool = False) -> Callable[[Rng, str], Pose]:
    """The pose settles what the hand does."""

    def draw(rng: Rng, _: str) -> Pose:
        pose, arm, shape = _standing(rng, "relaxed"), make(rng), jitter(hand, rng, 1.5)
        left, right = {"left_arm": arm, "left_hand": shape}, {"right_arm": arm, "right_hand": shape}
        if both:
            return replace(pose, **left, **right)
        return replace(pose, **(left if rng.random() < 0.5 else right))

    return draw


def _two_arms(make: Callable[..., Arm], ordered: bool = False) -> Callable[[Rng, str], Pose]:
    def draw(rng: Rng, gesture: str) -> Pose:
        pose = _standing(rng, gesture)
        over = bool(rng.random() < 0.5)
        arms = (make(rng, over), make(rng, not over)) if ordered else (make(rng), make(rng))
        hands = jitter(GESTURES[gesture], rng, 2.5), jitter(GESTURES[gesture], rng, 2.5)
        return replace(
            pose,
            left_arm=arms[0],
            right_arm=arms[1],
            left_hand=hands[0],
            right_hand=hands[1],
        )

    return draw


def _walking(rng: Rng, gesture: str) -> Pose:
    pose = _standing(rng, gesture)
    step = rng.uniform(18, 28)
    front = Leg(flex=step, spread=-9, knee=rng.uniform(4, 12), turn=3)
    back = Leg(
        flex=-0.75 * step,
        spread=-9,
        knee=rng.uniform(12, 28),
        turn=6,
        heel=rng.uniform(14, 28),
    )
    swing = rng.uniform(0.12, 0.22)
    ahead, behind = hanging(rng, swing), hanging(rng, -swing)
    if rng.random() < 0.5:
        return replace(pose, left_leg=front, right_leg=back, left_arm=behind, right_arm=ahead)
    return replace(pose, left_leg=back, right_leg=front, left_arm=ahead, right_arm=behind)


def aside(pose: Pose) -> Pose:
    """The shown hand further out and lower, so that a close-up of it has no face in it."""

    def move(arm: Arm) -> Arm:
        if arm.landmark is not None:
            return arm
        lateral, forward, up = arm.wrist
        return replace(arm, wrist=(lateral + 0.20, forward, up - 0.14))

    return replace(pose, left_arm=move(pose.left_arm), right_arm=move(pose.right_arm))


def _shown(rng: Rng, gesture: str) -> Pose:
    return _one_arm(_MAKERS.get(gesture, showing))(rng, gesture)


def _both_shown(rng: Rng, gesture: str) -> Pose:
    return _two_arms(_MAKERS.get(gesture, showing))(rng, gesture)


_MAKERS = {"thumb up": thumbing, "thumb down": thumbing_down, "pointing": pointing_up, "ok sign": ringing}
_FLAT = HandShape(((-8, -8, -6),) * 4, oppose=-14, flex=-2, thumb=(0, 0), name="open palm")
_LAID = HandShape(
    ((3, 7, 5), (4, 9, 6), (6, 11, 7), (8, 13, 8)), spread=1.5, oppose=-8, thumb=(2, 4), name="open palm"
)
_PROPPING = HandShape(
    ((52, 70, 40), (60, 78, 48), (66, 84, 52), (70, 88, 55)), oppose=-6, flex=-10, thumb=(0, 4), name="fist"
)


POSES: Mapping[str, Callable[[Rng, str], Pose]] = {
    "standing": _standing,
    "waving": _one_arm(waving),
    "showing a hand": _shown,
    "hands on hips": _two_arms(on_hip),
    "hand on hip": _one_arm(on_hip),
    "arms crossed": _two_arms(crossed, ordered=True),
    "arms raised": _two_arms(raised),
    "one arm raised": _one_arm(raised),
    "reaching": _one_arm(reaching),
    "hands clasped": _two_arms(clasped, ordered=True),
    "walking": _walking,
    "showing both hands": _both_shown,
    "palms together": _touching(together, _FLAT, both=True),
    "hand on chest": _touching(on_chest, _LAID),
    "hand on chin": _touching(on_chin, _PROPPING),
}

POSE_GESTURES: Mapping[str, tuple[str, ...]] = {
    "standing": ("relaxed",),
    "waving": ("open palm",),
    "showing a hand": ("open palm", "fist", "pointing", "thumb up", "two fingers"),
    "hands on hips": ("relaxed",),
    "hand on hip": ("relaxed",),
    "arms crossed": ("relaxed",),
    "arms raised": ("open palm", "fist", "two fingers"),
    "one arm raised": ("open palm", "fist", "pointing", "two fingers"),
    "reaching": ("open palm", "gripping", "pointing"),
    "hands clasped": ("relaxed",),
    "walking": ("relaxed",),
}
