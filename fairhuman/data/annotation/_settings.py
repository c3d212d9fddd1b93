"""How a folder of photographs is annotated: one validated dataclass."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, get_args

from fairhuman.data.store import check_whole
from fairhuman.profiles import unknown

__all__ = ["AnnotateSettings", "MaskShape"]

MaskShape = Literal["box", "hull"]


@dataclass(frozen=True, kw_only=True)
class AnnotateSettings:
    """What decides the annotation of a photograph. Two runs with equal settings give equal files.

    Attributes:
        min_side: Least length of the shorter side in pixels; shorter ones are filtered
            (the paper: 1024, §7.1).
        min_person: Least share of the image, in [0, 1], that the box around all that was found of
            people takes.
        max_pixels: Most pixels that a file may decode to; larger ones are refused before decoding.
        size: Shorter side in pixels to which larger photographs are scaled down; ``None`` keeps them.
        threshold: Least score of a face, hand or body, in [0, 1]; MediaPipe's own default is 0.5.
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
        captions: CSV file with the columns ``file_name`` (relative to the photographs) and ``text``.
        caption_model: Folder of a vision-language model of ``transformers`` that describes photographs which
            have neither a line there nor a text file beside them.
        caption_prompt: What that model is asked; by default its own or a plain request.
        depth_model: Folder of a depth model of ``transformers``; without it there are no depth maps.
        face_weights, hand_weights: YOLO weights whose boxes are added (needs the ``ultralytics`` package; a
            ``.pt`` file can run code when it is loaded, so it must come from someone you trust).
        device: Where YOLO, depth and caption models run: ``cpu``, ``cuda``, ``cuda:1``, …

    Raises:
        ValueError: The message names the field, the rule and the value found.

    >>> AnnotateSettings(threshold=1.5)
    Traceback (most recent call last):
    ...
    ValueError: threshold: must be in [0, 1], got 1.5
    """

    min_side: int = 1024
    min_person: float = 0.05
    max_pixels: int = 100_000_000
    size: int | None = None
    threshold: float = 0.5
    scales: int = 2
    mask: MaskShape = "box"
    face_padding: float = 0.0
    hand_padding: float = 0.1
    dilation: float = 8.0
    duplicate_distance: int = 4
    caption: str | None = None
    captions: str | None = None
    caption_model: str | None = None
    caption_prompt: str | None = None
    depth_model: str | None = None
    face_weights: str | None = None
    hand_weights: str | None = None
    device: str = "cpu"

    def __post_init__(self) -> None:
        for name, least, most in (
            ("min_side", 1, None), ("max_pixels", 1, None), ("size", 1, None), ("scales", 1, 5),
            ("duplicate_distance", -1, 16),
        ):  # fmt: skip
            value = getattr(self, name)
            if name == "size" and value is None:
                continue
            check_whole(name, value, least, most)
        for name in ("min_person", "threshold"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name}: must be in [0, 1], got {getattr(self, name)!r}")
        for name in ("face_padding", "hand_padding", "dilation"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"{name}: must be at least 0 and finite, got {getattr(self, name)!r}")
        if self.mask not in get_args(MaskShape):
            raise ValueError(f"mask: {unknown(self.mask, get_args(MaskShape))}")
        if self.caption is not None and not self.caption.strip():
            raise ValueError(f"caption: must not be empty, got {self.caption!r}")
        if self.caption_prompt is not None and self.caption_model is None:
            raise ValueError(f"caption_prompt: needs a caption_model, got {self.caption_prompt!r} alone")

    @classmethod
    def from_mapping(cls, values: Mapping[str, Any], source: str = "settings") -> AnnotateSettings:
        """Settings from a mapping; an unknown key is refused."""
        names = [field.name for field in dataclasses.fields(cls)]
        for key in values:
            if key not in names:
                raise ValueError(f"{source}: {unknown(key, names)}")
        return cls(**values)

    def stored(self) -> dict[str, Any]:
        """All values, for a JSON file."""
        return dataclasses.asdict(self)
