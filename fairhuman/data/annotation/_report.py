"""What became of a folder of photographs: counts, areas, and a contact sheet to look at."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw

_QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
_SHOWN, _TILE = 32, 256
_COLOURS: Final = {"face": (230, 159, 0), "hand": (0, 114, 178)}


def write_report(out: Path, kept: list[dict[str, Any]], rejected: list[dict[str, Any]]) -> None:
    """Writes ``report.json`` and, if anything was kept, ``contact_sheet.jpg``."""
    reasons = Counter(f"{entry['kind']}: {entry['reason'].split(':')[0]}" for entry in rejected
                      if entry["kind"] == "filtered")  # fmt: skip
    kinds = Counter(entry["kind"] for entry in rejected)
    report = {
        "kept": len(kept),
        **{kind: kinds[kind] for kind in ("filtered", "unreadable", "duplicate")},
        "filtered_why": dict(sorted(reasons.items())),
        "areas": {region: _areas(kept, region) for region in _COLOURS},
    }
    partial = out / "report.json.partial"
    partial.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    partial.replace(out / "report.json")
    if kept:
        partial = out / "contact_sheet.jpg.partial"
        _sheet(out, kept).save(partial, format="JPEG", quality=85)
        partial.replace(out / "contact_sheet.jpg")


def _areas(kept: list[dict[str, Any]], region: str) -> dict[str, Any]:
    """How many images have the region, and quantiles of the share of the image that it takes in those."""
    areas = [entry[f"{region}_area"] for entry in kept if entry[f"{region}_area"] > 0]
    quantiles = np.quantile(areas, _QUANTILES).round(6).tolist() if areas else []
    return {"images": len(areas), "quantiles": dict(zip(map(str, _QUANTILES), quantiles, strict=False))}


def _sheet(out: Path, kept: list[dict[str, Any]]) -> Image.Image:
    from fairhuman.sheet import contact_sheet

    chosen = np.unique(np.linspace(0, len(kept) - 1, min(_SHOWN, len(kept))).round().astype(int))
    entries = [kept[index] for index in chosen]
    pictures = [draw_overlay(out, entry, _TILE) for entry in entries]
    title = "Faces orange, hands blue: boxes, and masks as shading"
    return contact_sheet(pictures, [entry["text"] for entry in entries], 8, tile=_TILE, lines=2, title=title)


def draw_overlay(out: Path, entry: dict[str, Any], side: int) -> Image.Image:
    """An annotated image, its longer side ``side`` pixels, with masks shaded and boxes outlined."""
    with Image.open(out / entry["file_name"]) as image:
        picture = image.convert("RGB")
    factor = side / max(picture.size)
    size = tuple(max(1, round(length * factor)) for length in picture.size)
    picture = picture.resize(size, Image.Resampling.LANCZOS)
    for region, colour in _COLOURS.items():
        with Image.open(out / entry[f"{region}_mask_file_name"]) as image:
            mask = image.convert("L").resize(size, Image.Resampling.BOX).point(lambda value: value // 3)
        picture.paste(colour, (0, 0), mask)
        draw = ImageDraw.Draw(picture)
        for box in entry[f"{region}_boxes"]:
            draw.rectangle([value * factor for value in box], outline=colour, width=2)
    return picture
