"""Validated settings of annotation."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fairhuman.settings import Count, Place, Settings, Share, Unsigned, require

__all__ = ["AnnotateSettings", "MaskShape"]

MaskShape = Literal["box", "hull"]


class AnnotateSettings(Settings):
    """Settings that determine the annotation of a photograph. Equal settings give equal files.

    Attributes:
        min_side: Minimum length of the shorter side in pixels; smaller photographs are filtered (the paper:
            1024, §7.1).
        min_person: Minimum fraction of the image, in [0, 1], covered by the box around all detections of
            people.
        max_pixels: Maximum number of pixels; larger images are refused before decoding.
        size: Shorter side in pixels to which larger photographs are downscaled; ``None`` keeps them.
        threshold: Minimum score of a face, hand or body, in [0, 1]; MediaPipe's default is 0.5.
        scales: 1: detectors run on the whole photograph, and the hand detector also around the wrists; 2:
            also on overlapping tiles of half the shorter side; 3: also on tiles of a quarter.
        mask: ``box``: filled boxes, as in the released code; ``hull``: the convex hull of a hand's landmarks,
            and the ellipse in a face's box.
        face_padding, hand_padding: Fraction of its side lengths by which a detected box is enlarged on each
            side, at least 0. A hand's box encloses its joints; a tenth extends it to the outline of the
            fingers in renders.
        dilation: Pixels by which masks are dilated on each side at a shorter side of 1024, scaled with that
            side (the released code's 16-pixel kernel corresponds to 8).
        duplicate_distance: Maximum number of differing bits, of 64, between perceptual hashes of duplicates;
            -1 keeps duplicates.
        caption: Caption of photographs without one; ``None`` filters these.
        captions: CSV file with the columns ``file_name`` (relative to the photographs) and ``text``, or a
            ``.jsonl`` file of objects with these keys.
        folder_names: Read sub-folder names such as ``10_a man`` as kohya's scripts do: their images are
            repeated ten times per epoch, and images without a caption get this text.
        caption_model: Folder of a ``transformers`` vision-language model that captions photographs without a
            table entry or text file.
        caption_prompt: Prompt of that model. Default: the model's own or a generic one.
        depth_model: Folder of a ``transformers`` depth model; without it, there are no depth maps.
        face_weights, hand_weights: Additional YOLO weights (needs the ``ultralytics`` package; loading a
            ``.pt`` file can run code, so use only trusted files).
        device: Device of YOLO, depth and caption models: ``cpu``, ``cuda``, ``cuda:1``, …

    Raises:
        ValueError, TypeError: The message names the field, the rule and the value found.

    >>> AnnotateSettings(threshold=1.5)
    Traceback (most recent call last):
    ...
    ValueError: threshold: must be in [0, 1], got 1.5
    """

    min_side: Count = 1024
    min_person: Share = 0.05
    max_pixels: Count = 100_000_000
    size: Count | None = None
    threshold: Share = 0.5
    scales: Annotated[int, Field(ge=1, le=5)] = 2
    mask: MaskShape = "box"
    face_padding: Unsigned = 0.0
    hand_padding: Unsigned = 0.1
    dilation: Unsigned = 8.0
    duplicate_distance: Annotated[int, Field(ge=-1, le=16)] = 4
    caption: str | None = None
    captions: Place | None = None
    folder_names: bool = False
    caption_model: Place | None = None
    caption_prompt: str | None = None
    depth_model: Place | None = None
    face_weights: Place | None = None
    hand_weights: Place | None = None
    device: str = "cpu"

    @model_validator(mode="after")
    def _check(self) -> Self:
        caption, prompt = self.caption, self.caption_prompt
        require("caption", caption is None or bool(caption.strip()), "must not be empty", caption)
        if prompt is not None and self.caption_model is None:
            raise ValueError(f"caption_prompt: needs a caption_model, got {prompt!r} alone")
        return self
