"""How a folder of photographs is annotated: one set of validated settings."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from fairhuman.settings import Count, Place, Settings, Share, Unsigned, require

__all__ = ["AnnotateSettings", "MaskShape"]

MaskShape = Literal["box", "hull"]


class AnnotateSettings(Settings):
    """What decides the annotation of a photograph. Two runs with equal settings give equal files.

    Attributes:
        min_side: Least length of the shorter side in pixels; shorter ones are filtered
            (the paper: 1024, §7.1).
        min_person: Least share of the image, in [0, 1], that the box around all that was found of
            people takes.
        max_pixels: Most pixels that a file may decode to; larger ones are refused before decoding.
        size: Shorter side in pixels to which larger photographs are scaled down; ``None`` keeps them.
        threshold: Least score of a face, hand or body, in [0, 1]; MediaPipe's default is 0.5.
        scales: 1: detectors see the whole photograph, and hands the surroundings of the wrists; 2: also
            overlapping tiles of half its shorter side; 3: also of a quarter.
        mask: ``box``: filled boxes, as in the released code; ``hull``: for hands the hull of their landmarks,
            for faces the ellipse in the box.
        face_padding, hand_padding: Share of its sides by which a found box grows on each side, at least 0. A
            hand's box is that of its joints: a tenth brings it to the outline of the fingers in renders.
        dilation: Pixels by which masks grow on each side in an image whose shorter side is 1024, scaled with
            that side (the released code dilates by a 16-pixel kernel, that is 8).
        duplicate_distance: Most bits of 64 in which the perceptual hashes of duplicates differ; -1 keeps
            duplicates.
        caption: Caption of photographs that have no other; ``None`` filters these.
        captions: CSV file with the columns ``file_name`` (relative to the photographs) and ``text``, or a
            ``.jsonl`` file of objects with these keys.
        folder_names: Read names of sub-folders such as ``10_a man`` as kohya's scripts do: their images come
            ten times as often in an epoch, and those without a text of their own have these words.
        caption_model: Folder of a vision-language model of ``transformers`` that describes photographs which
            have neither a line there nor a text file beside them.
        caption_prompt: What that model is asked; by default the model's or a plain request.
        depth_model: Folder of a depth model of ``transformers``; without it there are no depth maps.
        face_weights, hand_weights: YOLO weights whose boxes are added (needs the ``ultralytics`` package; a
            ``.pt`` file can run code when it is loaded, so it must come from someone you trust).
        device: Where YOLO, depth and caption models run: ``cpu``, ``cuda``, ``cuda:1``, …

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
