"""Arrays computed from many images in cached parts, so that an interruption loses at most one part."""

from __future__ import annotations

import hashlib
import json
import os
import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from fairhuman.files import file_state, written_whole

__all__ = ["PART", "in_parts"]

PART: Final = 1024
"""Images per part: a multiple of all networks' batch sizes, so that batches are unaffected."""
_FORMAT: Final = 1

Arrays = dict[str, NDArray[Any]]


def in_parts(
    paths: Sequence[Path],
    compute: Callable[[slice], Arrays],
    identity: Callable[[slice], Any],
    *,
    cache: str | os.PathLike[str] | None,
    progress: bool = False,
    desc: str | None = None,
) -> Arrays:
    """Compute arrays part by part and concatenate them.

    Args:
        paths: The images.
        compute: Returns named arrays for some images; arrays are concatenated along the first dimension.
        identity: Everything that determines the result besides the images, as JSON.
        cache: Folder for caching parts by this identity and by the images' paths, sizes and times; None
            disables it.
        progress: Show a progress bar, one step per part.
        desc: Text of the progress bar.
    """
    starts = range(0, len(paths), PART) or [0]  # of no images there is an empty part
    found = []
    for start in tqdm(starts, desc=desc, unit="part", disable=not progress or len(starts) == 1):
        part = slice(start, start + PART)
        if cache is None:
            found.append(compute(part))
            continue
        images = [(str(path.resolve()), *file_state(path)) for path in paths[part]]
        known = json.dumps([_FORMAT, identity(part), images]).encode()
        file = Path(cache) / "parts" / f"{hashlib.sha256(known).hexdigest()}.npz"
        arrays = _load(file)
        if arrays is None:
            arrays = compute(part)
            with written_whole(file, shared=True) as partial, partial.open("wb") as stream:
                np.savez(stream, **arrays)
        found.append(arrays)
    return {name: np.concatenate([arrays[name] for arrays in found]) for name in found[0]}


def _load(file: Path) -> Arrays | None:
    try:
        with np.load(file, allow_pickle=False) as stored:
            return dict(stored)
    except (OSError, ValueError, EOFError, zipfile.BadZipFile):
        return None
