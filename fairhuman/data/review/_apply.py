"""Application of review decisions: removal of boxes with their masks, and of images."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fairhuman.boxes import largest
from fairhuman.data._record import read_record
from fairhuman.data.png import write_png
from fairhuman.data.pose import draw_pose
from fairhuman.data.review._decisions import Decision
from fairhuman.data.store import (
    METADATA,
    OWNER,
    REGIONS,
    REJECTED,
    dilation_pixels,
    draw_boxes,
    file_names,
    files_of,
    read_lines,
    read_owner,
    region_boxes,
    write_report,
)
from fairhuman.files import write_lines, written_whole
from fairhuman.images import read_mask

__all__ = ["Reviewed", "apply_review"]

STRUCK = "struck.jsonl"
_SIDES = ("left", "right")


@dataclass(frozen=True)
class Reviewed:
    """Number of rejected items and of remaining images."""

    images: int
    boxes: int
    poses: int
    left: int


def apply_review(data: Path, decisions: Mapping[str, Decision], out: Path | None = None) -> Reviewed:
    """Apply the rejections of a review. Repeating it, or resuming after a kill, gives the same result.

    Rejected images are removed from ``metadata.jsonl``, their files are deleted, and ``rejected.jsonl`` lists
    them. A rejected box is removed from the lists of boxes, and from the mask where no other box of its kind
    covers it. The main person's hand is removed with its landmarks and its part of the pose drawing.
    Decisions are appended to ``struck.jsonl``.

    Args:
        data: The data set's folder.
        decisions: From :func:`fairhuman.data.review.read_decisions`.
        out: New folder for a changed copy; the data set then stays unchanged.

    Raises:
        FileNotFoundError: The data set is missing.
        ValueError: A decision refers to an unknown image or box, no image would be left, or ``out`` exists.
            Nothing is changed then.
    """
    listing = data / METADATA
    if not listing.is_file():
        raise FileNotFoundError(f"data: {data} has no metadata.jsonl")
    known = _struck_before(data)
    dilation = read_owner(data)["settings"]["dilation"] if (data / OWNER).is_file() else 0.0
    current = {entry["file_name"]: entry for entry in read_lines(listing) if entry["file_name"] in decisions}
    for name, decision in decisions.items():
        _check(name, decision, current.get(name), known.get(name, Decision()), data)
    gone = {name for name, decision in decisions.items() if decision.image}
    left = sum(entry["file_name"] not in gone for entry in read_lines(listing))
    if not left:
        raise ValueError(f"review: no image of {data} would be left; annotate other photographs instead")
    if out is not None:
        data = _copied(data, out)
        listing = data / METADATA
    _note(data, known, decisions)
    changed = {
        name: _strike(data, entry, decisions[name], dilation)
        for name, entry in current.items()
        if name not in gone
    }
    rejected = list(read_lines(data / REJECTED)) if (data / REJECTED).is_file() else []
    for name in gone & current.keys():
        original = current[name].get("original", name)
        line = {"original": original, "kind": "struck out", "reason": "by review"}
        if line not in rejected:  # there it is if a kill came after the list was written
            rejected.append(line)
    rejected.sort(key=lambda entry: entry["original"])

    def remaining() -> Iterator[dict[str, Any]]:
        for entry in read_lines(listing):
            if entry["file_name"] not in gone:
                yield changed.get(entry["file_name"], entry)

    if (data / "report.json").is_file():
        write_report(data, left, remaining(), rejected)
    write_lines(data / REJECTED, rejected)
    write_lines(listing, remaining())
    for name in gone:
        _delete(data, name, current.get(name))
    boxes = sum(len(decision.face) + len(decision.hand) for decision in decisions.values())
    return Reviewed(len(gone), boxes, sum(decision.pose for decision in decisions.values()), left)


def _copied(data: Path, out: Path) -> Path:
    """Copy a data set atomically. Files are hard-linked if possible, without extra space, because a review
    replaces files and changes none in place.

    Raises:
        ValueError: ``out`` exists.
    """
    if out.exists() or out.is_symlink():
        raise ValueError(f"out: must be a new folder, got {out}, which exists")
    with written_whole(out) as partial:
        for path in data.rglob("*"):
            if path.is_file() and not path.is_symlink():
                place = partial / path.relative_to(data)
                place.parent.mkdir(parents=True, exist_ok=True)
                try:
                    place.hardlink_to(path)
                except OSError:  # on another file system, or one without links
                    shutil.copyfile(path, place)
    return out


def _strike(data: Path, entry: dict[str, Any], decision: Decision, dilation: float) -> dict[str, Any]:
    """The entry without rejected items; masks and pose drawing are rewritten."""
    entry = dict(entry)
    size = entry["height"], entry["width"]
    grow = dilation_pixels(dilation, entry["width"], entry["height"])
    for region in REGIONS:
        struck = getattr(decision, region)
        if not struck:
            continue
        left = [box for box in region_boxes(entry, region) if tuple(box) not in struck]
        if entry.get(f"{region}_mask_file_name"):
            path = data / entry[f"{region}_mask_file_name"]
            mask = read_mask(path).pixels
            mask[(draw_boxes(struck, size, grow) > 0) & (draw_boxes(left, size, grow) == 0)] = 0
            write_png(path, mask)
            if f"{region}_area" in entry:
                entry[f"{region}_area"] = round(float(np.mean(mask > 0)), 6)
        if f"{region}_boxes" in entry:
            entry[f"{region}_boxes"] = left
    if decision.face and tuple(entry.get("face_box") or ()) in decision.face:
        entry["face_box"] = largest(entry.get("face_boxes") or [])
    redrawn = decision.pose
    for side in _SIDES:
        hand = tuple(entry.get(f"{side}_hand_box") or ()) in decision.hand
        if hand:
            entry[f"{side}_hand_box"] = None
        if (hand or decision.pose) and entry.get(f"{side}_hand_keypoints") is not None:
            entry[f"{side}_hand_keypoints"] = None
            redrawn = True
    if decision.pose:
        entry["keypoints"] = None
    if redrawn and entry.get("pose_file_name"):
        write_png(data / entry["pose_file_name"], _pose(entry))
    return entry


def _pose(entry: dict[str, Any]) -> np.ndarray:
    body = np.zeros((17, 3)) if entry.get("keypoints") is None else entry["keypoints"]
    hands = (entry.get(f"{side}_hand_keypoints") for side in _SIDES)
    return draw_pose(body, *hands, (entry["height"], entry["width"]))


def _delete(data: Path, name: str, entry: dict[str, Any] | None) -> None:
    # Without an entry a kill may have come before the files were deleted; their names follow the image's.
    files = files_of(entry) if entry else file_names(Path(name).stem).values()
    if entry or name in files:
        for file in files:
            (data / file).unlink(missing_ok=True)


def _check(name: str, decision: Decision, entry: dict[str, Any] | None, known: Decision, data: Path) -> None:
    if entry is None:
        if not known.image:
            raise ValueError(f"review: {data} has no image {name!r}")
        return
    # The files that are about to be written or deleted must lie in the folder.
    read_record(json.dumps(entry), f"{data / METADATA}, {name}", data, REGIONS, ())
    for region in REGIONS:
        boxes = {tuple(box) for box in region_boxes(entry, region)} | getattr(known, region)
        for box in getattr(decision, region) - boxes:
            raise ValueError(f"review: {name} has no {region} box {list(box)}")


def _struck_before(data: Path) -> dict[str, Decision]:
    if not (data / STRUCK).is_file():
        return {}
    return {
        line["file_name"]: Decision(
            line["image"], line["pose"], *(frozenset(map(tuple, line[region])) for region in REGIONS)
        )
        for line in read_lines(data / STRUCK)
    }


def _note(data: Path, known: dict[str, Decision], decisions: Mapping[str, Decision]) -> None:
    every = dict(known)
    for name, decision in decisions.items():
        every[name] = every.get(name, Decision()) | decision
    write_lines(
        data / STRUCK,
        (
            {
                "file_name": name,
                "image": every[name].image,
                "pose": every[name].pose,
                **{region: sorted(map(list, getattr(every[name], region))) for region in REGIONS},
            }
            for name in sorted(every)
        ),
    )
