"""A folder of photographs of which some are damaged or odd, each in a way of its own."""

import ctypes
import io
import os
from pathlib import Path

import matplotlib
from PIL import Image

# A photograph that comes with Matplotlib: Grace Hopper, by the United States Navy.
PHOTOGRAPH = Path(matplotlib.get_data_path()) / "sample_data" / "grace_hopper.jpg"

UNREADABLE = {
    "truncated.jpg": "truncated",
    "empty.jpg": "empty file",
    "no image.jpg": "not an image",
    "huge.png": "max_pixels",
    "locked.jpg": "Permission denied",
    "itself.jpg": "symbolic links",
    "loop": "symlink loop",
}
FILTERED = {"moving.gif": "animated", "small.png": "too small", "meadow.png": "nobody found"}
ODD = {"cmyk.jpg", "turned.jpg", "with spaces and 🙂.jpg", "a PNG.jpg"}


def photograph() -> Image.Image:
    with Image.open(PHOTOGRAPH) as image:
        return image.convert("RGB")


def make_folder(root: Path, good: int) -> None:
    """``good`` crops of one photograph, and beside them one file of each odd or damaged kind."""
    (root / "good").mkdir(parents=True)
    whole = photograph()
    for index in range(good):
        crop = whole.crop((index, 2 * index, 512 - index, 600 - index))
        crop.save(root / "good" / f"{index:04d}.jpg", quality=90)
    (root / "good" / "0000.txt").write_text("an officer\n  before a flag\n")
    make_odd(root, whole)
    for name, colour in (("small.png", None), ("meadow.png", (60, 140, 60))):
        picture = whole.resize((100, 117)) if colour is None else Image.new("RGB", (400, 400), colour)
        picture.save(root / name)


def make_odd(root: Path, whole: Image.Image) -> None:
    """One file of each of the ten ways in which a file is damaged or odd, in a folder that exists."""
    buffer = io.BytesIO()
    whole.save(buffer, format="JPEG", quality=90)
    data = buffer.getvalue()
    (root / "truncated.jpg").write_bytes(data[: len(data) // 2])
    (root / "empty.jpg").touch()
    (root / "no image.jpg").write_text("a letter")
    whole.save(root / "a PNG.jpg", format="PNG")
    Image.new("1", (4000, 3000)).save(root / "huge.png")
    whole.convert("CMYK").save(root / "cmyk.jpg")
    frames = [Image.new("RGB", (400, 400), colour) for colour in ("red", "blue")]
    frames[0].save(root / "moving.gif", save_all=True, append_images=frames[1:])
    exif = Image.Exif()
    exif[0x0112], exif[0x010F] = 6, "a camera"  # "turn by 90° to show"; the maker
    whole.transpose(Image.Transpose.ROTATE_90).save(root / "turned.jpg", exif=exif)
    (root / "locked.jpg").write_bytes(data)
    (root / "locked.jpg").chmod(0)
    (root / "with spaces and 🙂.jpg").write_bytes(data)
    (root / "itself.jpg").symlink_to("itself.jpg")
    (root / "loop").symlink_to(".")


def heed_permissions() -> None:
    """For a child process: even root may then read only what permissions let it."""
    if os.geteuid() == 0:
        drop_from_bounding_set, overrides = 24, (1, 2)  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        libc = ctypes.CDLL(None, use_errno=True)
        for capability in overrides:
            if libc.prctl(drop_from_bounding_set, capability, 0, 0, 0):
                raise OSError(ctypes.get_errno(), "prctl")
