"""Export to other layouts."""

from __future__ import annotations

import json
import os
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from PIL import Image

from fairhuman.data import CONDITIONS, HumanFolder, HumanSample, condition_image, condition_pixels
from fairhuman.data.png import write_png
from fairhuman.data.store import METADATA, REGIONS, region_boxes
from fairhuman.files import write_lines, write_text, written_whole

__all__ = ["EXPORTS", "export_folder"]


def export_folder(
    source: str | os.PathLike[str],
    out: str | os.PathLike[str],
    layout: str,
    *,
    regions: Sequence[str] = REGIONS,
) -> int:
    """Write a data set atomically in another layout.

    ``released``: the layout of the authors' training scripts: ``image``, ``conditioning_image`` (pose over
    depth), ``mask_hand`` and ``mask_face`` as RGB, ``text_english``. ``boxes``: images with ``objects`` as in
    Hugging Face's ImageFolder: ``bbox`` (x, y, width, height) and ``categories``, ``face`` or ``hand``.
    ``kohya``: the layout of kohya's scripts and OneTrainer: images in sub-folders named by repeats, with
    captions in ``.txt`` files and masks in ``-masklabel.png`` files.

    Args:
        source: An annotated, imported or rendered data set.
        out: New folder.
        layout: ``released``, ``boxes`` or ``kohya``.
        regions: For ``kohya``: regions covered by the masks; an empty list writes no masks.

    Returns:
        Number of images.

    Raises:
        FileNotFoundError, ValueError: The data set is missing or invalid, the layout is unknown, or ``out``
            exists.
    """
    source, out = Path(source), Path(out)
    if layout not in EXPORTS:
        raise ValueError(f"layout: must be {' or '.join(EXPORTS)}, got {layout!r}")
    if out.exists() or out.is_symlink():
        raise ValueError(f"out: {out} exists; name a new folder")
    regions = tuple(regions) if layout == "kohya" else REGIONS
    data = HumanFolder(source, regions, _conditions(source))
    with written_whole(out) as partial:
        entries = (
            EXPORTS[layout](data[index], dict(record.metadata), partial, f"{index:06d}.png")
            for index, record in enumerate(data.records)
        )
        if layout == "kohya":  # has no listing
            partial.mkdir()
            deque(entries, maxlen=0)
        else:
            write_lines(partial / METADATA, entries)
    return len(data)


def _conditions(source: Path) -> tuple[str, ...]:
    """Regions of the first line; the folder is then read strictly with these."""
    if not (source / METADATA).is_file():
        return ()
    with (source / METADATA).open(encoding="utf-8") as lines:
        try:
            entry = json.loads(lines.readline())
        except json.JSONDecodeError:
            return ()
    if not isinstance(entry, dict):
        return ()
    return tuple(name for name in CONDITIONS if f"{name}_file_name" in entry)


def _released(sample: HumanSample, entry: dict[str, Any], out: Path, name: str) -> dict[str, Any]:
    given = {
        "pose": None if sample.pose is None else torch.tensor(sample.pose).permute(2, 0, 1) / 255,
        "depth": None if sample.depth is None else torch.from_numpy(sample.depth.astype(np.float32))[None],
    }
    drawn = {key: None if image is None else condition_pixels(key, image) for key, image in given.items()}
    condition = np.zeros_like(sample.image)
    if any(image is not None for image in drawn.values()):
        condition = condition_image(**drawn).permute(1, 2, 0).numpy()
    grids = {
        "image": sample.image,
        "conditioning_image": condition,
        "mask_hand": np.repeat(sample.masks["hand"][..., None], 3, axis=2),
        "mask_face": np.repeat(sample.masks["face"][..., None], 3, axis=2),
    }
    for key, grid in grids.items():
        write_png(out / key / name, Image.fromarray(np.ascontiguousarray(grid)))
    return {key: f"{key}/{name}" for key in grids} | {"text_english": sample.text}


def _boxes(sample: HumanSample, entry: dict[str, Any], out: Path, name: str) -> dict[str, Any]:
    write_png(out / "images" / name, sample.image)
    found = [(region, box) for region in REGIONS for box in region_boxes(entry, region)]
    return {
        "file_name": f"images/{name}",
        "text": sample.text,
        "width": sample.size[1],
        "height": sample.size[0],
        "objects": {
            "bbox": [[x0, y0, x1 - x0, y1 - y0] for _, (x0, y0, x1, y1) in found],
            "categories": [region for region, _ in found],
        },
    }


def _kohya(sample: HumanSample, entry: dict[str, Any], out: Path, name: str) -> dict[str, Any]:
    path = out / f"{entry.get('repeats', 1)}_people" / name
    write_png(path, sample.image)
    write_text(path.with_suffix(".txt"), sample.text + "\n")
    if sample.masks:
        covered = np.maximum.reduce(list(sample.masks.values()))
        write_png(path.with_name(f"{path.stem}-masklabel.png"), covered)
    return {}


EXPORTS: Final[dict[str, Callable[[HumanSample, dict[str, Any], Path, str], dict[str, Any]]]] = {
    "released": _released,
    "boxes": _boxes,
    "kohya": _kohya,
}
"""Layout to the function that writes one image in it."""
