"""The report of a fit: sheets of crops, a table and recommendations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from fairhuman.evaluation.anatomy import REGIONS
from fairhuman.files import write_json, write_text, written_whole
from fairhuman.fitting._advice import Advice
from fairhuman.fitting._counts import MEASURES, Seen
from fairhuman.images import as_rgb
from fairhuman.sheet import contact_sheet

__all__ = ["REPORT", "write_report", "write_sheets"]

REPORT: Final = "report.md"
_ROWS, _TILE = 12, 192
_NOTHING: Final = np.full((8, 8, 3), 240, dtype=np.uint8)


def write_sheets(
    folder: Path, paths: Mapping[str, Sequence[Path]], prompts: Sequence[str], seen: Mapping[str, Seen]
) -> list[Path]:
    """Write ``comparison-1.jpg`` and so on: one row per prompt and seed, with the image and its enlarged face
    and hands before and after, side by side.

    Args:
        folder: Output folder.
        paths, seen: ``before`` and ``after`` → the images and their detections.
        prompts: Prompt of each image.
    """
    written: list[Path] = []
    for start in range(0, len(prompts), _ROWS):
        tiles: list[NDArray[np.uint8]] = []
        words: list[str] = []
        for number in range(start, min(start + _ROWS, len(prompts))):
            for name in ("", *REGIONS):
                for system, found in seen.items():
                    picture = found.crops.get((number, name)) if name else as_rgb(paths[system][number])
                    tiles.append(_NOTHING if picture is None else picture)
                    words.append(f"{system}: {_said(found, number, name) if name else prompts[number]}")
        path = folder / f"comparison-{1 + start // _ROWS}.jpg"
        sheet = contact_sheet(tiles, words, columns=2 * (1 + len(REGIONS)), tile=_TILE, lines=2)
        with written_whole(path) as partial:
            sheet.save(partial, "jpeg", quality=85)
        written.append(path)
    return written


def write_report(
    folder: Path,
    counts: Sequence[Mapping[str, Any]],
    advice: Sequence[Advice],
    sheets: Sequence[Path],
    level: float = 0.95,
) -> Path:
    """Write ``report.md`` and, with the same numbers, ``report.json``.

    Args:
        folder: Output folder.
        counts: From :func:`fairhuman.fitting._counts.compare_counts`.
        advice: Recommendations.
        sheets: From :func:`write_sheets`.
        level: Confidence level of the intervals.
    """
    lines = [
        "# Before and after",
        "",
        "The base alone and with the LoRA, for the same prompts and initial noise.",
        "",
        "| measure | before | after | difference | prompts |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for row in counts:
        mark = "*" if row["supported"] else ""
        between = "" if row["low"] is None else f" [{row['low']:+.2f}, {row['high']:+.2f}]"
        lines.append(
            f"| {row['measure']} | {row['before']:.2f} | {row['after']:.2f} | "
            f"{row['difference']:+.2f}{between}{mark} | {row['n']} |"
        )
    lines += ["", f"An asterisk marks a difference whose {100 * level:g} % interval excludes 0.", ""]
    lines += [f"- {row['measure']}: {MEASURES[row['measure']]}." for row in counts]
    lines += ["", "## Recommendations", ""]
    lines += [f"- {one}" for one in advice] or ["No rule recommends a change."]
    lines += ["", "## Images", ""]
    lines += [f"![Before and after, with faces and hands enlarged]({path.name})" for path in sheets]
    lines += ["", "`python -m fairhuman fit fit.yaml` repeats this fit."]
    content = {"counts": list(counts), "advice": [one._asdict() for one in advice]}
    write_json(folder / "report.json", content)
    return write_text(folder / REPORT, "\n".join(lines) + "\n")


def mean_change(before: Sequence[Path], after: Sequence[Path]) -> float:
    """Mean absolute pixel difference between two lists of images, out of 255."""
    pairs = ((as_rgb(path).astype(float) for path in pair) for pair in zip(before, after, strict=True))
    return float(np.mean([np.abs(first - second).mean() for first, second in pairs]))


def _said(seen: Seen, number: int, name: str) -> str:
    region = name.replace("_", " ")
    if (number, name) not in seen.crops:
        return f"no {region}"
    return f"{region} {'found' if seen.found[number, name] else 'not found'}"
