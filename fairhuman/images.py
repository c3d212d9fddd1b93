"""The reader of images, masks and depth maps: image files to arrays.

A file's meaning does not depend on its storage format. Conversions are noted; an ambiguous file is refused
with the value found.
"""

from __future__ import annotations

import io
import stat
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps

__all__ = [
    "MOST_PIXELS",
    "ImageLike",
    "Picture",
    "Refused",
    "as_rgb",
    "read_depth",
    "read_mask",
    "read_picture",
]

ImageLike = str | PathLike[str] | Image.Image | np.ndarray

# Photograph formats. No others are tried, because some decoders start other programs.
FORMATS: Final = ("JPEG", "PNG", "WEBP", "TIFF", "BMP", "GIF")
MOST_PIXELS: Final = 100_000_000
"""Maximum image size in pixels; a small file may contain more and exhaust the machine's memory."""

_KINDS: Final = {"1": "1 bit", "L": "grey", "LA": "grey", "La": "grey", "P": "palette", "PA": "palette"}
_LEAST_OF_16_BITS: Final = 4096  # below lie 10 and 12 bits, which would turn out almost black
_GREY_SPREAD: Final = 16  # by which JPEG may part the channels of a grey pixel


class Refused(ValueError):
    """An image is not used. ``kind`` is ``unreadable``, or ``filtered`` if it is readable but unwanted."""

    def __init__(self, kind: str, reason: str) -> None:
        super().__init__(f"{kind}: {reason}")
        self.kind, self.reason = kind, reason


class Picture(NamedTuple):
    """The content of an image file, uint8, and a note of conversions, empty if there were none."""

    pixels: NDArray[np.uint8]
    note: str


def read_picture(path: str | PathLike[str], most_pixels: int = MOST_PIXELS) -> Picture:
    """Read a photograph or drawing as displayed, shape (H, W, 3), RGB.

    EXIF orientation is applied. Embedded colour profiles are converted to sRGB; grey, palette and CMYK to
    RGB; 16 bits and floating point to 8 bits; transparency to white. Size and number of frames are checked
    before decoding.

    Raises:
        Refused: The file is unreadable, not a regular file, too large, animated, or has an ambiguous range.
    """
    with _opened(Path(path), most_pixels) as image:
        return Picture(*_rgb(image))


def read_mask(path: str | PathLike[str], most_pixels: int = MOST_PIXELS) -> Picture:
    """Read a mask's coverage of each pixel, shape (H, W), 0 to 255.

    The mask may be stored as grey with 1, 8 or 16 bits or in floating point, with values up to 1, 255 or
    65535; as one colour on black; or as the transparency of a single colour.

    Raises:
        Refused: As :func:`read_picture`; or the mask has several colours or is inverted, that is, covers the
            whole border but not the whole image.
    """
    with _opened(Path(path), most_pixels) as image:
        covered, note = _coverage(image)
    border = (covered[0], covered[-1], covered[:, 0], covered[:, -1])
    if covered.min() <= 127 and min(edge.min() for edge in border) > 127:
        share = np.mean(covered > 127)
        raise Refused("unreadable", f"inverted: it covers the whole border and {share:.1%} of the image")
    return Picture(covered, note)


def read_depth(path: str | PathLike[str], most_pixels: int = MOST_PIXELS) -> NDArray[np.integer]:
    """Read a depth map as stored, shape (H, W), uint8 or uint16.

    Raises:
        Refused: As :func:`read_picture`; or the map is not a single channel of integers from 0 to 65535.
    """
    with _opened(Path(path), most_pixels) as image:
        values = np.array(image)
        if image.mode != "L" and not image.mode.startswith("I"):
            rule = "must be a depth map of one channel of whole numbers (modes L and I of Pillow)"
            raise Refused("unreadable", f"{rule}, got mode {image.mode!r}")
    if values.dtype == np.uint8:
        return values
    if values.min() < 0 or values.max() > 65535:
        raise Refused("unreadable", f"depth must be from 0 to 65535, got {values.min()} to {values.max()}")
    return values.astype(np.uint16)


def as_rgb(image: ImageLike) -> NDArray[np.uint8]:
    """Convert a path, PIL image or array to a contiguous uint8 array of shape (H, W, 3).

    Raises:
        FileNotFoundError: The file does not exist.
        ValueError: The file is not a readable image, or an array has the wrong shape or type.
    """
    if isinstance(image, np.ndarray):
        if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
            raise ValueError(
                "an image array must be uint8 of shape (height, width, 3), "
                f"got {image.dtype} of shape {image.shape}"
            )
        return np.ascontiguousarray(image)
    if isinstance(image, Image.Image):
        return _rgb(image)[0]
    if not isinstance(image, (str, PathLike)):
        raise ValueError(f"an image must be a path, a PIL image or an array, got {type(image).__name__}")
    path = Path(image)
    if not path.exists():
        raise FileNotFoundError(f"no image at {path}")
    try:
        return read_picture(path).pixels
    except Refused as refusal:
        raise ValueError(f"{path} cannot be read as an image: {refusal.reason}") from refusal


@contextmanager
def _opened(path: Path, most_pixels: int) -> Iterator[Image.Image]:
    """Yield the upright, decoded image; any error, here or in the block, becomes a refusal."""
    empty = False
    try:
        found = path.stat()
        empty = found.st_size == 0
        if not stat.S_ISREG(found.st_mode):
            raise Refused("unreadable", "not a regular file")
        with _large_allowed(), Image.open(path, formats=FORMATS) as image:
            _check(image, most_pixels)
            yield ImageOps.exif_transpose(image)
    except Refused:
        raise
    except Image.UnidentifiedImageError:
        reason = "empty file" if empty else f"not an image ({', '.join(FORMATS)})"
        raise Refused("unreadable", reason) from None
    except OSError as error:
        raise Refused("unreadable", error.strerror or str(error)) from error
    # Pillow reports damage with many exception types: SyntaxError, struct.error, ValueError, ...
    except Exception as error:
        raise Refused("unreadable", str(error) or type(error).__name__) from error


def _check(image: Image.Image, most_pixels: int) -> None:
    width, height = image.size
    if width * height > most_pixels:
        raise Refused("unreadable", f"{width} × {height} pixels are more than max_pixels = {most_pixels}")
    # A camera's MPO file contains a photograph and its previews; no other sequence is a photograph.
    frames = 1 if image.format == "MPO" else getattr(image, "n_frames", 1)
    if frames > 1:
        raise Refused("filtered", f"animated: {frames} frames")


def _rgb(image: Image.Image) -> tuple[NDArray[np.uint8], str]:
    """Pixels of shape (H, W, 3), and the conversions made."""
    profile, notes, alpha = image.info.get("icc_profile"), [], None
    if image.mode.startswith(("I", "F")):
        values, note = _eight_bits(image)
        image, notes = Image.fromarray(values), [note]
    elif image.mode != "RGB":
        kind = _KINDS.get(image.mode, image.mode)
        notes += [] if kind.startswith("RGB") else [kind]
    if image.has_transparency_data:
        image = image.convert("RGBA")
        alpha, image = image.getchannel("A"), image.convert("RGB")
    if profile:
        image, note = _srgb(image, profile)
        notes += [note] if note else []
    image = image.convert("RGB")
    if alpha is not None and np.asarray(alpha).min() < 255:
        image = Image.composite(image, Image.new("RGB", image.size, "white"), alpha)
        notes.append("transparent, laid over white")
    return np.array(image), ", ".join(notes)


def _srgb(image: Image.Image, profile: bytes) -> tuple[Image.Image, str]:
    """Convert to sRGB if the profile is readable and matches the image mode."""
    try:
        source, target = ImageCms.ImageCmsProfile(io.BytesIO(profile)), ImageCms.createProfile("sRGB")
        name = ImageCms.getProfileDescription(source).strip()
        image = image if image.mode in ("RGB", "CMYK", "L") else image.convert("RGB")
        transform = ImageCms.buildTransform(source, target, image.mode, "RGB")
        converted = transform.apply(image)
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image, "with a colour profile that cannot be read, taken as sRGB"
    return converted, "" if "sRGB" in name else f"colour profile {name}"


def _eight_bits(image: Image.Image) -> tuple[NDArray[np.uint8], str]:
    """Scale a high-bit-depth channel by the range of its values: 1, 255 or 65535."""
    values = np.asarray(image)
    floating = values.dtype.kind == "f"
    low, high = float(values.min()), float(values.max())
    near = 0.05 if floating else 0.0  # resizing overshoots
    if low >= -near and high <= 1 + near:
        factor = 255.0
    elif low >= -near and 2 <= high <= 255 * (1 + near):
        factor = 1.0
    elif low >= -near and _LEAST_OF_16_BITS <= high <= 65535 * (1 + near):
        factor = 1 / 257
    else:
        rule = "grey must be from 0 to 1, to 255 or to 65535"
        raise Refused("unreadable", f"{rule}, got values from {low:g} to {high:g}")
    scaled = np.rint(values.astype(np.float32) * factor).clip(0, 255).astype(np.uint8)
    return scaled, f"{'floating-point' if floating else '16-bit'} grey with values to {high:g}"


def _coverage(image: Image.Image) -> tuple[NDArray[np.uint8], str]:
    """A mask's values, 0 to 255, and their source."""
    if image.mode.startswith(("I", "F")):
        values, note = _eight_bits(image)
    elif image.has_transparency_data and (rgba := np.array(image.convert("RGBA")))[..., 3].min() < 255:
        values, note = _of_transparency(rgba)
    elif image.mode in ("1", "L", "LA"):
        values, note = np.array(image.convert("L")), ""
    else:
        values, note = _of_colour(np.array(image.convert("RGB")))
    high = int(values.max())
    if high == 1:
        return values * np.uint8(255), "a mask of 0 and 1, read as 0 and 255"
    return values, f"a mask whose maximum is {high} of 255" if 1 < high <= 127 else note


def _of_transparency(rgba: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], str]:
    """The opacity if all visible pixels have one colour, otherwise the colours over black."""
    alpha = rgba[..., 3]
    seen = rgba[alpha > 127, :3]
    if len(seen) == 0 or (seen == seen[0]).all():
        return alpha, "a mask in its transparency"
    flat = rgba[..., :3].astype(np.uint16) * alpha[..., None] // 255
    values, _ = _of_colour(flat.astype(np.uint8))
    return values, "a mask with transparency, laid over black"


def _of_colour(rgb: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], str]:
    """The brightness of grey pixels, or the coverage of a single colour on black."""
    if np.ptp(rgb, axis=2).max() <= _GREY_SPREAD:
        return rgb.max(axis=2), ""
    drawn = rgb.any(axis=2)
    colours = rgb[drawn]
    others = (colours != colours[0]).any(axis=1)
    if others.any():
        found = " and ".join(str(tuple(map(int, colour))) for colour in (colours[0], colours[others][0]))
        raise Refused("unreadable", f"a mask must be grey, or one colour on black, got {found}")
    return drawn.astype(np.uint8) * np.uint8(255), f"a mask in the colour {tuple(map(int, colours[0]))}"


@contextmanager
def _large_allowed() -> Iterator[None]:
    """Disable Pillow's limit and warnings: `most_pixels` decides."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        Image.MAX_IMAGE_PIXELS = before
