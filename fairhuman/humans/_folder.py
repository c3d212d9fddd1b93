"""The folder of a data set of rendered people: whose it is, what is done, how it is completed."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from fairhuman.files import check_same, is_begun, write_json, write_lines
from fairhuman.humans._record import RENDERER, file_names

METADATA: Final = "metadata.jsonl"
STAGING: Final = ".partial"
"""Sub-folder with the records of images done and files not yet whole; gone when the data set is complete."""
_OWNER: Final = "album.json"


@dataclass(frozen=True)
class Album:
    """What two data sets that differ only in length have in common."""

    seed: int
    preset: str
    size: int


def check_folder(out: Path, album: Album, count: int) -> dict[int, dict[str, Any]]:
    """The records of the complete data set in `out`, if there is one; refuses a folder that is not ours."""
    if not is_begun(out, (METADATA, f"{STAGING}/{_OWNER}"), ignore=[STAGING]):
        return {}
    metadata, staged = out / METADATA, out / STAGING / _OWNER
    if staged.exists():
        check_same(out, json.loads(staged.read_text(encoding="utf-8")), asdict(album))
    records = _read_metadata(metadata, album) if metadata.exists() else {}
    if len(records) > count:
        raise ValueError(
            f"count: must be at least {len(records)}, as many as {out} already holds, got {count}"
        )
    return records


def _read_metadata(path: Path, album: Album) -> dict[int, dict[str, Any]]:
    records: dict[int, dict[str, Any]] = {}
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines):
            try:
                record = json.loads(line)
                found = {"seed": record["seed"], "preset": record["preset"], "size": record["width"]}
                rendered = record["source"] == "render" and record["index"] == number
            except (ValueError, KeyError, TypeError):
                record, found, rendered = {}, {}, False
            if not rendered:
                raise ValueError(
                    f"out: {path}, line {number + 1}, is not of a rendered data set; choose another folder"
                )
            check_same(path.parent, found, asdict(album))
            records[number] = record
    return records


def refuse_other_renderer(out: Path, records: dict[int, dict[str, Any]]) -> None:
    """Refuses to add images to ones that another version of the renderer drew."""
    for version in {record.get("renderer", 1) for record in records.values()} - {RENDERER}:
        raise ValueError(
            f"renderer: must be version {version}, which drew the images in {out}, to add images to them, "
            f"found {RENDERER}; choose another folder"
        )


def staged_records(out: Path) -> dict[int, dict[str, Any]]:
    """Records of images drawn by an interrupted run."""
    if not (out / STAGING / _OWNER).exists():
        return {}
    paths = (path for path in (out / STAGING).glob("*.json") if path.stem.isdigit())
    return {int(path.stem): json.loads(path.read_text(encoding="utf-8")) for path in paths}


def is_complete(out: Path, index: int) -> bool:
    """Whether all files of an image are there."""
    return all((out / name).is_file() for name in file_names(index).values())


def prepare_folder(out: Path, album: Album) -> None:
    """Makes the folder and its sub-folders, and marks it as this data set's."""
    (out / STAGING).mkdir(parents=True, exist_ok=True)
    # First of all, so that a folder with anything of ours in it is known as ours.
    write_json(out / STAGING / _OWNER, asdict(album), shared=True)
    for name in file_names(0).values():
        (out / name).parent.mkdir(parents=True, exist_ok=True)


def finish(out: Path, records: list[dict[str, Any]]) -> None:
    """Writes the metadata of a data set whose images are all there, and clears away what only led there."""
    # An interrupted run may have aimed at more images than this one.
    for name in file_names(0).values():
        for path in (out / name).parent.glob("*.png"):
            if path.stem.isdigit() and int(path.stem) >= len(records):
                path.unlink()
    write_lines(out / METADATA, records, staging=out / STAGING)
    shutil.rmtree(out / STAGING)
