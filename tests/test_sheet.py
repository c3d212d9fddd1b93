"""Contact sheets: layout, words, size of the file."""

import io

import numpy as np
import pytest
from PIL import Image

from fairhuman.sheet import contact_sheet, jpeg


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
    contact_sheet(
        [Image.new("L", (8, 8)), Image.new("RGBA", (8, 9)), np.zeros((8, 8), np.uint8)], ["", "", ""]
    )


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
