"""What a training of the base leaves behind for figures and the model card."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fairhuman.training._run import read_lines
from fairhuman.training.base._recipe import AUTOENCODER, DENOISER, REFINEMENT
from fairhuman.training.base._settings import BaseSettings


def training_curves(*outputs: Path, points: int = 150) -> dict[str, Any]:
    """The logs, averaged over stretches of equal length, with steps and minutes.

    Args:
        outputs: The run's folder; then, in order, those of the runs that continued it.
        points: How many stretches for each run.

    Returns:
        For each part: ``steps``, ``minutes`` (of the steps, without loading and saving) and ``curve``,
        rows with the last step of the stretch, its minutes since the start and the means of what was logged.
        A continued part has ``continued``, the steps made before each run that did.

    Raises:
        FileNotFoundError: A folder holds no log of the UNet.
    """
    figures: dict[str, Any] = {}
    for output in outputs:
        for part in (AUTOENCODER, REFINEMENT, DENOISER):
            path = Path(output) / part / "log.jsonl"
            if part != DENOISER and not path.parent.is_dir():
                continue
            lines = read_lines(path)
            if not lines:
                raise FileNotFoundError(f"output: {path} holds no steps")
            found = {
                "steps": len(lines),
                "minutes": sum(line["seconds"] for line in lines) / 60,
                "curve": _means(lines, points),
            }
            figures[part] = _joined(figures[part], found) if part in figures else found
    return figures


def write_training(*runs: BaseSettings, images: int, profile: str = "base", name: str = "training") -> Path:
    """Store the curves of a finished training as ``results/<profile>/<name>.json``.

    Args:
        runs: Of the training, and of the runs that continued it.
        images: Size of the training set, mirror images not counted.
        profile, name: Where to.
    """
    from fairhuman.results import write_result

    told = [run.to_dict() | {"data": Path(run.data).name, "output": Path(run.output).name} for run in runs]
    for values in told:  # where it lay on one machine says nothing; which run it was does
        values["start"] = "/".join(Path(values["start"]).parts[-2:])
    parameters = told[0] if len(told) == 1 else {"runs": told}
    figures = training_curves(*(Path(run.output) for run in runs))
    return write_result(profile, name, figures, parameters=parameters, samples=images, seed=runs[0].seed)


def _joined(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    steps, minutes = first["steps"], first["minutes"]
    later = [
        row | {"step": row["step"] + steps, "minutes": round(row["minutes"] + minutes, 3)}
        for row in second["curve"]
    ]
    return {
        "steps": steps + second["steps"],
        "minutes": minutes + second["minutes"],
        "curve": first["curve"] + later,
        "continued": [*first.get("continued", []), steps],
    }


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
