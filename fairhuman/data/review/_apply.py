"""Application of review decisions: boxes are removed from the masks or added to them, images removed."""

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
    draw_ellipses,
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
    """Number of rejected items, of remaining images and of accepted boxes."""

    images: int
    boxes: int
    poses: int
    left: int
    accepted: int = 0


def apply_review(data: Path, decisions: Mapping[str, Decision], out: Path | None = None) -> Reviewed:
    """Apply the decisions of a review. Repeating it, or resuming after a kill, gives the same result.

    Rejected images are removed from ``metadata.jsonl``, their files are deleted, and ``rejected.jsonl`` lists
    them. A rejected box is removed from the lists of boxes, and from the mask where no other box of its kind
    covers it. The main person's hand is removed with its landmarks and its part of the pose drawing.
    An accepted box moves from the unconfirmed to the confirmed ones and into the mask: a face as annotation
    draws it, a hand as a box, because its outline is unknown. Decisions are appended to ``struck.jsonl``.

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
    settings = read_owner(data)["settings"] if (data / OWNER).is_file() else {}
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
        name: _strike(data, _accept(data, entry, decisions[name], settings), decisions[name], settings)
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
    every = decisions.values()
    struck, accepted = (
        sum(len(getattr(one, kind)(region)) for one in every for region in REGIONS)
        for kind in ("struck", "accepted")
    )
    return Reviewed(len(gone), struck, sum(one.pose for one in every), left, accepted)


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


def _accept(
    data: Path, entry: dict[str, Any], decision: Decision, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The entry with accepted boxes that are still unconfirmed; they are drawn into the masks."""
    entry = dict(entry)
    size, grow = _size(entry, settings)
    for region in REGIONS:
        found = entry.get(f"unconfirmed_{region}_boxes", [])
        taken = [box for box in found if tuple(box) in decision.accepted(region)]
        if not taken:
            continue
        draw = draw_ellipses if region == "face" and settings.get("mask") == "hull" else draw_boxes
        path = data / entry[f"{region}_mask_file_name"]
        mask = np.maximum(read_mask(path).pixels, draw(taken, size, grow))
        _write_mask(path, mask, entry, region)
        entry[f"{region}_boxes"] = [*region_boxes(entry, region), *taken]
        entry[f"unconfirmed_{region}_boxes"] = [box for box in found if box not in taken]
        if region == "face":
            entry["face_box"] = largest(entry["face_boxes"])
    return entry


def _strike(
    data: Path, entry: dict[str, Any], decision: Decision, settings: Mapping[str, Any]
) -> dict[str, Any]:
    """The entry without rejected items; masks and pose drawing are rewritten."""
    entry = dict(entry)
    size, grow = _size(entry, settings)
    for region in REGIONS:
        struck = decision.struck(region)
        if not struck:
            continue
        left = [box for box in region_boxes(entry, region) if tuple(box) not in struck]
        if entry.get(f"{region}_mask_file_name"):
            path = data / entry[f"{region}_mask_file_name"]
            mask = read_mask(path).pixels
            mask[(draw_boxes(struck, size, grow) > 0) & (draw_boxes(left, size, grow) == 0)] = 0
            _write_mask(path, mask, entry, region)
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


def _size(entry: Mapping[str, Any], settings: Mapping[str, Any]) -> tuple[tuple[int, int], int]:
    """Height and width, and by how many pixels boxes grow in the masks."""
    width, height = entry["width"], entry["height"]
    return (height, width), dilation_pixels(settings.get("dilation", 0.0), width, height)


def _write_mask(path: Path, mask: np.ndarray, entry: dict[str, Any], region: str) -> None:
    write_png(path, mask)
    if f"{region}_area" in entry:
        entry[f"{region}_area"] = round(float(np.mean(mask > 0)), 6)


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
        accepted = decision.accepted(region)
        found = set(map(tuple, entry.get(f"unconfirmed_{region}_boxes", [])))
        for box in accepted - found - known.accepted(region):
            raise ValueError(f"review: {name} has no unconfirmed {region} box {list(box)}")
        if accepted and not entry.get(f"{region}_mask_file_name"):
            raise ValueError(f"review: {name} has no {region} mask that could take in a box")
        boxes = set(map(tuple, region_boxes(entry, region))) | known.struck(region) | accepted
        for box in decision.struck(region) - boxes:
            raise ValueError(f"review: {name} has no {region} box {list(box)}")


def _struck_before(data: Path) -> dict[str, Decision]:
    if not (data / STRUCK).is_file():
        return {}
    nothing: dict[str, Any] = {region: [] for region in REGIONS}
    return {
        line["file_name"]: Decision(
            line["image"],
            line["pose"],
            *(frozenset(map(tuple, line[region])) for region in REGIONS),
            *(frozenset(map(tuple, line.get("accepted", nothing)[region])) for region in REGIONS),
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
                **{region: sorted(map(list, every[name].struck(region))) for region in REGIONS},
                **_accepted(every[name]),
            }
            for name in sorted(every)
        ),
    )


def _accepted(decision: Decision) -> dict[str, Any]:
    """What a line says of accepted boxes: nothing where there are none."""
    boxes = {region: sorted(map(list, decision.accepted(region))) for region in REGIONS}
    return {"accepted": boxes} if any(boxes.values()) else {}
