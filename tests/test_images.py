"""One reader of pictures, masks and depth maps: the same whatever they are stored as, or refused."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from fairhuman.images import Refused, as_rgb, read_depth, read_mask, read_picture

SIDES = (40, 56)
DISPLAYED_TURNED = {0x0112: 6}  # EXIF: turn by 90° clockwise to display


def colours() -> np.ndarray:
    """Few enough for a palette, smooth enough for JPEG."""
    y, x = np.mgrid[: SIDES[0], : SIDES[1]] // 8
    return np.stack([40 * y % 256, 30 * x % 256, 20 * (x + y) % 256], axis=2).astype(np.uint8)


def disc(soft: bool = False) -> np.ndarray:
    y, x = np.mgrid[: SIDES[0], : SIDES[1]]
    distance = np.hypot(y - 18, x - 30)
    return (255 * (np.clip(12 - distance, 0, 1) if soft else distance < 12)).astype(np.uint8)


def grey() -> np.ndarray:
    return np.asarray(Image.fromarray(colours()).convert("L"))


def exif() -> Image.Exif:
    found = Image.Exif()
    found.update(DISPLAYED_TURNED)
    return found


def over_white(pixels: np.ndarray, opaque: np.ndarray) -> np.ndarray:
    return np.where(opaque[..., None] > 0, pixels, np.uint8(255))


def rgba(pixels: np.ndarray, alpha: np.ndarray) -> Image.Image:
    return Image.fromarray(np.dstack([pixels, alpha]))


def in_three(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=2)


def stored_pictures() -> dict[str, tuple[Image.Image, np.ndarray, str, float]]:
    """Name → picture, what is displayed, a word of the note, and how far rounding may be off."""
    plain, opaque = colours(), disc()
    palette = Image.fromarray(plain).quantize(200)
    shown = np.asarray(palette.convert("RGB"))
    hidden = np.asarray(palette)[0, 0]
    holed = over_white(shown, np.asarray(palette) != hidden)
    two, floating = Image.fromarray(opaque > 0), grey().astype(np.float32)
    return {
        "plain.png": (Image.fromarray(plain), plain, "", 0),
        "rgba.png": (rgba(plain, opaque), over_white(plain, opaque), "transparent", 0),
        "la.png": (
            Image.fromarray(np.dstack([grey(), opaque])),
            over_white(in_three(grey()), opaque),
            "grey, transparent",
            0,
        ),
        "opaque.png": (rgba(plain, np.full(SIDES, 255, np.uint8)), plain, "", 0),
        "palette.png": (palette, shown, "palette", 0),
        "holed.png": (palette, holed, "palette, transparent", 0),
        "16 bits.png": (
            Image.fromarray(grey().astype(np.uint16) * 257),
            in_three(grey()),
            "16-bit grey with values to",
            0,
        ),
        "8 in 16 bits.png": (Image.fromarray(grey().astype(np.uint16)), in_three(grey()), "16-bit", 0),
        "unit.tiff": (Image.fromarray(floating / 255), in_three(grey()), "floating-point grey", 0),
        "float.tiff": (Image.fromarray(floating), in_three(grey()), "floating-point grey", 0),
        "1 bit.png": (two, in_three(opaque), "1 bit", 0),
        "cmyk.tiff": (Image.fromarray(plain).convert("CMYK"), plain, "CMYK", 0),
        "turned.png": (Image.fromarray(np.rot90(plain).copy()), plain, "", 0),
        "turned.jpg": (Image.fromarray(np.rot90(plain).copy()), plain, "", 40),
    }


@pytest.mark.parametrize("name", stored_pictures())
def test_a_picture_is_what_is_displayed(tmp_path, name):
    picture, displayed, word, off = stored_pictures()[name]
    options = {"exif": exif()} if name.startswith("turned") else {}
    if name == "holed.png":
        options["transparency"] = int(np.asarray(picture)[0, 0])
    picture.save(tmp_path / name, **options)
    found = read_picture(tmp_path / name)
    assert found.note.startswith(word) and bool(found.note) == bool(word)
    assert found.pixels.dtype == np.uint8 and found.pixels.shape == (*SIDES, 3)
    assert np.abs(found.pixels.astype(int) - displayed).max() <= off
    assert (as_rgb(tmp_path / name) == found.pixels).all()


def stored_masks(soft: bool) -> dict[str, Image.Image]:
    values = disc(soft)
    black, white = (np.full((*SIDES, 3), level, np.uint8) for level in (0, 255))
    found = {
        "8 bits.png": Image.fromarray(values),
        "16 bits.png": Image.fromarray(values.astype(np.uint16) * 257),
        "8 in 16 bits.png": Image.fromarray(values.astype(np.uint16)),
        "unit.tiff": Image.fromarray(values.astype(np.float32) / 255),
        "float.tiff": Image.fromarray(values.astype(np.float32)),
        "rgb.png": Image.fromarray(in_three(values)),
        "alpha of black.png": rgba(black, values),
        "alpha of white.png": rgba(white, values),
        "opaque.png": rgba(in_three(values), np.full(SIDES, 255, np.uint8)),
    }
    if soft:
        return found
    drawn = values > 0
    red = Image.fromarray(drawn.astype(np.uint8))
    red.putpalette([0, 0, 0, 128, 0, 0])
    return found | {
        "1 bit.png": Image.fromarray(drawn),
        "0 and 1.png": Image.fromarray(drawn.astype(np.uint8)),
        "0 and 1 in 16 bits.png": Image.fromarray(drawn.astype(np.uint16)),
        "palette.png": red,
        "red.png": red.convert("RGB"),
        "painted and holed.png": rgba(
            in_three(values), np.where(drawn | (values[::-1] > 0), 255, 0).astype(np.uint8)
        ),
    }


@pytest.mark.parametrize(
    ("name", "soft"), [(name, soft) for soft in (False, True) for name in stored_masks(soft)]
)
def test_a_mask_covers_the_same_however_it_is_stored(tmp_path, name, soft):
    stored_masks(soft)[name].save(tmp_path / name)
    assert (read_mask(tmp_path / name).pixels == disc(soft)).all()


def test_a_mask_is_turned_as_its_photograph(tmp_path):
    Image.fromarray(np.rot90(disc()).copy()).save(tmp_path / "turned.png", exif=exif())
    assert (read_mask(tmp_path / "turned.png").pixels == disc()).all()


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (disc() // 255, "a mask of 0 and 1, read as 0 and 255"),
        (disc() // 85, "a mask whose maximum is 3 of 255"),  # labels, or hardly anything
        (disc().astype(np.uint16) * 257, "16-bit grey with values to 65535"),
    ],
)
def test_how_a_mask_was_read_is_said(tmp_path, values, note):
    Image.fromarray(values).save(tmp_path / "mask.png")
    assert read_mask(tmp_path / "mask.png").note == note


@pytest.mark.parametrize(
    ("picture", "reason"),
    [
        (Image.fromarray(255 - disc()), r"inverted: it covers the whole border and 80\.\d% of the image"),
        (Image.fromarray(colours()), r"one colour on black, got \(.*\) and \(.*\)"),
        (Image.fromarray(disc().astype(np.uint16) * 16), "to 255 or to 65535, got values from 0 to 4080"),
        (Image.fromarray(disc().astype(np.float32) - 1), "got values from -1 to 254"),
        (Image.fromarray(np.where(disc() > 0, np.nan, 0).astype(np.float32)), "got values from nan to nan"),
    ],
)
def test_a_mask_without_a_clear_meaning_is_refused(tmp_path, picture, reason):
    name = "mask.tiff" if picture.mode == "F" else "mask.png"
    picture.save(tmp_path / name)
    with pytest.raises(Refused, match=reason):
        read_mask(tmp_path / name)


def test_a_depth_map_keeps_its_numbers(tmp_path):
    values = np.arange(np.prod(SIDES)).reshape(SIDES) * 29
    for name, array in (("a.png", values.astype(np.uint16)), ("b.tiff", values.astype(np.int32))):
        Image.fromarray(array).save(tmp_path / name)
        found = read_depth(tmp_path / name)
        assert found.dtype == np.uint16 and (found == values).all()
    for array, reason in ((values.astype(np.int32) * 2, "got 0 to"), (colours(), "got mode 'RGB'")):
        Image.fromarray(array).save(tmp_path / "wrong.tiff")
        with pytest.raises(Refused, match=reason):
            read_depth(tmp_path / "wrong.tiff")


def test_too_many_pixels_are_refused_before_anything_is_decoded(tmp_path):
    def chunk(kind, content):
        return (
            struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
        )

    # A header alone: decoding would say that the data is missing.
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", 3000, 2000, 8, 2, 0, 0, 0)) + chunk(b"IDAT", b"")
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + header)
    for read in (read_picture, read_mask, read_depth):
        with pytest.raises(Refused, match="3000 × 2000 pixels are more than max_pixels = 1000000"):
            read(path, 1_000_000)
        with pytest.raises(Refused, match="unreadable") as refusal:
            read(path, 10**7)
        assert "max_pixels" not in str(refusal.value)


def test_what_is_no_photograph_is_not_even_tried(tmp_path):
    """A decoder of PostScript would start another program; a pipe would be waited for."""
    (tmp_path / "drawing.png").write_text("%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n")
    with pytest.raises(Refused, match=r"not an image \(JPEG, PNG"):
        read_picture(tmp_path / "drawing.png")
    os.mkfifo(tmp_path / "pipe.png")
    with pytest.raises(Refused, match="not a regular file"):
        read_picture(tmp_path / "pipe.png")
    with pytest.raises(Refused, match="No such file"):
        read_picture(tmp_path / "absent.png")
    with pytest.raises(FileNotFoundError, match="no image at"):
        as_rgb(tmp_path / "absent.png")


def test_colours_of_another_profile_become_srgb(tmp_path):
    """A profile whose red and green are sRGB's green and red; one that is damaged is as none."""
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    swapped = own.replace(b"rXYZ", b"????", 1).replace(b"gXYZ", b"rXYZ", 1).replace(b"????", b"gXYZ", 1)
    damaged = "with a colour profile that cannot be read"
    for profile, seen, note in (
        (own, [255, 0, 0], ""),
        (swapped, [0, 255, 0], ""),
        (own[:200], [255, 0, 0], damaged),
    ):
        for mode, colour in (("RGB", (255, 0, 0)), ("RGBA", (255, 0, 0, 255))):
            Image.new(mode, (4, 4), colour).save(tmp_path / "red.png", icc_profile=profile)
            found = read_picture(tmp_path / "red.png")
            np.testing.assert_allclose(found.pixels[0, 0], seen, atol=1)
            assert found.note.startswith(note)
