"""Correctness of faces and hands in close-up, and their number against the prompt."""

from fairhuman.evaluation.anatomy._fingers import FINGERS, GESTURE_FINGERS, extended_fingers
from fairhuman.evaluation.anatomy._judge import Anatomy, judge_anatomy
from fairhuman.evaluation.anatomy._places import HANDS, REGIONS, Place, place_regions
from fairhuman.evaluation.anatomy._rates import (
    MEASURES,
    anatomy_rates,
    compare_anatomy,
    estimate_measure,
    measure_totals,
    tabulate_anatomy,
)
from fairhuman.evaluation.anatomy._shape import FACE_SHAPES, FaceShapes, align_shape

__all__ = [
    "FACE_SHAPES",
    "FINGERS",
    "GESTURE_FINGERS",
    "HANDS",
    "MEASURES",
    "REGIONS",
    "Anatomy",
    "FaceShapes",
    "Place",
    "align_shape",
    "anatomy_rates",
    "compare_anatomy",
    "estimate_measure",
    "extended_fingers",
    "judge_anatomy",
    "measure_totals",
    "place_regions",
    "tabulate_anatomy",
]
