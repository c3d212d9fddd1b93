"""Files and folders that appear whole."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["written_whole"]


@contextmanager
def written_whole(folder: Path, name: str) -> Iterator[Path]:
    """A temporary folder whose entry ``name`` is moved into ``folder`` once the body has succeeded."""
    for unfinished in folder.glob(".partial-*"):  # of an attempt that was killed
        shutil.rmtree(unfinished)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".partial-") as partial:
        yield Path(partial)
        if (folder / name).is_dir():
            shutil.rmtree(folder / name)
        (Path(partial) / name).replace(folder / name)
