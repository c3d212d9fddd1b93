"""Contact sheets: layout, words, size of the file."""

import io

import numpy as np
import pytest
from PIL import Image

from fairhuman.sheet import contact_sheet, jpeg, table_sheet


def tiles(count, size=64):
    return [np.full((size, size, 3), (40 * index) % 256, dtype=np.uint8) for index in range(count)]


def test_pictures_stand_in_rows_unchanged():
    sheet = np.asarray(contact_sheet(tiles(5), ["A man"] * 5, columns=3, tile=64, lines=0))
    gap = 4
    for index in range(5):
        row, column = divmod(index, 3)
        y, x = gap + row * (64 + gap), gap + column * (64 + gap)
        assert (sheet[y : y + 64, x : x + 64] == (40 * index) % 256).all()
    assert sheet.shape[1] == gap + 3 * (64 + gap)


def test_words_are_beneath_their_picture_only():
    with_words = np.asarray(contact_sheet(tiles(2), ["A woman waving", ""], columns=2, tile=64))
    without = np.asarray(contact_sheet(tiles(2), ["", ""], columns=2, tile=64))
    rows, columns = np.nonzero((with_words != without).any(axis=-1))
    assert rows.size
    assert rows.min() >= 4 + 64
    assert columns.max() < 4 + 64 + 4


def test_long_captions_stay_within_their_tile():
    sheet = np.asarray(contact_sheet(tiles(2), ["word " * 80, ""], columns=2, tile=64, lines=2))
    assert (sheet[4 + 64 :, 4 + 64 + 4 :] == 255).all()


def test_other_proportions_are_kept():
    wide = np.zeros((16, 64, 3), dtype=np.uint8)
    sheet = np.asarray(contact_sheet([wide], [""], tile=64, lines=0))
    assert (sheet == 0).all(axis=-1).sum() == 16 * 64


def test_sheet_keeps_below_the_limit():
    noise = np.random.default_rng(0).integers(0, 256, (12, 96, 96, 3), dtype=np.uint8)
    sheet = contact_sheet(list(noise), ["noise"] * 12, columns=4, tile=96, lines=1, limit=220_000)
    buffer = io.BytesIO()
    sheet.save(buffer, "png", optimize=True)
    assert 100_000 < buffer.tell() <= 220_000


def test_jpeg_is_the_same_picture():
    sheet = contact_sheet(tiles(4), ["A man"] * 4, columns=2, tile=64)
    read = np.asarray(Image.open(io.BytesIO(jpeg(sheet)))).astype(int)
    assert np.abs(read - np.asarray(sheet)).mean() < 4


def test_images_of_any_kind_are_taken():
    grey = np.full((8, 8), 90, np.uint8)
    picture, colours = Image.fromarray(grey), np.stack([grey] * 3, axis=-1)
    kinds = [picture, picture.convert("RGBA"), grey, colours]
    sheets = [np.asarray(contact_sheet([image], [""], tile=16)) for image in kinds]
    assert all(np.array_equal(one, sheets[0]) for one in sheets[1:])
    assert (sheets[0] == 90).all(axis=-1).any()


@pytest.mark.parametrize(
    ("images", "captions", "options", "message"),
    [
        ([], [], {}, "images: at least one"),
        (tiles(2), ["one"], {}, r"captions: must be as many as images \(2\), found 1"),
        (tiles(1), ["one"], {"columns": 0}, "columns: must be at least 1, found 0"),
        (tiles(1), ["one"], {"tile": 3}, "tile: must be at least 16, found 3"),
    ],
)
def test_bad_input_is_named(images, captions, options, message):
    with pytest.raises(ValueError, match=message):
        contact_sheet(images, captions, **options)


def test_a_table_has_a_row_per_name_and_a_column_per_caption():
    shades = {"base": [(200, 0, 0), (0, 200, 0)], "LoRA, MPD": [(0, 0, 200), (200, 200, 0)]}
    rows = {name: [Image.new("RGB", (32, 48), shade) for shade in own] for name, own in shades.items()}
    rows["base"] = [np.asarray(picture) for picture in rows["base"]]  # arrays are taken too
    sheet = np.asarray(table_sheet(rows, ["A man", "A woman with a long caption"], tile=64))
    places = []
    for own in shades.values():
        for shade in own:
            y, x = np.nonzero((sheet == shade).all(2))
            assert (np.ptp(y) + 1, np.ptp(x) + 1) == (96, 64)  # whole, in its proportions
            places.append((y.min(), x.min()))
    (top, left), (_, right), (bottom, _), _ = places
    assert places == [(top, left), (top, right), (bottom, left), (bottom, right)]
    ink = (sheet < 128).all(2)
    assert ink[:top, left:].any() and ink[top : bottom - 1, :left].any() and ink[bottom:, :left].any()


def test_a_table_keeps_below_the_limit_and_names_bad_rows():
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 256, (96, 96, 3), dtype=np.uint8))
    table = table_sheet({"base": [noise]}, ["A man"], tile=192, limit=40_000)
    buffer = io.BytesIO()
    table.save(buffer, format="PNG", optimize=True)
    assert buffer.tell() <= 40_000
    for rows, captions in (({}, ["A man"]), ({"base": [noise]}, ["A man", "A woman"])):
        with pytest.raises(ValueError, match="rows: "):
            table_sheet(rows, captions)
