"""What a training of the base leaves behind for figures and the model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fairhuman.training._run import read_lines
from fairhuman.training.base._recipe import AUTOENCODER, DENOISER, REFINEMENT
from fairhuman.training.base._settings import BaseSettings


def training_curves(output: Path, points: int = 150) -> dict[str, Any]:
    """The logs, averaged over stretches of equal length, with steps and minutes.

    Args:
        output: The run's folder.
        points: How many stretches.

    Returns:
        For each part: ``steps``, ``minutes`` (the steps' own, without loading and saving) and ``curve``,
        rows with the last step of the stretch, its minutes since the start and the means of what was logged.

    Raises:
        FileNotFoundError: The folder holds no log of one of the parts.
    """
    figures = {}
    for part in (AUTOENCODER, REFINEMENT, DENOISER):
        path = Path(output) / part / "log.jsonl"
        if part == REFINEMENT and not path.parent.is_dir():
            continue
        lines = read_lines(path)
        if not lines:
            raise FileNotFoundError(f"output: {path} holds no steps")
        figures[part] = {
            "steps": len(lines),
            "minutes": sum(line["seconds"] for line in lines) / 60,
            "curve": _means(lines, points),
        }
    return figures


def write_training(
    settings: BaseSettings, images: int, profile: str = "base", name: str = "training"
) -> Path:
    """Store the curves of a finished training as ``results/<profile>/<name>.json``.

    Args:
        settings: Of the training.
        images: Size of the training set, mirror images not counted.
        profile, name: Where to.
    """
    from fairhuman.results import write_result

    output = Path(settings.output)
    parameters = {**settings.to_dict(), "data": Path(settings.data).name, "output": output.name}
    figures = training_curves(output)
    return write_result(profile, name, figures, parameters=parameters, samples=images, seed=settings.seed)


def _means(lines: Sequence[Mapping[str, float]], points: int) -> list[dict[str, float]]:
    rows, elapsed = [], 0.0
    bounds = [round(i * len(lines) / min(points, len(lines))) for i in range(min(points, len(lines)) + 1)]
    for first, last in zip(bounds, bounds[1:], strict=False):
        stretch = lines[first:last]
        elapsed += sum(line["seconds"] for line in stretch)
        means = {
            key: round(sum(line[key] for line in stretch) / len(stretch), 5)
            for key in stretch[0]
            if key not in ("step", "seconds", "side")
        }
        if "side" in stretch[-1]:
            means["side"] = stretch[-1]["side"]
        rows.append({"step": stretch[-1]["step"] + 1, "minutes": round(elapsed / 60, 3), **means})
    return rows
