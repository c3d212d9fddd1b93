"""One photograph: read, searched, judged, and its files written."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from fairhuman.data.annotation._captions import written_caption
from fairhuman.data.annotation._detect import Detectors
from fairhuman.data.annotation._duplicates import perceptual_hash
from fairhuman.data.annotation._found import Found, FoundHand
from fairhuman.data.annotation._layout import file_names
from fairhuman.data.annotation._masks import dilation_pixels, draw_boxes, draw_ellipses, draw_hulls, padded
from fairhuman.data.annotation._models import CaptionModel, DepthModel
from fairhuman.data.annotation._reading import Refused, read_photograph
from fairhuman.data.annotation._scan import Photograph
from fairhuman.data.annotation._settings import AnnotateSettings
from fairhuman.data.png import write_png
from fairhuman.data.pose import draw_pose

# One set of networks a process: starting MediaPipe's graphs alone costs a second.
_detectors = cache(Detectors)
_depth_model = cache(DepthModel)
_caption_model = cache(CaptionModel)


def annotate_photograph(
    photograph: Photograph, out: Path, settings: AnnotateSettings, captions: Mapping[str, str]
) -> dict[str, Any]:
    """Annotates one photograph and writes its files; returns its metadata line.

    A photograph that is left out gives ``{"original": …, "kind": …, "reason": …}`` instead and no files.
    """
    try:
        if photograph.problem:
            raise Refused("unreadable", photograph.problem.removeprefix("unreadable: "))
        pixels = read_photograph(photograph.path, settings.max_pixels, settings.min_side)
        text = written_caption(photograph.name, photograph.path, captions)
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
    return _write(out, photograph, pixels, text, found, depth, settings)


def _found(pixels: NDArray[np.uint8], settings: AnnotateSettings) -> Found:
    detectors = _detectors(settings)
    try:
        found = detectors(pixels)
    except (RuntimeError, ValueError) as error:  # MediaPipe's, of an image that it cannot take
        raise Refused("unreadable", f"detection failed: {error}") from error
    height, width = pixels.shape[:2]
    share = _person_share(found, width, height)
    if share == 0:
        raise Refused("filtered", "nobody found")
    if share < settings.min_person:
        raise Refused("filtered", f"person too small: {share:.4f} of the image")
    return found


def _write(
    out: Path,
    photograph: Photograph,
    pixels: NDArray[np.uint8],
    text: str,
    found: Found,
    depth: NDArray[np.uint16] | None,
    settings: AnnotateSettings,
) -> dict[str, Any]:
    height, width = pixels.shape[:2]
    own = own_hands(found)
    face_boxes = [padded(face.box, settings.face_padding, width, height) for face in found.faces]
    hand_boxes = [padded(hand.box, settings.hand_padding, width, height) for hand in found.hands]
    grow = dilation_pixels(settings.dilation, width, height)
    faces, hands = ([box for box in boxes if box] for boxes in (face_boxes, hand_boxes))
    if settings.mask == "box":
        face_mask, hand_mask = (draw_boxes(boxes, (height, width), grow) for boxes in (faces, hands))
    else:
        face_mask = draw_ellipses(faces, (height, width), grow)
        hand_mask = draw_hulls([hand.points for hand in found.hands], (height, width), grow)
    body = np.zeros((17, 3)) if found.body is None else found.body.keypoints
    points = {side: _seen(hand, width, height) for side, hand in own.items()}
    grids = {
        "file_name": pixels,
        "face_mask_file_name": face_mask,
        "hand_mask_file_name": hand_mask,
        "pose_file_name": draw_pose(body, points["left"], points["right"], (height, width)),
        "depth_file_name": depth,
    }
    names = {key: name for key, name in file_names(photograph.key).items() if grids[key] is not None}
    for key, name in names.items():
        write_png(out / name, grids[key])
    side_box = {
        side: None if hand is None else padded(hand.box, settings.hand_padding, width, height)
        for side, hand in own.items()
    }
    main = max(faces, key=lambda box: (box[2] - box[0]) * (box[3] - box[1]), default=None)
    return {
        "file_name": names.pop("file_name"),
        "text": text,
        **names,
        "face_box": main,
        "left_hand_box": side_box["left"],
        "right_hand_box": side_box["right"],
        "face_boxes": faces,
        "hand_boxes": hands,
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


def own_hands(found: Found) -> dict[str, FoundHand | None]:
    """The left and right hand of the main person: the ones nearest the body's wrists, if a body is known."""
    hands = list(found.hands)
    own: dict[str, FoundHand | None] = dict.fromkeys(("left", "right"))
    if found.body is None:
        for side in own:
            own[side] = next((hand for hand in hands if hand.side == side), None)
        return own
    pairs = sorted(
        (float(np.hypot(*(hand.points.mean(axis=0) - (x, y)))) / length, side, index)
        for side, (x, y, length) in found.body.wrists.items()
        for index, hand in enumerate(hands)
        if length > 0
    )
    taken: set[int] = set()
    for distance, side, index in pairs:
        if distance < 1 and own[side] is None and index not in taken:
            own[side] = hands[index]
            taken.add(index)
    return own


def _person_share(found: Found, width: int, height: int) -> float:
    points = [np.reshape(item.box, (2, 2)) for item in (*found.faces, *found.hands)]
    if found.body is not None:
        points.append(found.body.keypoints[found.body.keypoints[:, 2] == 2, :2])
    corners = np.concatenate(points) if points else np.empty((0, 2))
    if len(corners) < 2:
        return 0.0
    low, high = corners.min(axis=0).clip(0), np.minimum(corners.max(axis=0), (width, height))
    return float(np.prod((high - low).clip(0)) / (width * height))


def _scaled(pixels: NDArray[np.uint8], size: int | None) -> NDArray[np.uint8]:
    height, width = pixels.shape[:2]
    if size is None or min(height, width) <= size:
        return pixels
    factor = size / min(height, width)
    target = max(size, round(width * factor)), max(size, round(height * factor))
    return np.asarray(Image.fromarray(pixels).resize(target, Image.Resampling.LANCZOS))


def _seen(hand: FoundHand | None, width: int, height: int) -> NDArray[np.float64] | None:
    """The landmarks (21, 3) of a hand that has any."""
    if hand is None or not hand.side:
        return None
    inside = (hand.points >= 0).all(axis=1) & (hand.points < (width, height)).all(axis=1)
    return np.column_stack([hand.points, 2.0 * inside])


def _rounded(points: NDArray[np.float64]) -> list[list[float]]:
    return [[round(float(value), 2) for value in point] for point in points]
