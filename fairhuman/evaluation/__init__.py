"""Evaluation: detection rates, distances, preference, poses, held-out losses, intervals.

Names are imported lazily, so that using one does not load the dependencies of the others.
"""

from importlib import import_module
from typing import Any

_HOMES = {
    "detect_crops": "crops",
    "detect_poses": "pose_alignment",
    "judge_poses": "pose_alignment",
    "summarise_poses": "pose_alignment",
    "estimate_depths": "depth_alignment",
    "judge_depths": "depth_alignment",
    "load_depth_model": "depth_alignment",
    "summarise_depths": "depth_alignment",
    "evaluate_crops": "crop_rates",
    "Estimate": "statistics",
    "corrected_level": "statistics",
    "estimate_mean": "statistics",
    "estimate_proportion": "statistics",
    "estimate_ratio": "statistics",
    "estimate_steps": "statistics",
    "paired_difference": "statistics",
    "evaluate_detection": "detection_rates",
    "compare_detection": "detection_rates",
    "compare_losses": "comparison",
    "compare_systems": "comparison",
    "crossed_bootstrap": "crossed",
    "crossed_difference": "crossed",
    "crossed_mean": "crossed",
    "expected_regions": "truth",
    "fingerprint": "identity",
    "frechet_distance": "distances",
    "heldout_losses": "regional",
    "kernel_distance": "distances",
    "kernel_distance_difference": "distances",
    "paired_ratio_difference": "statistics",
    "spread": "tables",
    "tabulate_detections": "detection_rates",
}

__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return __all__
