"""Checks of the files in ``metadata.jsonl``: errors, conversions, present regions."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from fairhuman.data._record import HumanRecord, read_record
from fairhuman.files import file_state
from fairhuman.images import Refused, read_depth, read_mask, read_picture

__all__ = ["Facts", "check_lines", "read_line"]

_NOWHERE = (math.nan, math.nan)


class Facts(NamedTuple):
    """Information on a line: its image, and each file in the order image, masks, conditions.

    Attributes:
        size: Height and width of the image.
        repeats: Occurrences per epoch.
        names: File names within the folder; empty for missing files.
        states: Results of :func:`file_state`, taken before reading.
        notes: Conversions; empty if none.
        present: Whether the file is a non-empty mask.
        central: Fraction of a mask in the central square; NaN for square images and empty masks.
        half: Smallest fraction of the height, and of the width, around the centre that contains half of a
            mask; NaN for empty masks.
    """

    size: tuple[int, int]
    repeats: int
    names: list[str]
    states: list[tuple[int, int]]
    notes: list[str]
    present: list[bool]
    central: list[float]
    half: list[tuple[float, float]]


def check_lines(
    lines: Sequence[tuple[int, int, int]], listing: Path, regions: Sequence[str], conditions: Sequence[str]
) -> list[Facts]:
    """Check the files of some lines, each given by its index, its byte offset in the listing and its line
    number for messages.

    Raises:
        FileNotFoundError, ValueError: As for :class:`fairhuman.data.HumanFolder`.
    """
    found = []
    with listing.open("rb") as file:
        for _, offset, number in lines:
            file.seek(offset)
            found.append(_facts(read_line(file.readline(), number, listing, regions, conditions)))
    return found


def read_line(
    line: bytes, number: int, listing: Path, regions: Sequence[str], conditions: Sequence[str]
) -> HumanRecord:
    """The record in a line of a listing."""
    place = f"{listing}, line {number}"
    try:
        text = line.decode()
    except UnicodeDecodeError as error:
        raise ValueError(f"data set: cannot read {place}: {error}") from error
    return read_record(text, place, listing.parent, tuple(regions), tuple(conditions))


def _facts(record: HumanRecord) -> Facts:
    paths = [record.image, *record.masks.values(), *record.conditions.values()]
    states = [(0, 0) if path is None else file_state(path) for path in paths]
    keys = ["file_name", *(f"{name}_mask_file_name" for name in record.masks)]
    keys += [f"{name}_file_name" for name in record.conditions]
    image, note = _read(read_picture, record.image, record.place)
    size, notes, present, central, half = image.shape[:2], [note], [False], [math.nan], [_NOWHERE]
    _check_metadata(record, size)
    for name, path in record.masks.items():
        found = (False, math.nan, _NOWHERE, "") if path is None else _mask(record, name, path, size)
        present, central = [*present, found[0]], [*central, found[1]]
        half, notes = [*half, found[2]], [*notes, found[3]]
    for name, path in record.conditions.items():
        if name == "depth":
            picture, note = _read(read_depth, path, record.place), ""
        else:
            picture, note = _read(read_picture, path, record.place)
        _check_size(path, picture, size, record.place)
        present, central, notes = [*present, False], [*central, math.nan], [*notes, note]
        half.append(_NOWHERE)
    names = [record.metadata.get(key) or "" for key in keys]
    return Facts(size, record.repeats, names, states, notes, present, central, half)


def _mask(
    record: HumanRecord, name: str, path: Path, size: tuple[int, int]
) -> tuple[bool, float, tuple[float, float], str]:
    """Whether the mask is non-empty, its fraction in the central square, its half extent, and a note."""
    mask, note = _read(read_mask, path, record.place)
    _check_size(path, mask, size, record.place)
    if mask.min() > 127:
        note = ", ".join(filter(None, [note, f"its {name} mask covers everything"]))
    height, width = size
    if not mask.any():
        return False, math.nan, _NOWHERE, note
    half, side = (_middle(mask.sum(axis=1)), _middle(mask.sum(axis=0))), min(size)
    if height == width:
        return True, math.nan, half, note
    top, left = (height - side) // 2, (width - side) // 2
    return True, int(mask[top : top + side, left : left + side].sum()) / int(mask.sum()), half, note


def _middle(profile: np.ndarray) -> float:
    """Smallest fraction of a line around its centre that contains half of its mass."""
    halves = np.repeat(profile.astype(np.float64), 2)  # so that a middle pixel may be cut in two
    outwards = halves[len(profile) :] + halves[: len(profile)][::-1]
    within = np.concatenate([[0.0], outwards.cumsum()])
    return float(np.interp(within[-1] / 2, within, np.arange(len(within)) / len(profile)))


def _check_metadata(record: HumanRecord, size: tuple[int, int]) -> None:
    width, height = record.metadata.get("width"), record.metadata.get("height")
    if width is not None and height is not None and (height, width) != size:
        raise ValueError(
            f"{record.place}: says {height} × {width} (height × width), "
            f"but {record.image.name} is {size[0]} × {size[1]}"
        )


def _check_size(path: Path, picture: np.ndarray, size: tuple[int, int], place: str) -> None:
    if (found := picture.shape[:2]) != size:
        raise ValueError(
            f"{place}: {path.parent.name}/{path.name} is {found[0]} × {found[1]} "
            f"(height × width), its image {size[0]} × {size[1]}"
        )


def _read(read: Callable[[Path], Any], path: Path, place: str) -> Any:
    try:
        return read(path)
    except Refused as refusal:
        name = f"{path.parent.name}/{path.name}"
        raise ValueError(f"{place}: cannot read {name}: {refusal.reason}") from refusal
