"""Drawn input against every reader: what is read is right, what is refused is named, nothing else is touched.

    python benchmarks/fuzz.py [--lines 10000] [--images 2000] [--masks 1000] [--parameters 500] [--seed 0]

Valid lines, files and settings are changed at random: bytes flipped, cut out and doubled, values put in the
place of others. Each must be read, and then be what the reader promises, or be refused by an error of the
kinds that the commands turn into one line. Beside the folder lies another one, which nobody may open. Writes
``results/benchmarks/fuzz.json``: how many were read and refused, and the memory that the process took.
"""

import argparse
import io
import json
import random
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

from fairhuman.data import HumanFolder, JointTransform
from fairhuman.data._record import read_record
from fairhuman.data.annotation import AnnotateSettings
from fairhuman.data.exchange import import_folder
from fairhuman.images import Refused, read_depth, read_mask, read_picture
from fairhuman.profiles import load_profile
from fairhuman.results import write_result
from fairhuman.training import TrainSettings
from fairhuman.training.base import BaseSettings

MOST_PIXELS = 1_000_000
VALUES = [
    *(None, True, 0, -1, 1, 3.5, 1e308, float("inf"), float("nan"), 10**400, -(10**19)),
    *("", " ", "a", "é", "half \ud83d", "a\0b", "x" * 5000, "../outside/secret.png", "/etc/hostname", "~"),
    *("pipe.png", "link.png", "images", ".", "images/0.png", "1e-4", "no", "{{x}}", "${HOME}"),
    *([], {}, [1], [[1, 2, 3]], [0, 0, 1, 1], [5, 5, 1, 1], [float("inf")] * 4, [[0, 0, 2]] * 17, {"a": {}}),
]
SOUND = (ValueError, TypeError, FileNotFoundError)
"""What a command says in one line; whatever else a reader raises is a fault."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    counts = {"lines": 10_000, "images": 2_000, "masks": 1_000, "parameters": 500}
    for name, count in counts.items():
        parser.add_argument(f"--{name}", type=int, default=count)
    parser.add_argument("--seed", type=int, default=0)
    given = vars(parser.parse_args())
    with tempfile.TemporaryDirectory() as folder:
        figures = fuzz(Path(folder), **given)
    total = sum(given[name] for name in counts)
    path = write_result("benchmarks", "fuzz", figures, parameters=given, samples=total, seed=given["seed"])
    print(f"{path}: {figures}")


def fuzz(folder: Path, *, lines: int, images: int, masks: int, parameters: int, seed: int) -> dict[str, Any]:
    """Try every reader on drawn input below a folder; the first fault is raised.

    Returns:
        Reader → how many were ``read`` and ``refused``; and ``peak_mb``, the most memory the process took.

    Raises:
        AssertionError: Something read is not what the reader promises, or something outside was opened.
        Exception: Whatever a reader should not have raised.
    """
    chance, data, outside = random.Random(seed), folder / "data", folder / "outside"
    entry = write_set(data, outside)
    opened: set[str] | None = set()

    def hear(event: str, given: tuple[Any, ...]) -> None:
        if event == "open" and opened is not None:
            opened.add(str(given[0]))

    sys.addaudithook(hear)
    stored = list(forms(chance))
    found = {
        "lines": tally(lambda: read_line(chance, data, entry), lines),
        "imported lines": import_lines(chance, data, folder, entry, lines),
        "images": tally(lambda: read_image(chance, stored, folder), images),
        "masks": tally(lambda: read_drawn_mask(chance, folder), masks),
        "parameters": tally(lambda: read_parameters(chance, folder), parameters),
    }
    paths, opened = opened, None  # an audit hook stays
    assert not [path for path in paths if Path(path).resolve().is_relative_to(outside.resolve())]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return found | {"peak_mb": round(peak)}


def write_set(data: Path, outside: Path) -> dict[str, Any]:
    """A data set of one image, a pipe and a link that leads out; the metadata of the image."""
    import os

    grids = {
        "images": np.arange(48 * 3, dtype=np.uint8).reshape(6, 8, 3),
        "face": np.eye(6, 8, dtype=np.uint8) * 255,
        "hand": np.zeros((6, 8), np.uint8),
        "pose": np.zeros((6, 8, 3), np.uint8),
        "depth": np.full((6, 8), 900, np.uint16),
    }
    for name, grid in grids.items():
        (data / name).mkdir(parents=True)
        Image.fromarray(grid).save(data / name / "0.png")
    outside.mkdir()
    Image.fromarray(grids["images"]).save(outside / "secret.png")
    (data / "link.png").symlink_to(outside / "secret.png")
    os.mkfifo(data / "pipe.png")
    return {
        "file_name": "images/0.png", "text": "a woman waves", "width": 8, "height": 6, "face_yaw": 3.0,
        "face_mask_file_name": "face/0.png", "hand_mask_file_name": "hand/0.png",
        "pose_file_name": "pose/0.png", "depth_file_name": "depth/0.png", "repeats": 2,
        "face_box": [1, 1, 5, 5], "left_hand_box": None, "keypoints": [[1, 2, 2]] * 17,
        "face_boxes": [[1, 1, 5, 5]], "hand_boxes": [],
    }  # fmt: skip


def tally(attempt: Callable[[], None], count: int) -> dict[str, int]:
    """How many attempts succeeded, and how many were refused in a way that a person can read."""
    found: Counter[str] = Counter(read=0, refused=0)
    for _ in range(count):
        try:
            attempt()
        except SOUND as error:
            assert str(error).strip()
            found["refused"] += 1
        else:
            found["read"] += 1
    return dict(found)


def damaged(chance: random.Random, data: bytes) -> bytes:
    """The same bytes but for some: flipped, cut out, doubled, or cut short."""
    made = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        place, length = chance.randrange(len(made) or 1), chance.randint(1, 40)
        way = chance.randrange(5)
        if way < 2 and made:
            made[place] ^= 1 << chance.randrange(8)
        elif way == 2:
            del made[place : place + length]
        elif way == 3:
            made[place:place] = made[place : place + length]
        else:
            del made[chance.randint(place, len(made)) :]
    return bytes(made)


def changed(chance: random.Random, entry: dict[str, Any]) -> dict[str, Any]:
    """The same mapping but for some values, or without them."""
    made = dict(entry)
    for name in chance.sample(sorted(made), chance.randint(1, 2)):
        if chance.random() < 0.2:
            del made[name]
        else:
            made[name] = chance.choice(VALUES)
    return made


def drawn_line(chance: random.Random, entry: dict[str, Any]) -> bytes:
    line = json.dumps(changed(chance, entry)).encode()
    return damaged(chance, line) if chance.random() < 0.3 else line


def read_line(chance: random.Random, data: Path, entry: dict[str, Any]) -> None:
    """A line as a training reads it: all that is read lies in the folder and is finite."""
    try:
        text = drawn_line(chance, entry).decode()
    except UnicodeDecodeError as error:
        raise ValueError(str(error)) from error  # so the reader of the listing refuses it
    place = "metadata.jsonl, line 1"
    try:
        record = read_record(text, place, data, ("face", "hand"), ("pose", "depth"))
    except SOUND as error:
        assert place in str(error), error
        raise
    files = [record.image, *record.conditions.values(), *filter(None, record.masks.values())]
    assert all(path.is_relative_to(data.resolve()) and path.is_file() for path in files)
    boxes = [box for box in record.boxes.values() if box is not None]
    numbers = [*boxes, *(points.ravel() for points in record.keypoints.values()), [record.face_yaw or 0.0]]
    assert all(np.isfinite(np.asarray(one, dtype=float)).all() for one in numbers)
    record.text.encode()


def import_lines(
    chance: random.Random, data: Path, folder: Path, entry: dict[str, Any], count: int
) -> dict[str, int]:
    """All lines in one listing: each is brought in or listed, and what came in trains."""
    lines = [drawn_line(chance, entry).replace(b"\n", b" ") for _ in range(count)]
    (data / "metadata.jsonl").write_bytes(b"\n".join([*lines, json.dumps(entry).encode()]))
    filled = sum(bool(line.strip()) for line in lines) + 1
    done = import_folder(data, folder / "imported", "boxes", progress=False)
    assert done.kept + done.unreadable == filled and done.kept
    sample = JointTransform(8)(HumanFolder(folder / "imported")[0])
    assert sample.pixels.isfinite().all() and all(mask.isfinite().all() for mask in sample.masks.values())
    return {"read": done.kept, "refused": done.unreadable}


def forms(chance: random.Random) -> Iterator[bytes]:
    """One picture in every form that can be stored."""
    pixels = np.random.default_rng(chance.getrandbits(32)).integers(0, 256, (24, 31, 3), dtype=np.uint8)
    picture = Image.fromarray(pixels)
    for form, modes in (
        ("PNG", ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")), ("JPEG", ("L", "RGB", "CMYK")),
        ("WEBP", ("RGB", "RGBA")), ("TIFF", ("1", "L", "RGB", "RGBA", "CMYK", "F", "I;16")),
        ("BMP", ("L", "RGB")), ("GIF", ("P",)),
    ):  # fmt: skip
        for mode in modes:
            file = io.BytesIO()
            whole = picture.convert("L").convert("I").point(lambda v: v * 257) if mode == "I;16" else picture
            whole.convert(mode).save(file, format=form)
            yield file.getvalue()


def read_image(chance: random.Random, stored: list[bytes], folder: Path) -> None:
    """A damaged picture is 8-bit RGB of a bounded size, or refused; likewise as a mask and as a depth map."""
    path = folder / "image.png"  # the content counts, not the ending
    path.write_bytes(damaged(chance, chance.choice(stored)))
    for read in (read_depth, read_mask):
        try:
            grid = read(path, MOST_PIXELS)
        except Refused:
            continue
        values = grid.pixels if read is read_mask else grid
        assert values.ndim == 2 and values.size <= MOST_PIXELS
    pixels, note = read_picture(path, MOST_PIXELS)
    assert pixels.dtype == np.uint8 and pixels.ndim == 3 and pixels.shape[2] == 3
    assert pixels.size <= 3 * MOST_PIXELS and isinstance(note, str)


def read_drawn_mask(chance: random.Random, folder: Path) -> None:
    """A mask covers what was drawn, whatever it is stored as; a damaged one may be refused."""
    height, width = chance.randint(3, 40), chance.randint(3, 40)
    covered = np.zeros((height, width), np.uint8)
    top, left = chance.randrange(height - 1), chance.randrange(width - 1)
    covered[top : chance.randint(top + 1, height), left : chance.randint(left + 1, width)] = 255
    grey = chance.random() < 0.5
    if grey:
        covered = covered // 255 * chance.randint(128, 255)
        covered[top, left] = 255
    colour = chance.sample([30, 80, 130, 180, 230], 3)  # further apart than JPEG parts grey
    ways: dict[str, Any] = {
        "8 bits": covered, "16 bits": covered.astype(np.uint16) * 257, "float": covered / np.float32(255),
        "8 in 16 bits": covered.astype(np.uint16), "float to 255": covered.astype(np.float32),
        "alpha": np.dstack([np.full((*covered.shape, 3), colour, np.uint8), covered]),
    }  # fmt: skip
    if not grey:
        ways |= {
            "0 and 1": covered // 255, "1 bit": covered > 0,
            "0 and 1 in 16 bits": covered.astype(np.uint16) // 255,
            "colour": (covered[..., None] > 0) * np.asarray(colour, np.uint8),
        }  # fmt: skip
    way = chance.choice(sorted(ways))
    path = folder / "mask.tiff"
    Image.fromarray(ways[way]).save(path)
    if (covered[[0, -1]] > 127).all() and (covered[:, [0, -1]] > 127).all() and covered.min() < 128:
        raise Refused("unreadable", "inverted")
    if damage := chance.random() < 0.2:
        path.write_bytes(damaged(chance, path.read_bytes()))
    found = read_mask(path, MOST_PIXELS)
    expected = np.full_like(covered, 255) if way == "alpha" and covered.min() == 255 else covered
    if way == "alpha" and covered.min() == 255:  # opaque: its colour counts
        expected = found.pixels
    assert damage or (found.pixels == expected).all(), (way, found.note)


def read_parameters(chance: random.Random, folder: Path) -> None:
    """Settings from a changed file are written and read back the same; a profile has what it may have."""
    path = folder / "settings.yaml"
    kind = chance.choice([TrainSettings, AnnotateSettings, BaseSettings, None])
    if kind is None:
        content: dict[str, Any] = {"04_train_lora": {"steps": 3}, "00_humans": {"count": 2}}
        content = changed(chance, content | {"notebooks": dict(content)})
    else:
        known = {name: field.get_default() for name, field in kind.model_fields.items()}
        plain = {name: value for name, value in known.items() if isinstance(value, (int, float, str))}
        content = changed(chance, plain | dict.fromkeys({"data", "output"} & known.keys(), "d"))
    text = yaml.safe_dump(content, allow_unicode=True).encode(errors="surrogatepass")
    path.write_bytes(damaged(chance, text) if chance.random() < 0.3 else text)
    if kind is None:
        load_profile("settings", folder)
        return
    settings = kind.from_yaml(path)
    path.write_text(settings.to_yaml(), encoding="utf-8")
    assert kind.from_yaml(path) == settings


if __name__ == "__main__":
    main()
