"""Contact sheets: many small images on one page, with captions."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
from matplotlib import font_manager
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

_PAPER: Final = (255, 255, 255)
_INK: Final = (38, 38, 38)
_FAINT: Final = (110, 110, 110)
_LEAST_TILE: Final = 64


def contact_sheet(
    images: Sequence[Image.Image | NDArray[np.uint8]],
    captions: Sequence[str],
    columns: int = 8,
    *,
    tile: int = 256,
    lines: int = 3,
    title: str = "",
    limit: int | None = None,
) -> Image.Image:
    """Arrange images in rows, with a caption under each.

    Args:
        images: PIL images or (H, W, 3) or (H, W) uint8 arrays, of any size; each is fitted into a square tile
            without cropping or distortion.
        captions: One per image, wrapped to the tile's width, and truncated with an ellipsis after `lines`
            lines.
        columns: Images per row, at least 1.
        tile: Side length of a tile in pixels.
        lines: Lines of text under each image; 0 omits captions.
        title: Optional line above the sheet.
        limit: Maximum size of the sheet as a PNG file in bytes, as in a notebook: tiles are shrunk until it
            fits, but not below 64 pixels. None: unlimited.

    Returns:
        The sheet; `fairhuman.experiments.figures.save` writes it.

    Raises:
        ValueError: There are no images, the number of captions differs, or a number is out of range.

    Example:
        >>> tiles = [np.full((32, 32, 3), 200, dtype=np.uint8)] * 3
        >>> contact_sheet(tiles, ["A man", "A woman", "A hand"], columns=2, tile=64, lines=1).width
        140
    """
    if not images:
        raise ValueError("images: at least one is needed, found none")
    if len(captions) != len(images):
        raise ValueError(f"captions: must be as many as images ({len(images)}), found {len(captions)}")
    least = {"columns": (columns, 1), "tile": (tile, 16), "lines": (lines, 0)}
    for name, (value, bound) in least.items():
        if value < bound:
            raise ValueError(f"{name}: must be at least {bound}, found {value}")
    columns = min(columns, len(images))
    sheet = _lay_out(images, captions, columns, tile, lines, title)
    while limit is not None and tile > _LEAST_TILE and _png_bytes(sheet) > limit:
        tile = max(_LEAST_TILE, round(0.92 * tile))
        sheet = _lay_out(images, captions, columns, tile, lines, title)
    return sheet


def table_sheet(
    rows: Mapping[str, Sequence[Image.Image | NDArray[np.uint8]]],
    captions: Sequence[str],
    *,
    tile: int = 192,
    lines: int = 4,
    limit: int | None = None,
) -> Image.Image:
    """Arrange images in a table, with a name before each row and a caption above each column.

    Args:
        rows: Name → one image per caption, as in :func:`contact_sheet`; all of the same shape.
        captions: Column captions, wrapped and truncated as in :func:`contact_sheet`.
        tile: Width of an image in pixels.
        lines: Maximum lines per caption.
        limit: Maximum size as a PNG file in bytes, as in :func:`contact_sheet`.

    Raises:
        ValueError: There are no images, or a row's length differs from the number of captions.

    Example:
        >>> picture = Image.new("RGB", (32, 48))
        >>> table_sheet({"base": [picture], "LoRA": [picture]}, ["A man"], tile=64).height  # 96 pixels each
        220
    """
    if not rows or not captions:
        raise ValueError(f"rows: at least one picture is needed, found {len(rows)} rows of {len(captions)}")
    for name, pictures in rows.items():
        if len(pictures) != len(captions):
            raise ValueError(f"rows: {name!r} needs {len(captions)} pictures, found {len(pictures)}")
    pictures_of = {name: [_picture(one) for one in pictures] for name, pictures in rows.items()}
    sheet = _tabulate(pictures_of, captions, tile, lines)
    while limit is not None and tile > _LEAST_TILE and _png_bytes(sheet) > limit:
        tile = max(_LEAST_TILE, round(0.92 * tile))
        sheet = _tabulate(pictures_of, captions, tile, lines)
    return sheet


def jpeg(sheet: Image.Image, quality: int = 85) -> bytes:
    """Encode a sheet as JPEG bytes for ``IPython.display.Image``; otherwise, notebooks store PNG."""
    buffer = io.BytesIO()
    sheet.convert("RGB").save(buffer, "jpeg", quality=quality)
    return buffer.getvalue()


def _lay_out(
    images: Sequence[Image.Image | NDArray[np.uint8]],
    captions: Sequence[str],
    columns: int,
    tile: int,
    lines: int,
    title: str,
) -> Image.Image:
    gap = max(4, round(tile / 20))
    height = max(9, round(tile / 15))
    font = _font(height)
    step = round(1.3 * height)
    text_height = lines * step + (gap if lines else 0)
    top = gap + (2 * step + gap if title else 0)
    rows = -(-len(images) // columns)
    sheet = Image.new("RGB", (gap + columns * (tile + gap), top + rows * (tile + text_height + gap)), _PAPER)
    draw = ImageDraw.Draw(sheet)
    if title:
        draw.text((gap, gap), title, fill=_INK, font=_font(round(1.5 * height), bold=True))
    for number, (image, words) in enumerate(zip(images, captions, strict=True)):
        row, column = divmod(number, columns)
        x, y = gap + column * (tile + gap), top + row * (tile + text_height + gap)
        fitted = _fit(image, tile)
        sheet.paste(fitted, (x + (tile - fitted.width) // 2, y + (tile - fitted.height) // 2))
        for line, text in enumerate(_broken(words, font, tile, lines)):
            draw.text((x, y + tile + gap // 2 + line * step), text, fill=_FAINT, font=font)
    return sheet


def _tabulate(
    rows: Mapping[str, Sequence[Image.Image]], captions: Sequence[str], tile: int, lines: int
) -> Image.Image:
    gap, height = max(4, round(tile / 20)), max(9, round(tile / 15))
    font, bold, step = _font(height), _font(height, bold=True), round(1.3 * height)
    first = next(iter(rows.values()))[0]
    tall = round(tile * first.height / first.width)
    left = gap + round(max(bold.getlength(word) for name in rows for word in name.split())) + gap
    words = [_broken(caption, font, tile, lines) for caption in captions]
    top = gap + max(map(len, words)) * step + gap
    size = left + len(captions) * (tile + gap), top + len(rows) * (tall + gap)
    sheet = Image.new("RGB", size, _PAPER)
    draw = ImageDraw.Draw(sheet)
    for column, broken in enumerate(words):
        for line, text in enumerate(broken):
            draw.text((left + column * (tile + gap), gap + line * step), text, fill=_INK, font=font)
    for row, (name, pictures) in enumerate(rows.items()):
        y = top + row * (tall + gap)
        for line, text in enumerate(name.split()):
            draw.text((gap, y + line * step), text, fill=_INK, font=bold)
        for column, picture in enumerate(pictures):
            fitted = picture.resize((tile, tall), Image.Resampling.LANCZOS)
            sheet.paste(fitted, (left + column * (tile + gap), y))
    return sheet


def _picture(image: Image.Image | NDArray[np.uint8]) -> Image.Image:
    return (image if isinstance(image, Image.Image) else Image.fromarray(np.asarray(image))).convert("RGB")


def _fit(image: Image.Image | NDArray[np.uint8], tile: int) -> Image.Image:
    picture = _picture(image)
    scale = tile / max(picture.size)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    size = width, height
    return picture if size == picture.size else picture.resize(size, Image.Resampling.LANCZOS)


def _broken(text: str, font: ImageFont.FreeTypeFont, width: int, lines: int) -> list[str]:
    broken: list[str] = []
    for word in text.split():
        longer = f"{broken[-1]} {word}" if broken else word
        if broken and font.getlength(longer) <= width:
            broken[-1] = longer
        else:
            broken.append(word)
    if len(broken) > lines > 0:
        last = broken[lines - 1]
        while last and font.getlength(last + " …") > width:
            last = last.rpartition(" ")[0]
        broken[lines - 1] = last + " …"
    return broken[:lines]


def _font(height: int, bold: bool = False) -> ImageFont.FreeTypeFont:
    # Matplotlib's bundled font, so that sheets look the same everywhere.
    weight = "bold" if bold else "normal"
    found = font_manager.findfont(font_manager.FontProperties(family="DejaVu Sans", weight=weight))
    return ImageFont.truetype(found, height)


def _png_bytes(image: Image.Image) -> int:
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.tell()
