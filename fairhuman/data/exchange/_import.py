"""Import from other layouts: every image is checked, and bad ones are listed with the reason."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import find_objects, label

from fairhuman.boxes import largest
from fairhuman.data.exchange._lines import Line, boxes_of, file_of, read_folder, read_lines, text_of
from fairhuman.data.png import write_png
from fairhuman.data.store import (
    METADATA,
    REGIONS,
    Annotation,
    Shard,
    annotation_of,
    check_out,
    dilation_pixels,
    do_shard,
    draw_boxes,
    file_names,
    merge_shards,
    padded,
    perceptual_hash,
    sidecar,
)
from fairhuman.images import Refused, read_mask, read_picture
from fairhuman.processes import check_workers
from fairhuman.settings import require

__all__ = ["LAYOUTS", "import_folder"]

LAYOUTS: Final = {"released": "image", "boxes": "file_name", "kohya": None}
"""Supported layouts, with the key of the image name in their listing, if any."""

_MOST_PARTS: Final = 1000

Imported = tuple[dict[str, NDArray[np.uint8]], str, dict[str, list[list[int]]], str]
"""Of one image: metadata key to pixels, the caption, region to boxes, and what was converted."""


def import_folder(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    layout: str,
    *,
    categories: Mapping[str, str] | None = None,
    region: str | None = None,
    dilation: float = 8.0,
    max_pixels: int = 100_000_000,
    workers: int = 1,
    progress: bool = True,
) -> Annotation:
    """Convert a data set from another layout for :class:`fairhuman.data.HumanFolder`.

    ``released``: ``metadata.jsonl`` with ``image``, ``conditioning_image``, ``mask_hand``, ``mask_face`` and
    ``text_english``, as in the authors' code. As there, a mask is set where its first channel exceeds one
    half; boxes enclose its connected components. The condition image is used unchanged as the pose drawing.

    ``boxes``: ``metadata.jsonl`` with ``file_name``, ``text`` and boxes, see
    :func:`fairhuman.data.exchange._lines.boxes_of`; masks are filled boxes, dilated.

    ``kohya``: the folder layout of kohya's scripts and OneTrainer: sub-folders such as ``10_a man`` with ten
    repeats; captions in ``.txt`` or ``.caption`` files, or else from the folder name; masks of one region in
    ``-masklabel.png`` files.

    Unreadable images and images with an invalid line are listed in ``rejected.jsonl``. An interrupted run
    resumes.

    Args:
        source: Folder, with ``metadata.jsonl`` except for ``kohya``; paths must stay inside it.
        out: New or empty folder, or one started with the same values.
        layout: ``released``, ``boxes`` or ``kohya``.
        region: For ``kohya`` with masks: their region, ``face`` or ``hand``; the other region stays
            unannotated, and a run must set ``regions``.
        categories: For ``boxes``: maps the data set's names or numbers to ``face`` or ``hand``.
        dilation: For ``boxes``: pixels by which masks are dilated on each side at a shorter side of 1024.
        max_pixels: Maximum number of pixels of an image.
        workers: Number of processes.
        progress: Show a progress bar with the remaining time.

    Raises:
        FileNotFoundError: The folder or listing is missing.
        ValueError: The layout or region is unknown, a value is out of range, the source has no images, or
            ``out`` has other content. Nothing is written then.
    """
    source, out = Path(source), Path(out)
    if layout not in LAYOUTS:
        raise ValueError(f"layout: must be {' or '.join(LAYOUTS)}, got {layout!r}")
    require("region", region in (None, *REGIONS), f"must be {' or '.join(REGIONS)}", region)
    require("region", region is None or layout == "kohya", "is for the layout kohya", region)
    categories = dict(categories or {region: region for region in REGIONS})
    for name, meant in categories.items():
        if meant not in REGIONS:
            raise ValueError(f"categories: {name!r} must be a face or a hand, got {meant!r}")
    if not 0 <= dilation < math.inf:
        raise ValueError(f"dilation: must be at least 0 and finite, got {dilation!r}")
    whole = isinstance(max_pixels, int) and not isinstance(max_pixels, bool)
    require("max_pixels", whole and max_pixels >= 1, "must be a whole number of at least 1", max_pixels)
    check_workers(workers)
    if source.resolve().is_relative_to(out.resolve()):
        raise ValueError(f"out: must not hold the source, got {out} for {source}")
    if not source.is_dir():
        raise FileNotFoundError(f"source: no such folder: {source}")
    key = LAYOUTS[layout]
    lines = partial(read_folder, source, out) if key is None else partial(read_lines, source, key)
    _check_source(source, lines(), region)
    settings = {
        "layout": layout,
        "categories": categories,
        "dilation": dilation,
        "max_pixels": max_pixels,
        "duplicate_distance": -1,
        **({"region": region} if layout == "kohya" else {}),
    }
    identity = {"photographs": str(source.resolve()), "settings": settings}
    check_out(out, identity, Shard(1, 1))
    if not (out / METADATA).is_file():
        do_shard(
            lines,
            out,
            identity,
            Shard(1, 1),
            workers,
            progress,
            _import_line,
            source,
            out,
            settings,
        )
    merge_shards(out, -1)
    return annotation_of(out)


def _check_source(source: Path, lines: Iterator[Line], region: str | None) -> None:
    """Check before any work that the source has images, and that the region of its masks is known."""
    good, problem = 0, ""
    for line in lines:
        if "mask" in line.entry and region is None:
            raise ValueError(f"region: must say what masks are of, such as that beside {line.name}, got None")
        good += not line.problem
        problem = problem or line.problem
    if not good:
        raise ValueError(f"source: {source} holds no images{problem and f': {problem}'}")


def _import_line(line: Line, source: Path, out: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    try:
        if line.problem:
            raise Refused("unreadable", line.problem.removeprefix("unreadable: "))
        grids, text, boxes, note = _WAYS[settings["layout"]](line, source, settings)
    except Refused as refusal:
        return {"original": line.name, "kind": "unreadable", "reason": refusal.reason}
    except (ValueError, TypeError, ArithmeticError, RecursionError) as error:  # of whatever the line may say
        return {"original": line.name, "kind": "unreadable", "reason": str(error) or type(error).__name__}
    names = {key: name for key, name in file_names(line.key).items() if key in grids}
    for key, name in names.items():
        write_png(out / name, grids[key])
    height, width = grids["file_name"].shape[:2]
    repeats = line.entry.get("repeats", 1) if settings["layout"] == "kohya" else 1
    return {
        "file_name": names.pop("file_name"),
        "text": text,
        **names,
        **({"face_box": largest(boxes["face"])} if "face" in boxes else {}),
        **{f"{region}_boxes": found for region, found in boxes.items()},
        "width": width,
        "height": height,
        "source": "import",
        "original": line.name,
        **{
            f"{region}_area": round(float(np.mean(grids[f"{region}_mask_file_name"] > 0)), 6)
            for region in boxes
        },
        **({"repeats": repeats} if repeats > 1 else {}),
        "perceptual_hash": f"{perceptual_hash(grids['file_name']):016x}",
        **({"converted": note} if note else {}),
    }


def _released(line: Line, source: Path, settings: Mapping[str, Any]) -> Imported:
    text, max_pixels = text_of(line, "text_english"), settings["max_pixels"]
    pixels, note = read_picture(file_of(source, line, "image"), max_pixels)
    height, width = pixels.shape[:2]
    grids, boxes = {"file_name": pixels}, {}
    for region in REGIONS:
        mask, boxes[region] = _masked(line, source, f"mask_{region}", (height, width), max_pixels)
        grids[f"{region}_mask_file_name"] = (mask > 127).astype(np.uint8) * np.uint8(255)
    condition = Image.fromarray(read_picture(file_of(source, line, "conditioning_image"), max_pixels).pixels)
    if abs(condition.width * height / condition.height - width) > 1:
        raise ValueError(
            f"conditioning_image is {condition.height} × {condition.width} (height × width), "
            f"not of the proportions of its image, {height} × {width}"
        )
    if condition.size != (width, height):
        condition = condition.resize((width, height), Image.Resampling.BILINEAR)
    return grids | {"pose_file_name": np.asarray(condition)}, text, boxes, note


def _kohya(line: Line, source: Path, settings: Mapping[str, Any]) -> Imported:
    path, region = file_of(source, line, "image"), settings["region"]
    pixels, note = read_picture(path, settings["max_pixels"])
    text, guessed = sidecar(path) or (line.entry.get("words", "").strip(), "")
    if not text:
        raise ValueError("no caption: neither a .txt or .caption file nor words in its folder's name")
    grids, boxes = {"file_name": pixels}, {}
    if region is not None:
        if "mask" not in line.entry:
            raise ValueError(f"no mask: {path.stem}-masklabel.png must lie beside it")
        size = pixels.shape[:2]
        mask, boxes[region] = _masked(line, source, "mask", size, settings["max_pixels"])
        grids[f"{region}_mask_file_name"] = mask
    return grids, text, boxes, ", ".join(filter(None, [note, guessed]))


def _masked(
    line: Line, source: Path, key: str, size: tuple[int, ...], max_pixels: int
) -> tuple[NDArray[np.uint8], list[list[int]]]:
    """A line's mask, and the boxes of its connected components."""
    mask = read_mask(file_of(source, line, key), max_pixels).pixels
    if mask.shape != size:
        found, expected = (" × ".join(map(str, one)) for one in (mask.shape, size))
        raise ValueError(f"{key} is {found} (height × width), its image {expected}")
    numbered, count = label(mask > 127)
    if count > _MOST_PARTS:  # a checkerboard would become millions of boxes
        raise ValueError(f"{key} must have at most {_MOST_PARTS} parts, got {count}")
    parts = find_objects(numbered)
    return mask, [[int(x.start), int(y.start), int(x.stop), int(y.stop)] for y, x in parts]


def _boxed(line: Line, source: Path, settings: Mapping[str, Any]) -> Imported:
    text = text_of(line, "text")
    found = boxes_of(line, settings["categories"])
    pixels, note = read_picture(file_of(source, line, "file_name"), settings["max_pixels"])
    height, width = pixels.shape[:2]
    grow = dilation_pixels(settings["dilation"], width, height)
    grids, boxes = {"file_name": pixels}, {}
    for region in REGIONS:
        cut = [padded(box, 0.0, width, height) for box in found[region]]
        boxes[region] = [box for box in cut if box]
        grids[f"{region}_mask_file_name"] = draw_boxes(boxes[region], (height, width), grow)
    return grids, text, boxes, note


_WAYS: Final[dict[str, Callable[[Line, Path, Mapping[str, Any]], Imported]]] = {
    "released": _released,
    "boxes": _boxed,
    "kohya": _kohya,
}
