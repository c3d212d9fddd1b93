"""A data set of another form brought into ours: each image checked, bad ones listed with their reason."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import find_objects, label

from fairhuman.boxes import largest
from fairhuman.data.exchange._lines import Line, boxes_of, file_of, read_lines, text_of
from fairhuman.data.png import write_png
from fairhuman.data.store import (
    METADATA,
    REGIONS,
    Annotation,
    Refused,
    Shard,
    annotation_of,
    check_out,
    check_whole,
    dilation_pixels,
    do_shard,
    draw_boxes,
    file_names,
    merge_shards,
    padded,
    perceptual_hash,
    read_photograph,
)
from fairhuman.processes import check_workers

__all__ = ["LAYOUTS", "import_folder"]

LAYOUTS: Final = {"released": "image", "boxes": "file_name"}
"""Forms that can be imported, and the key that names an image in each."""


def import_folder(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    layout: str,
    *,
    categories: Mapping[str, str] | None = None,
    dilation: float = 8.0,
    max_pixels: int = 100_000_000,
    workers: int = 1,
    progress: bool = True,
) -> Annotation:
    """Writes a data set that :class:`fairhuman.data.HumanFolder` reads, from one of another form.

    ``released``: ``metadata.jsonl`` with ``image``, ``conditioning_image``, ``mask_hand``, ``mask_face`` and
    ``text_english``, as the authors' code reads it. A mask counts where its first channel is above one half,
    as there; boxes are those of its connected parts. The condition becomes the pose drawing, as it is.

    ``boxes``: ``metadata.jsonl`` with ``file_name``, ``text`` and boxes, see
    :func:`fairhuman.data.exchange._lines.boxes_of`; masks are filled boxes, dilated.

    An image that cannot be read, or whose line is wrong, is listed in ``rejected.jsonl``. A run that was cut
    off continues.

    Args:
        source: Folder with ``metadata.jsonl``; no path in it may leave the folder.
        out: New, empty, or begun with the same values.
        layout: ``released`` or ``boxes``.
        categories: For ``boxes``: the data set's names or numbers to ``face`` or ``hand``.
        dilation: For ``boxes``: pixels by which masks grow on each side where the shorter side is 1024.
        max_pixels: Most pixels that a file may decode to.
        workers: Number of processes.
        progress: Show a bar with the time left.

    Raises:
        FileNotFoundError: No such folder or listing.
        ValueError: An unknown layout or region, a value out of range, a line that is no JSON object, or
            ``out`` holds other things; nothing is written then.
    """
    source, out = Path(source), Path(out)
    if layout not in LAYOUTS:
        raise ValueError(f"layout: must be {' or '.join(LAYOUTS)}, got {layout!r}")
    categories = dict(categories or {region: region for region in REGIONS})
    for name, region in categories.items():
        if region not in REGIONS:
            raise ValueError(f"categories: {name!r} must be a face or a hand, got {region!r}")
    if not 0 <= dilation < math.inf:
        raise ValueError(f"dilation: must be at least 0 and finite, got {dilation!r}")
    check_whole("max_pixels", max_pixels, 1)
    check_workers(workers)
    if source.resolve().is_relative_to(out.resolve()):
        raise ValueError(f"out: must not hold the source, got {out} for {source}")
    if not sum(1 for _ in read_lines(source, LAYOUTS[layout])):  # every line is looked at before any work
        raise ValueError(f"source: {source / METADATA} holds no images")
    settings = {
        "layout": layout,
        "categories": categories,
        "dilation": dilation,
        "max_pixels": max_pixels,
        "duplicate_distance": -1,
    }
    identity = {"photographs": str(source.resolve()), "settings": settings}
    check_out(out, identity, Shard(1, 1))
    if not (out / METADATA).is_file():
        do_shard(
            lambda: read_lines(source, LAYOUTS[layout]),
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


def _import_line(line: Line, source: Path, out: Path, settings: Mapping[str, Any]) -> dict[str, Any]:
    try:
        if settings["layout"] == "released":
            grids, text, boxes = _released(line, source, settings["max_pixels"])
        else:
            grids, text, boxes = _boxed(line, source, settings)
    except (Refused, ValueError) as refusal:
        reason = refusal.reason if isinstance(refusal, Refused) else str(refusal)
        return {"original": line.name, "kind": "unreadable", "reason": reason}
    names = {key: name for key, name in file_names(line.key).items() if key in grids}
    for key, name in names.items():
        write_png(out / name, grids[key])
    height, width = grids["file_name"].shape[:2]
    return {
        "file_name": names.pop("file_name"),
        "text": text,
        **names,
        "face_box": largest(boxes["face"]),
        "face_boxes": boxes["face"],
        "hand_boxes": boxes["hand"],
        "width": width,
        "height": height,
        "source": "import",
        "original": line.name,
        **{
            f"{region}_area": round(float(np.mean(grids[f"{region}_mask_file_name"] > 0)), 6)
            for region in REGIONS
        },
        "perceptual_hash": f"{perceptual_hash(grids['file_name']):016x}",
    }


def _released(
    line: Line, source: Path, max_pixels: int
) -> tuple[dict[str, NDArray[np.uint8]], str, dict[str, list[list[int]]]]:
    text = text_of(line, "text_english")
    pixels = read_photograph(file_of(source, line, "image"), max_pixels)
    height, width = pixels.shape[:2]
    grids, boxes = {"file_name": pixels}, {}
    for region in REGIONS:
        key = f"mask_{region}"
        mask = read_photograph(file_of(source, line, key), max_pixels)[..., 0] > 127
        if mask.shape != (height, width):
            found = " × ".join(map(str, mask.shape))
            raise ValueError(f"{key} is {found} (height × width), its image {height} × {width}")
        grids[f"{region}_mask_file_name"] = mask.astype(np.uint8) * 255
        parts = find_objects(label(mask)[0])
        boxes[region] = [
            [int(part[1].start), int(part[0].start), int(part[1].stop), int(part[0].stop)] for part in parts
        ]
    condition = Image.fromarray(read_photograph(file_of(source, line, "conditioning_image"), max_pixels))
    if abs(condition.width * height / condition.height - width) > 1:
        raise ValueError(
            f"conditioning_image is {condition.height} × {condition.width} (height × width), "
            f"not of the proportions of its image, {height} × {width}"
        )
    if condition.size != (width, height):
        condition = condition.resize((width, height), Image.Resampling.BILINEAR)
    return grids | {"pose_file_name": np.asarray(condition)}, text, boxes


def _boxed(
    line: Line, source: Path, settings: Mapping[str, Any]
) -> tuple[dict[str, NDArray[np.uint8]], str, dict[str, list[list[int]]]]:
    text = text_of(line, "text")
    found = boxes_of(line, settings["categories"])
    pixels = read_photograph(file_of(source, line, "file_name"), settings["max_pixels"])
    height, width = pixels.shape[:2]
    grow = dilation_pixels(settings["dilation"], width, height)
    grids, boxes = {"file_name": pixels}, {}
    for region in REGIONS:
        cut = [padded(tuple(box), 0.0, width, height) for box in found[region]]
        boxes[region] = [box for box in cut if box]
        grids[f"{region}_mask_file_name"] = draw_boxes(boxes[region], (height, width), grow)
    return grids, text, boxes
