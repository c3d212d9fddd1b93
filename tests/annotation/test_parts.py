"""Tiles, duplicates and masks, each against a plain way to the same."""

import inspect
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fairhuman.commands.annotate import annotate as annotate_command
from fairhuman.commands.fit import fit as fit_command
from fairhuman.data.annotation import AnnotateSettings
from fairhuman.data.annotation._captions import read_captions
from fairhuman.data.store import (
    Photograph,
    Shard,
    draw_boxes,
    draw_hulls,
    find_duplicates,
    find_photographs,
    sidecar,
)
from fairhuman.detectors._tiles import is_cut, tiles
from fairhuman.images import Refused


@pytest.mark.parametrize(("width", "height", "scale"), [(1024, 1024, 2), (1500, 700, 3), (33, 4000, 2)])
def test_tiles_cover_the_image_and_stay_in_it(width, height, scale):
    seen = np.zeros((height, width), dtype=int)
    for tile in tiles(width, height, scale):
        assert 0 <= tile.x0 < tile.x1 <= width and 0 <= tile.y0 < tile.y1 <= height
        seen[tile.y0 : tile.y1, tile.x0 : tile.x1] += 1
    assert seen.min() >= 1


def test_a_small_thing_is_whole_in_some_tile():
    side = 512 * 0.2
    for x, y in np.random.default_rng(0).uniform(0, 1024 - side, (200, 2)):
        box = (x, y, x + side, y + side)
        whole = [
            tile for tile in tiles(1024, 1024, 2)
            if tile.x0 <= x and tile.y0 <= y and box[2] <= tile.x1 and box[3] <= tile.y1
        ]  # fmt: skip
        assert any(not is_cut(box, tile, 1024, 1024) for tile in whole)


@pytest.mark.parametrize(("distance", "count"), [(-1, 150), (0, 150), (3, 150), (4, 150), (9, 150), (9, 600)])
def test_duplicates_are_those_of_comparing_all_with_all(distance, count):
    random = np.random.default_rng(distance + 1)
    seeds = [int(value) for value in random.integers(0, 2**63, 12)]
    hashes = []
    for _ in range(count):
        flips = random.choice(64, random.integers(0, 8), replace=False)
        hashes.append(seeds[random.integers(12)] ^ sum(1 << int(bit) for bit in flips))
    kept, expected = [], []
    for index, value in enumerate(hashes):
        near = [other for other in kept if bin(hashes[other] ^ value).count("1") <= distance]
        expected.append(near[0] if near else None)
        kept += [] if near else [index]
    assert find_duplicates(hashes, distance) == expected


def test_masks_cover_what_they_are_of():
    points = np.array([[10.0, 10], [30, 12], [28, 40], [15, 20]])
    hull = draw_hulls([points], (64, 48), 3)
    assert hull.shape == (64, 48) and set(np.unique(hull)) == {0, 255}
    assert all(hull[int(y), int(x)] == 255 for x, y in points)
    assert hull[30, 10] == 0 and hull[8, 10] == 255
    boxes = draw_boxes([(10, 10, 20, 30)], (64, 48), 2)
    assert (boxes > 0).sum() == 14 * 24


def test_a_share_is_written_i_of_n_and_shares_split_the_work():
    photographs = [Photograph(f"{index}.jpg", Path(f"{index}.jpg")) for index in range(200)]
    shares = [Shard.parse(f"{index}/3") for index in (1, 2, 3)]
    held = [sum(share.holds(photograph) for share in shares) for photograph in photographs]
    assert held == [1] * 200
    for wrong in ("0/3", "4/3", "3", "a/b", "-1/2"):
        with pytest.raises(ValueError, match="shard: must be i/n"):
            Shard.parse(wrong)


def test_a_text_beside_a_photograph_is_its_caption(tmp_path):
    (tmp_path / "a.txt").write_bytes("\ufeffa woman\r\nwaves".encode())  # as Windows' editor saves it
    assert sidecar(tmp_path / "a.jpg") == ("a woman waves", "")
    (tmp_path / "c.caption").write_bytes("une fenêtre".encode("cp1252"))
    note = "caption not UTF-8, read as Windows-1252"
    assert sidecar(tmp_path / "c.jpg") == ("une fenêtre", note)
    assert sidecar(tmp_path / "b.jpg") is None
    assert sidecar(tmp_path / f"{'b' * 251}.jpg") is None  # whose name with .txt would be too long for a file


def test_why_a_caption_cannot_be_read_can_be_written_down(tmp_path):
    name = b"\xff.jpg".decode(errors="surrogateescape")  # a name that is no UTF-8
    (tmp_path / name).with_suffix(".txt").write_bytes(b"\xff")
    with pytest.raises(Refused, match="unreadable: its caption: .* can't decode") as refusal:
        sidecar(tmp_path / name)
    refusal.value.reason.encode()


def test_nothing_outside_the_folder_is_read(tmp_path):
    """Links may lead to what is nobody's photograph or caption, pipes bring no end."""
    inside, outside = tmp_path / "in", tmp_path / "outside"
    for folder in (inside / "part", outside):
        folder.mkdir(parents=True)
        Image.new("RGB", (4, 4)).save(folder / "a.png")
    (outside / "secret.txt").write_text("secret")
    (inside / "part" / "a.txt").symlink_to(outside / "secret.txt")
    (inside / "b.png").symlink_to(outside / "a.png")
    (inside / "folder").symlink_to(outside)
    (inside / "same").symlink_to("part")
    (inside / "c.png").symlink_to("part/a.png")
    os.mkfifo(inside / "c.txt")
    (inside / "d.txt").write_bytes(b"a " * 40_000)
    for name in ("0-masklabel.png", "a.npz", "a.caption"):
        (inside / name).touch()
    found = {photograph.name: photograph for photograph in find_photographs(inside)}
    astray = "unreadable: a link that leads out of the folder"
    expected = {"b.png": astray, "c.png": "", "folder": astray, "part/a.png": ""}
    assert {name: photograph.problem for name, photograph in found.items()} == expected
    for name, reason in (("part/a", "a link"), ("c", "not a regular file"), ("d", "more than 65536 bytes")):
        with pytest.raises(Refused, match=f"its caption: {reason}"):
            sidecar(inside / f"{name}.png")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("file_name,text\na.jpg,a man, smiling\n", "line 2: 1 fields more than columns"),
        (f"file_name,text\na.jpg,{'a' * 200_000}\n", "after line 1: field larger than field limit"),
        ("file_name,caption\na.jpg,a man\n", "no column 'text'"),
    ],
)
def test_a_table_that_would_lose_captions_is_refused(tmp_path, text, message):
    (tmp_path / "captions.csv").write_text(text)
    with pytest.raises(ValueError, match=message):
        read_captions(tmp_path / "captions.csv")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_tables_of_captions_in_any_encoding(tmp_path, encoding, kind):
    lines = {
        "csv": 'file_name,text\n./a.jpg,"a café, open"\n\nb\\c.png,a man\n',
        "jsonl": '{"file_name": "./a.jpg", "text": "a café, open"}\n\n'
        '{"text": "a man", "file_name": "b/c.png"}\n',
    }
    path = tmp_path / f"captions.{kind}"
    path.write_bytes(lines[kind].encode(encoding))
    assert read_captions(path) == {"a.jpg": "a café, open", "b/c.png": "a man"}


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"file_name": "b.jpg"}', "line 2: 'file_name' and 'text' must be strings"),
        ("[1]", "line 2: 'file_name' and 'text' must be strings"),
        ("{", "line 2: not a JSON object"),
        ('{"file_name": "./a.jpg", "text": "again"}', "line 2: names 'a.jpg' a second time"),
    ],
)
def test_json_lines_that_are_no_captions(tmp_path, line, message):
    path = tmp_path / "captions.jsonl"
    path.write_text(f'{{"file_name": "a.jpg", "text": "a man"}}\n{line}\n')
    with pytest.raises(ValueError, match=message):
        read_captions(path)


@pytest.mark.parametrize("command", [annotate_command, fit_command])
def test_options_have_the_defaults_of_the_settings(command):
    options = inspect.signature(command).parameters
    settings = {name: value for name, value in dict(AnnotateSettings()).items() if name in options}
    assert len(settings) > 14
    assert {name: options[name].default for name in settings} == settings
