"""Strict reader of data sets: every defect is reported before work starts."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import overload

import numpy as np

from fairhuman.data._check import read_line
from fairhuman.data._condition import CONDITIONS
from fairhuman.data._index import Index, line_key, read_index
from fairhuman.data._record import HumanRecord
from fairhuman.data._sample import HumanSample
from fairhuman.images import read_depth, read_mask, read_picture
from fairhuman.processes import check_workers
from fairhuman.regions import check_regions

__all__ = ["HumanFolder"]

logger = logging.getLogger(__name__)


class HumanFolder(Sequence[HumanSample]):
    """A folder in Hugging Face ImageFolder format: ``metadata.jsonl`` with images, masks, pose drawings and
    depth maps. Opening it checks every line and file, and warns about conversions and about masks that cover
    everything; images are loaded on access.

    Check results are cached in :func:`fairhuman.files.cache_root`: a line is checked again if its text, or
    the size or time of one of its files, has changed. Neither images nor metadata are kept in memory.

    Args:
        path: The folder.
        regions: Regions to read masks of. A line may say ``null`` for a region that the image does not have;
            its mask is then empty.
        conditions: ``"pose"`` and ``"depth"``, if a control network needs them.
        workers: Number of checking processes. A script that uses several must be importable.
        progress: Show a progress bar while checking. Default: on a terminal.

    Attributes:
        records: One per line, parsed on access.
        sizes: Height and width of each image, shape (n, 2).
        repeats: Occurrences of each image per epoch, shape (n,).
        present: Region → number of images with a non-empty mask.
        central: Region → its fraction in the central square, shape (n,); NaN for square images and empty
            masks.
        half: Region → smallest fraction of the height, and of the width, around the centre that contains half
            of it, shape (n, 2); NaN for empty masks.

    Raises:
        FileNotFoundError: The folder, ``metadata.jsonl`` or a listed file is missing.
        ValueError: A line or file is invalid; the message names it.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        regions: Sequence[str] = ("face", "hand"),
        conditions: Sequence[str] = (),
        *,
        workers: int = 1,
        progress: bool | None = None,
    ) -> None:
        self.path = Path(path)
        self.regions = check_regions(regions)
        self.conditions = tuple(conditions)
        for name in self.conditions:
            if name not in CONDITIONS:
                raise ValueError(f"conditions: must be among {', '.join(CONDITIONS)}, got {name!r}")
        check_workers(workers)
        listing = self._listing()
        index = read_index(listing, self.regions, self.conditions, workers=workers, progress=progress)
        rows = index.rows
        if not len(rows):
            raise ValueError(f"data set: {listing} has no images")
        self._rows = rows
        self.records = _Records(listing, rows, self.regions, self.conditions)
        self.sizes, self.repeats = rows["size"], rows["repeats"]
        self.present = {name: int(rows["present"][:, i].sum()) for i, name in enumerate(self.regions, 1)}
        self.central = {name: rows["central"][:, i] for i, name in enumerate(self.regions, 1)}
        self.half = {name: rows["half"][:, i] for i, name in enumerate(self.regions, 1)}
        self._tell(index)

    def _listing(self) -> Path:
        listing = self.path / "metadata.jsonl"
        if not self.path.is_dir():
            raise FileNotFoundError(f"data set: no such folder: {self.path}")
        if not listing.is_file():
            raise FileNotFoundError(f"data set: {self.path} has no metadata.jsonl")
        return listing

    def _tell(self, index: Index) -> None:
        """Report each kind of conversion in one line, with its first occurrence."""
        where = np.argwhere(index.rows["note"])
        codes = index.rows["note"][tuple(where.T)]
        for code in dict.fromkeys(codes.tolist()):
            line, file = where[np.argmax(codes == code)]
            name = index.names[line].split(b"\0")[file].decode()
            count = int((codes == code).sum())
            more = f" (and {count - 1} more)" if count > 1 else ""
            logger.warning("%s: %s%s: %s", self.path, name, more, index.notes[code])

    @property
    def file_sizes(self) -> np.ndarray:
        """Size of each file in bytes, shape (n, files), in the order image, masks, conditions; 0 if
        missing."""
        return self._rows["bytes"]

    def key(self, index: int) -> bytes:
        """Key that identifies an image with its line, masks and conditions, and changes with any of them."""
        row = self._rows[index]
        return b"".join(row[name].tobytes() for name in ("key", "bytes", "changed"))

    def __len__(self) -> int:
        return len(self.records)

    def __getitem__(self, index: int) -> HumanSample:  # ty: ignore[incompatible-method-override]: no slices
        record = self.records[index]
        image = read_picture(record.image).pixels
        conditions = record.conditions
        return HumanSample(
            image=image,
            text=record.text,
            masks={name: _mask(path, image.shape[:2]) for name, path in record.masks.items()},
            boxes=record.boxes,
            keypoints=record.keypoints,
            pose=read_picture(conditions["pose"]).pixels if "pose" in conditions else None,
            depth=read_depth(conditions["depth"]).astype(np.uint16) if "depth" in conditions else None,
            face_yaw=record.face_yaw,
        )

    @property
    def captions(self) -> list[str]:
        """The captions in order."""
        return [record.text for record in self.records]


class _Records(Sequence[HumanRecord]):
    """The records of a listing, read and parsed on access, because those of a large set would fill the
    memory."""

    def __init__(
        self, listing: Path, rows: np.ndarray, regions: tuple[str, ...], conditions: tuple[str, ...]
    ):
        self._listing, self._rows, self._read = listing, rows, (regions, conditions)

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> HumanRecord: ...
    @overload
    def __getitem__(self, index: slice) -> list[HumanRecord]: ...
    def __getitem__(self, index):
        if isinstance(index, slice):
            return list(self._parsed(range(*index.indices(len(self)))))
        return next(self._parsed([range(len(self))[index]]))

    def __iter__(self) -> Iterator[HumanRecord]:
        return self._parsed(range(len(self)))

    def _parsed(self, places: Sequence[int]) -> Iterator[HumanRecord]:
        with self._listing.open("rb") as file:
            for place in places:
                row = self._rows[place]
                file.seek(row["offset"])
                line = file.readline()
                if line_key(line) != row["key"]:
                    raise ValueError(f"data set: {self._listing} has changed since it was read")
                yield read_line(line, int(row["number"]), self._listing, *self._read)


def _mask(path: Path | None, size: tuple[int, ...]) -> np.ndarray:
    return np.zeros(size, dtype=np.uint8) if path is None else read_mask(path).pixels
