"""Annotation of one photograph: reading, detection, filtering and writing its files."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fairhuman.boxes import corners, largest
from fairhuman.data.annotation._captions import written_caption
from fairhuman.data.annotation._models import CaptionModel, DepthModel
from fairhuman.data.annotation._settings import AnnotateSettings
from fairhuman.data.png import write_png
from fairhuman.data.pose import draw_pose
from fairhuman.data.store import (
    Photograph,
    dilation_pixels,
    draw_boxes,
    draw_ellipses,
    draw_hulls,
    file_names,
    padded,
    perceptual_hash,
    repeats_and_words,
)
from fairhuman.detectors import Detection, Face, Hand, PhotographDetector
from fairhuman.images import Refused, read_picture

# One set of networks per process, because starting MediaPipe's graphs alone takes a second.
_detector = cache(PhotographDetector)
_depth_model = cache(DepthModel)
_caption_model = cache(CaptionModel)


def annotate_photograph(
    photograph: Photograph, out: Path, settings: AnnotateSettings, captions: Mapping[str, str]
) -> dict[str, Any]:
    """Annotate one photograph and write its files; returns its metadata line.

    An excluded photograph gives ``{"original": …, "kind": …, "reason": …}`` instead and no files.
    """
    try:
        if photograph.problem:
            raise Refused("unreadable", photograph.problem.removeprefix("unreadable: "))
        pixels, note = read_picture(photograph.path, settings.max_pixels)
        height, width = pixels.shape[:2]
        if min(height, width) < settings.min_side:
            reason = f"too small: {width} × {height} pixels, min_side = {settings.min_side}"
            raise Refused("filtered", reason)
        repeats, words = _named(photograph) if settings.folder_names else (1, "")
        text, guessed = written_caption(photograph.name, photograph.path, captions) or (words or None, "")
        if text is None and settings.caption is None and settings.caption_model is None:
            raise Refused("filtered", "no caption")
        pixels = _scaled(pixels, settings.size)
        found = _found(pixels, settings)
        picture = Image.fromarray(pixels)
        if text is None and settings.caption_model is not None:
            model = _caption_model(settings.caption_model, settings.caption_prompt, settings.device)
            text = model(picture)
        text = text or settings.caption
        if not text:
            raise Refused("filtered", "no caption")
        depth = None
        if settings.depth_model is not None:
            depth = _depth_model(settings.depth_model, settings.device)(picture)
    except Refused as refusal:
        return {"original": photograph.name, "kind": refusal.kind, "reason": refusal.reason}
    entry = _write(out, photograph, pixels, text, found, depth, settings)
    entry |= {"repeats": repeats} if repeats > 1 else {}
    converted = ", ".join(filter(None, [note, guessed]))
    return entry | ({"converted": converted} if converted else {})


def _named(photograph: Photograph) -> tuple[int, str]:
    """Repeats and caption from a sub-folder's name."""
    folder = PurePosixPath(photograph.name).parent.name  # empty for the folder that was given
    return repeats_and_words(folder) or (1, "")


def _found(pixels: NDArray[np.uint8], settings: AnnotateSettings) -> Detection:
    detector = _detector(
        settings.threshold, settings.scales, settings.face_weights, settings.hand_weights, settings.device
    )
    try:
        found = detector(pixels)
    except (RuntimeError, ValueError) as error:  # MediaPipe's, of an image that it cannot take
        raise Refused("unreadable", f"detection failed: {error}") from error
    share = _person_share(found)
    if share == 0:
        others = len(found.unconfirmed_faces) + len(found.unconfirmed_hands)
        raise Refused("filtered", "nobody found" + (f": {others} not confirmed" if others else ""))
    if share < settings.min_person:
        raise Refused("filtered", f"person too small: {share:.4f} of the image")
    return found


def _write(
    out: Path,
    photograph: Photograph,
    pixels: NDArray[np.uint8],
    text: str,
    found: Detection,
    depth: NDArray[np.uint16] | None,
    settings: AnnotateSettings,
) -> dict[str, Any]:
    height, width = pixels.shape[:2]
    hands_of_main = main_hands(found)
    face_padding, hand_padding = settings.face_padding, settings.hand_padding
    faces = _padded(found.faces, face_padding, width, height)
    hands = _padded(found.hands, hand_padding, width, height)
    grow = dilation_pixels(settings.dilation, width, height)
    if settings.mask == "box":
        face_mask, hand_mask = (draw_boxes(boxes, (height, width), grow) for boxes in (faces, hands))
    else:
        face_mask = draw_ellipses(faces, (height, width), grow)
        hand_mask = draw_hulls([hand.outline for hand in found.hands], (height, width), grow)
    body = np.zeros((17, 3)) if found.body is None else found.body.keypoints()
    points = {side: _seen(hand, width, height) for side, hand in hands_of_main.items()}
    drawn = {
        "file_name": pixels,
        "face_mask_file_name": face_mask,
        "hand_mask_file_name": hand_mask,
        "pose_file_name": draw_pose(body, points["left"], points["right"], (height, width)),
        "depth_file_name": depth,
    }
    grids = {key: grid for key, grid in drawn.items() if grid is not None}
    names = {key: name for key, name in file_names(photograph.key).items() if key in grids}
    for key, name in names.items():
        write_png(out / name, grids[key])
    side_box = {
        side: None if hand is None else padded(hand.box, hand_padding, width, height)
        for side, hand in hands_of_main.items()
    }
    return {
        "file_name": names.pop("file_name"),
        "text": text,
        **names,
        "face_box": largest(faces),
        "left_hand_box": side_box["left"],
        "right_hand_box": side_box["right"],
        "face_boxes": faces,
        "hand_boxes": hands,
        "unconfirmed_face_boxes": _padded(found.unconfirmed_faces, face_padding, width, height),
        "unconfirmed_hand_boxes": _padded(found.unconfirmed_hands, hand_padding, width, height),
        "keypoints": None if found.body is None else _rounded(body),
        "left_hand_keypoints": None if points["left"] is None else _rounded(points["left"]),
        "right_hand_keypoints": None if points["right"] is None else _rounded(points["right"]),
        "width": width,
        "height": height,
        "source": "photograph",
        "original": photograph.name,
        "face_area": round(float(np.mean(face_mask > 0)), 6),
        "hand_area": round(float(np.mean(hand_mask > 0)), 6),
        "perceptual_hash": f"{perceptual_hash(pixels):016x}",
    }


def _padded(items: Iterable[Face | Hand], padding: float, width: int, height: int) -> list[Any]:
    """The padded boxes that overlap the image."""
    return [box for item in items if (box := padded(item.box, padding, width, height))]


def main_hands(found: Detection) -> dict[str, Hand | None]:
    """The main person's left and right hand: those nearest the body's wrists, if there is a body."""
    hands = list(found.hands)
    chosen: dict[str, Hand | None] = dict.fromkeys(("left", "right"))
    if found.body is None:
        for side in chosen:
            chosen[side] = next((hand for hand in hands if hand.side == side), None)
        return chosen
    pairs = sorted(
        (math.dist(hand.middle, (x, y)) / length, side, index)
        for side, (x, y, length) in found.body.wrists().items()
        for index, hand in enumerate(hands)
        if length > 0
    )
    taken: set[int] = set()
    for distance, side, index in pairs:
        if distance < 1 and chosen[side] is None and index not in taken:
            chosen[side] = hands[index]
            taken.add(index)
    return chosen


def _person_share(found: Detection) -> float:
    points = [corners(item.box) for item in (*found.faces, *found.hands)]
    if found.body is not None:
        joints = found.body.keypoints()
        points.append(joints[joints[:, 2] == 2, :2])
    every = np.concatenate(points) if points else np.empty((0, 2))
    if len(every) < 2:
        return 0.0
    size = found.width, found.height
    low, high = every.min(axis=0).clip(0), np.minimum(every.max(axis=0), size)
    return float(np.prod((high - low).clip(0)) / np.prod(size))


def _scaled(pixels: NDArray[np.uint8], size: int | None) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    if size is None or min(height, width) <= size:
        return pixels
    factor = size / min(height, width)
    target = max(size, round(width * factor)), max(size, round(height * factor))
    return np.asarray(Image.fromarray(pixels).resize(target, Image.Resampling.LANCZOS))


def _seen(hand: Hand | None, width: int, height: int) -> NDArray[np.float64] | None:
    """The landmarks of a hand, shape (21, 3), if it has any."""
    if hand is None or hand.landmarks is None:
        return None
    points = hand.landmarks[:, :2]
    inside = (points >= 0).all(axis=1) & (points < (width, height)).all(axis=1)
    return np.column_stack([points, 2.0 * inside])


def _rounded(points: NDArray[np.float64]) -> list[list[float]]:
    return [[round(float(value), 2) for value in point] for point in points]
