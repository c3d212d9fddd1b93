"""People, rendered: a parametric body, ray-traced, with exact annotations and a true caption."""

from fairhuman.humans._album import generate
from fairhuman.humans._caption import caption, caption_vocabulary
from fairhuman.humans._types import (
    COCO_KEYPOINTS,
    HAND_KEYPOINTS,
    REGION_PARTS,
    Camera,
    HumanImage,
    Part,
)

PRESETS = ("studio", "world")

__all__ = [
    "COCO_KEYPOINTS",
    "HAND_KEYPOINTS",
    "PRESETS",
    "REGION_PARTS",
    "Camera",
    "HumanImage",
    "Part",
    "caption",
    "caption_vocabulary",
    "generate",
]
