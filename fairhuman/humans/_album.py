"""Data sets of rendered people, with the same files for any number of processes."""

from __future__ import annotations

import contextlib
import logging
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fairhuman.files import json_line, write_text
from fairhuman.humans._description import caption
from fairhuman.humans._folder import (
    STAGING,
    Album,
    check_folder,
    finish,
    is_complete,
    prepare_folder,
    refuse_other_renderer,
    staged_records,
)
from fairhuman.humans._person import PRESETS, render_human
from fairhuman.humans._record import write_record
from fairhuman.humans._types import HumanImage
from fairhuman.processes import work_through
from fairhuman.profiles import unknown

logger = logging.getLogger(__name__)

Renderer = Callable[[np.random.Generator, str, int], HumanImage]


def generate(
    out: str | Path,
    count: int,
    seed: int = 0,
    size: int = 256,
    preset: str = "studio",
    workers: int = 1,
    *,
    progress: bool = True,
    renderer: Renderer | None = None,
) -> Path:
    """Render a data set of people with exact annotations.

    Image i is rendered with ``numpy.random.default_rng([seed, i])``, so a data set is byte-identical
    regardless of the number of workers and of interruptions. A call on a folder with an incomplete data set
    continues it; a larger ``count`` extends a complete one.

    The folder has Hugging Face's ImageFolder format (``datasets.load_dataset("imagefolder", data_dir=out)``):
    ``metadata.jsonl`` with one JSON object per line, written last, and these PNG files for each image:

    - ``images/``: 8-bit sRGB;
    - ``masks/face``, ``masks/hand``, ``masks/foot``, ``masks/eyes``: 0 or 255, both sides in one mask;
    - ``pose/``: body and hands as `fairhuman.data.pose.draw_pose` draws them;
    - ``depth/``: 16-bit millimetres along the camera's axis, 0 where there is nobody.

    A metadata line holds these paths (``file_name``, ``face_mask_file_name``, ...), ``text`` (the caption),
    boxes ``[x0, y0, x1, y1]`` in pixels with exclusive upper ends or null (``face_box``, ``left_hand_box``,
    ``right_hand_box``, ``left_foot_box``, ``right_foot_box``; left and right are the person's), ``keypoints``
    17x3 in COCO order and ``left_hand_keypoints``, ``right_hand_keypoints`` 21x3 in MediaPipe order (x, y in
    pixels; 0 outside the image, 1 occluded, 2 visible), ``width``, ``height``, ``source``, ``renderer`` (the
    version that drew it), ``preset``, ``seed``, ``index``, ``face_yaw`` in degrees from the camera,
    ``attributes`` as strings, and ``camera`` (``fx``, ``fy``, ``cx``, ``cy`` in pixels; x right, y down, z
    forward).

    Args:
        out: Folder of the data set; new, empty, or holding the same data set.
        count: Number of images, at least 1.
        seed: At least 0.
        size: Side length of the square images in pixels, from 32 to 4096.
        preset: ``everyday`` (the base's corpus), ``portraits`` (for fine-tuning), ``studio`` (plain, for
            small models) or ``world`` (maximum variety).
        workers: Number of processes; with 1, everything runs in this process.
        progress: Show a progress bar with the rate on standard error.
        renderer: Function that renders an image from (rng, preset, size). Default:
            `fairhuman.humans.render_human`. With several workers, it must be importable.

    Returns:
        The folder.

    Raises:
        ValueError: A value is out of range, or the folder contains something else, another data set, more
            images than ``count``, or fewer images from another renderer version. Nothing is written then.
        RuntimeError: An image could not be rendered; the message names it.
    """
    out = Path(out)
    _check_values(count, seed, size, preset, workers)
    album = Album(int(seed), preset, int(size))
    finished = check_folder(out, album, count)
    records = finished | staged_records(out)
    todo = [index for index in range(count) if not (index in records and is_complete(out, index))]
    if todo:
        refuse_other_renderer(out, records)
    if todo or len(finished) < count or (out / STAGING).exists():
        prepare_folder(out, album)
        shown = _bar(count, count - len(todo), progress)
        # One alone at first: it fills the caches of bodies and compiled kernels that the others read. Sums
        # split over threads would differ in their last digits, and could move a pixel.
        drawing = work_through(
            _draw,
            todo,
            min(workers, len(todo)) or 1,
            out,
            album,
            renderer,
            first_alone=True,
            single_thread=True,
        )
        with shown, contextlib.closing(drawing):
            for index, record in drawing:
                records[index] = record
                shown.update()
        finish(out, [records[index] for index in range(count)])
    logger.info("%s: %d images, %d of them new", out, count, len(todo))
    return out


def _draw(index: int, out: Path, album: Album, renderer: Renderer | None) -> dict[str, Any]:
    """Render, caption and write one image; its record is written last and marks the other files as
    complete."""
    renderer = renderer or render_human
    rng = np.random.default_rng([album.seed, index])
    try:
        human = renderer(rng, album.preset, album.size)
        text = caption(human, rng)
    except Exception as error:
        raise RuntimeError(f"image {index} of seed {album.seed}, preset {album.preset}: {error}") from error
    record = write_record(out, out / STAGING, human, text, album.seed, index)
    write_text(out / STAGING / f"{index:06d}.json", json_line(record), shared=True)
    return record


def _check_values(count: int, seed: int, size: int, preset: str, workers: int) -> None:
    for name, value, least, most in (
        ("count", count, 1, np.inf),
        ("seed", seed, 0, np.inf),
        ("size", size, 32, 4096),
        ("workers", workers, 1, np.inf),
    ):
        whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
        if not whole or not least <= value <= most:
            bounds = f"of at least {least}" if most == np.inf else f"from {least} to {most}"
            raise ValueError(f"{name}: must be a whole number {bounds}, found {value!r}")
    if preset not in PRESETS:
        raise ValueError(f"preset: {unknown(preset, PRESETS)}")


def _bar(count: int, done: int, progress: bool) -> Any:
    from tqdm import tqdm

    # Occasional lines in a log file, a progress bar on a terminal.
    interval = 0.1 if sys.stderr.isatty() else 30
    return tqdm(total=count, initial=done, unit=" images", disable=not progress, mininterval=interval)
