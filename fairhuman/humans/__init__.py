"""Rendered people: bodies, poses, clothes, scenes, and exact annotations.

Heavy modules (torch, anny, Warp) are loaded when the first person is rendered.
"""

from __future__ import annotations

from fairhuman.humans._album import generate
from fairhuman.humans._description import caption, caption_vocabulary
from fairhuman.humans._person import PRESETS, render_human
from fairhuman.humans._types import (
    COCO_KEYPOINTS,
    HAND_KEYPOINTS,
    OCCLUDED,
    OUTSIDE,
    REGION_PARTS,
    VISIBLE,
    Camera,
    HumanImage,
    Part,
)

__all__ = [
    "COCO_KEYPOINTS",
    "HAND_KEYPOINTS",
    "OCCLUDED",
    "OUTSIDE",
    "PRESETS",
    "REGION_PARTS",
    "VISIBLE",
    "Camera",
    "HumanImage",
    "Part",
    "caption",
    "caption_vocabulary",
    "generate",
    "render_human",
]
