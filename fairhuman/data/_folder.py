"""A data set on disk, read strictly: whatever is wrong with it is said before anything starts."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from fairhuman.data._condition import CONDITIONS
from fairhuman.data._record import HumanRecord, read_record
from fairhuman.data._sample import HumanSample
from fairhuman.regions import check_regions

__all__ = ["HumanFolder"]

_TRANSPOSED = (5, 6, 7, 8)  # EXIF orientations that swap height and width
_DEPTHS = ("L", "I", "I;16", "I;16B")


class HumanFolder(Sequence[HumanSample]):
    """A folder in Hugging Face ImageFolder form: ``metadata.jsonl`` beside images, masks, pose
    drawings and depth maps. Reading checks every line and every file; images are loaded on access.

    Args:
        path: The folder.
        regions: Regions whose masks are wanted. A line may say ``null`` for a region the image
            does not have: its mask is then empty.
        conditions: ``"pose"`` and ``"depth"``, where a control network needs them.

    Raises:
        FileNotFoundError: No such folder, no ``metadata.jsonl``, a file it names missing.
        ValueError: A line or file that breaks the form; the message names it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        regions: Sequence[str] = ("face", "hand"),
        conditions: Sequence[str] = (),
    ) -> None:
        self.path = Path(path)
        self.regions = check_regions(regions)
        self.conditions = tuple(conditions)
        for name in self.conditions:
            if name not in CONDITIONS:
                raise ValueError(f"conditions: must be among {', '.join(CONDITIONS)}, got {name!r}")
        self.records = self._read()
        for record in self.records:
            _check_files(record)

    def _read(self) -> list[HumanRecord]:
        if not self.path.is_dir():
            raise FileNotFoundError(f"data set: no such folder: {self.path}")
        listing = self.path / "metadata.jsonl"
        if not listing.is_file():
            raise FileNotFoundError(f"data set: {self.path} has no metadata.jsonl")
        try:
            # Not splitlines, which also splits at characters that JSON leaves as they are, such as U+2028.
            lines = listing.read_text(encoding="utf-8").split("\n")
        except (OSError, UnicodeDecodeError) as error:
            raise ValueError(f"data set: cannot read {listing}: {error}") from error
        records = [
            read_record(line, f"{listing}, line {number}", self.path, self.regions, self.conditions)
            for number, line in enumerate(lines, start=1)
            if line.strip()
        ]
        if not records:
            raise ValueError(f"data set: {listing} holds no images")
        return records

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> HumanSample:  # type: ignore[override]
        record = self.records[index]
        image = _load(record.image, "RGB")
        blank = np.zeros(image.shape[:2], dtype=np.uint8)
        conditions = record.conditions
        return HumanSample(
            image=image,
            text=record.text,
            masks={name: blank if path is None else _load(path, "L") for name, path in record.masks.items()},
            boxes=record.boxes,
            keypoints=record.keypoints,
            pose=_load(conditions["pose"], "RGB") if "pose" in conditions else None,
            depth=_load(conditions["depth"], None) if "depth" in conditions else None,
            face_yaw=record.face_yaw,
        )

    @property
    def captions(self) -> list[str]:
        """The captions in order."""
        return [record.text for record in self.records]


def _check_files(record: HumanRecord) -> None:
    size = _checked_size(record.image, record.place)
    width, height = record.metadata.get("width"), record.metadata.get("height")
    if width is not None and height is not None and (height, width) != size:
        raise ValueError(
            f"{record.place}: says {height} × {width} (height × width), "
            f"but {record.image.name} is {size[0]} × {size[1]}"
        )
    if "depth" in record.conditions:
        _check_depth(record.conditions["depth"], record.place)
    for path in [*record.masks.values(), *record.conditions.values()]:
        if path is not None and (found := _checked_size(path, record.place)) != size:
            raise ValueError(
                f"{record.place}: {path.parent.name}/{path.name} is {found[0]} × {found[1]} "
                f"(height × width), its image {size[0]} × {size[1]}"
            )


def _checked_size(path: Path, place: str) -> tuple[int, int]:
    """Height and width as displayed. The file is decoded: only that shows a truncated one."""
    try:
        with Image.open(path) as image:
            width, height = image.size
            if image.getexif().get(0x0112) in _TRANSPOSED:
                width, height = height, width
            image.load()
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{place}: cannot read {path.parent.name}/{path.name}: {error}") from error
    return height, width


def _check_depth(path: Path, place: str) -> None:
    try:
        with Image.open(path) as image:
            mode = image.mode
    except OSError as error:
        raise ValueError(f"{place}: cannot read {path.parent.name}/{path.name}: {error}") from error
    if mode not in _DEPTHS:
        raise ValueError(
            f"{place}: {path.parent.name}/{path.name} must be a depth map of one channel of whole numbers "
            f"(modes {', '.join(_DEPTHS)} of Pillow), got mode {mode!r}"
        )


def _load(path: Path, mode: str | None) -> np.ndarray:
    with Image.open(path) as image:
        upright = ImageOps.exif_transpose(image)
        if mode is None:  # 16-bit depth keeps its numbers
            return np.asarray(upright).astype(np.uint16)
        return np.asarray(upright.convert(mode))
