"""What became of a folder of images: counts, areas, and a contact sheet to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from PIL import Image, ImageDraw

from fairhuman.files import write_json, written_whole
from fairhuman.images import read_mask, read_picture

__all__ = ["REGIONS", "draw_overlay", "region_boxes", "write_report"]

REGIONS: Final = ("face", "hand")
"""Regions whose boxes and masks an annotated image has."""

_QUANTILES: Final = (0.05, 0.25, 0.5, 0.75, 0.95)
# Areas of faces and hands spread over four powers of ten: bins by doubling.
_EDGES: Final = (0.0, *(round(0.5**power, 6) for power in range(12, -1, -1)))
_SHOWN, _TILE = 32, 256
_COLOURS: Final = {"face": (230, 159, 0), "hand": (0, 114, 178)}
_BOXES: Final = {"face": ("face_box",), "hand": ("left_hand_box", "right_hand_box")}


def write_report(
    out: Path, count: int, kept: Iterable[dict[str, Any]], rejected: list[dict[str, Any]]
) -> None:
    """Writes ``report.json`` and, if anything was kept, ``contact_sheet.jpg``.

    Args:
        out: The data set's folder.
        count: Number of images kept.
        kept: Their metadata lines, gone through once.
        rejected: The lines of what was left out.
    """
    areas: dict[str, list[float]] = {region: [] for region in REGIONS}
    converted: Counter[str] = Counter()
    unconfirmed = dict.fromkeys(REGIONS, 0)
    shown = set(np.unique(np.linspace(0, count - 1, min(_SHOWN, count)).round().astype(int)).tolist())
    entries = []
    for index, entry in enumerate(kept):
        for region, values in areas.items():
            values.append(entry.get(f"{region}_area", 0.0))
            unconfirmed[region] += len(entry.get(f"unconfirmed_{region}_boxes", ()))
        converted.update([entry["converted"]] if "converted" in entry else [])
        if index in shown:
            entries.append(entry)
    reasons = Counter(entry["reason"].split(":")[0] for entry in rejected if entry["kind"] == "filtered")
    kinds = Counter(entry["kind"] for entry in rejected)
    report = {
        "kept": count,
        **{kind: kinds[kind] for kind in ("filtered", "unreadable", "duplicate", "struck out")},
        "filtered_why": dict(sorted(reasons.items())),
        "converted": dict(sorted(converted.items())),
        "unconfirmed": unconfirmed,
        "areas": {region: _distribution(values) for region, values in areas.items()},
    }
    write_json(out / "report.json", report)
    if entries:
        with written_whole(out / "contact_sheet.jpg") as partial:
            _sheet(out, entries).save(partial, format="JPEG", quality=85)


def region_boxes(entry: Mapping[str, Any], region: str) -> list[list[float]]:
    """All boxes of a region (``face`` or ``hand``) that a metadata line knows."""
    known = entry.get(f"{region}_boxes")
    return known if known is not None else [box for name in _BOXES[region] if (box := entry.get(name))]


def draw_overlay(out: Path, entry: dict[str, Any], side: int) -> Image.Image:
    """An annotated image, its longer side ``side`` pixels, with masks shaded and boxes outlined."""
    picture = Image.fromarray(read_picture(out / entry["file_name"]).pixels)
    factor = side / max(picture.size)
    width, height = (max(1, round(length * factor)) for length in picture.size)
    picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    for region, colour in _COLOURS.items():
        if f"{region}_mask_file_name" not in entry:
            continue
        mask = Image.fromarray(read_mask(out / entry[f"{region}_mask_file_name"]).pixels)
        shading = mask.resize((width, height), Image.Resampling.BOX).point(lambda value: value // 3)
        picture.paste(colour, (0, 0), shading)
        draw = ImageDraw.Draw(picture)
        for box in region_boxes(entry, region):
            draw.rectangle([value * factor for value in box], outline=colour, width=2)
    return picture


def _distribution(values: list[float]) -> dict[str, Any]:
    """How many images have the region; of those, how the share of the image that it takes is spread."""
    areas = [value for value in values if value > 0]
    quantiles = np.quantile(areas, _QUANTILES).round(6).tolist() if areas else []
    counts = np.histogram(areas, _EDGES)[0].tolist()
    return {
        "images": len(areas),
        "quantiles": dict(zip(map(str, _QUANTILES), quantiles, strict=False)),
        "histogram": {"edges": list(_EDGES), "images": counts},
    }


def _sheet(out: Path, entries: list[dict[str, Any]]) -> Image.Image:
    from fairhuman.sheet import contact_sheet  # loads Matplotlib, which the workers do without

    pictures = [draw_overlay(out, entry, _TILE) for entry in entries]
    title = "Faces orange, hands blue: boxes, and masks as shading"
    return contact_sheet(pictures, [entry["text"] for entry in entries], 8, tile=_TILE, lines=2, title=title)
