"""Figures as files: a picture, a vector drawing, and the data they were drawn from."""

import io
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from fairhuman import files
from fairhuman.profiles import figures_directory
from fairhuman.results import plain

Data = pd.DataFrame | Mapping[str, Any]

# Matplotlib would write its version and the time of day; without them the same figure is the same file.
_NO_METADATA = {"png": {"Software": None}, "pdf": {"Creator": None, "Producer": None, "CreationDate": None}}


def save(figure: Figure | Image.Image, name: str, data: Data, folder: Path | None = None) -> list[Path]:
    """Write a figure and, beside it, what it was drawn from.

    The same figure and data give the same bytes. Files are replaced atomically.

    Args:
        figure: A Matplotlib figure, written as PNG and PDF, or an image such as a contact sheet, written
            as JPEG.
        name: File name without ending: letters, digits, ``-`` and ``_``.
        data: A table, written as CSV, or a mapping, written as JSON.
        folder: Where to; by default :func:`fairhuman.profiles.figures_directory`.

    Returns:
        The files written.

    Raises:
        ValueError: The name has other characters.
        TypeError: The data holds what neither CSV nor JSON can.
    """
    if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
        raise ValueError(f"name: must consist of letters, digits, '-' and '_', found {name!r}")
    folder = figures_directory() if folder is None else Path(folder)
    if isinstance(data, pd.DataFrame):
        beside, text = f"{name}.csv", data.to_csv(index=False, float_format="%.8g", lineterminator="\n")
    else:
        beside, text = f"{name}.json", json.dumps(plain(data), indent=1, allow_nan=False) + "\n"

    written = [files.write_text(folder / beside, text)]
    if isinstance(figure, Image.Image):
        written.append(folder / f"{name}.jpg")
        with files.written_whole(written[-1]) as partial:
            figure.convert("RGB").save(partial, "jpeg", quality=92, subsampling=0)
        return written
    for form, metadata in _NO_METADATA.items():
        written.append(folder / f"{name}.{form}")
        with files.written_whole(written[-1]) as partial:
            figure.savefig(partial, format=form, metadata=metadata)
    return written


def stored(name: str, folder: Path | None = None) -> Data:
    """The data beside a figure, as :func:`save` was given it.

    Raises:
        FileNotFoundError: The figure has not been drawn yet.
    """
    folder = figures_directory() if folder is None else Path(folder)
    if (folder / f"{name}.csv").is_file():
        return pd.read_csv(folder / f"{name}.csv")
    if (folder / f"{name}.json").is_file():
        return json.loads((folder / f"{name}.json").read_text(encoding="utf-8"))
    raise FileNotFoundError(f"no data for figure {name!r}: neither {name}.csv nor {name}.json in {folder}")


def write_text(text: str, name: str, folder: Path | None = None) -> Path:
    """Write a generated text, such as a table, into the figures' folder; ``name`` has its ending."""
    folder = figures_directory() if folder is None else Path(folder)
    return files.write_text(folder / name, text)


def preview(path: Path, width: int = 900) -> bytes:
    """A saved figure as a small PNG, for a page that shows many: ``width`` pixels or less, in 128 colours."""
    with Image.open(path) as picture:
        picture = picture.convert("RGB")
    picture.thumbnail((width, picture.height), Image.Resampling.LANCZOS)
    content = io.BytesIO()
    # By coverage: the median cut would mix a mark's few pixels with their neighbours.
    few = picture.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.save(content, "png", optimize=True)
    return content.getvalue()
