"""What a data set on disk must be, and what is said when it is not."""

import json

import numpy as np
import pytest
from people import make_sample, write_folder, write_metadata
from PIL import Image

from fairhuman.data import HumanFolder


def test_reads_back_what_was_written(folder):
    path, entries = folder
    data = HumanFolder(path, conditions=("pose", "depth"))
    assert len(data) == 3
    assert data.captions == ["person 0", "person 1", "person 2"]
    for index, entry in enumerate(entries):
        expected, sample = make_sample(48, 48, index), data[index]
        np.testing.assert_array_equal(sample.image, expected.image)
        np.testing.assert_array_equal(sample.masks["hand"], expected.masks["hand"])
        np.testing.assert_array_equal(sample.pose, expected.pose)
        np.testing.assert_array_equal(sample.depth, expected.depth)
        np.testing.assert_allclose(sample.keypoints["left_hand"], expected.keypoints["left_hand"])
        assert sample.boxes == {"face": tuple(entry["face_box"]), "right_hand": None}


def test_null_mask_means_an_empty_region(folder):
    path, entries = folder
    entries[1]["hand_mask_file_name"] = None
    write_metadata(path, entries)
    assert HumanFolder(path)[1].masks["hand"].max() == 0


def test_regions_not_asked_for_are_not_needed(folder):
    path, entries = folder
    for entry in entries:
        del entry["hand_mask_file_name"]
    write_metadata(path, entries)
    assert set(HumanFolder(path, regions=("face",))[0].masks) == {"face"}


def test_orientation_of_photographs_is_applied(tmp_path):
    write_folder(tmp_path, count=1, size=(40, 30))
    upright = Image.open(tmp_path / "images/000000.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # rotate by 90° clockwise to display
    upright.transpose(Image.Transpose.ROTATE_90).save(tmp_path / "images/000000.png", exif=exif)
    np.testing.assert_array_equal(HumanFolder(tmp_path)[0].image, np.asarray(upright))


def test_missing_folder(tmp_path):
    with pytest.raises(FileNotFoundError, match="no such folder.*nowhere"):
        HumanFolder(tmp_path / "nowhere")


def test_folder_without_metadata(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"metadata\.jsonl"):
        HumanFolder(tmp_path)


def test_empty_metadata(tmp_path):
    (tmp_path / "metadata.jsonl").write_text("\n")
    with pytest.raises(ValueError, match="no images"):
        HumanFolder(tmp_path)


def test_unknown_region_and_condition(folder):
    with pytest.raises(ValueError, match="'nose'"):
        HumanFolder(folder[0], regions=("face", "nose"))
    with pytest.raises(ValueError, match="'canny'"):
        HumanFolder(folder[0], conditions=("canny",))


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        ({"text": None}, ValueError, "caption missing"),
        ({"text": "  "}, ValueError, "caption missing"),
        ({"file_name": "images/absent.png"}, FileNotFoundError, "absent.png"),
        ({"hand_mask_file_name": "hand_masks/absent.png"}, FileNotFoundError, "absent.png"),
        ({"file_name": "../outside.png"}, ValueError, "leaves the data set's folder"),
        ({"face_mask_file_name": "/etc/hostname"}, ValueError, "leaves the data set's folder"),
        ({"file_name": 7}, ValueError, "'file_name'"),
        ({"face_box": [5, 5, 5, 9]}, ValueError, "'face_box'"),
        ({"face_box": "all"}, ValueError, "'face_box'"),
        ({"keypoints": [[0, 0, 2]]}, ValueError, "17 finite triples"),
        ({"keypoints": [["a", 0, 2]] * 17}, ValueError, "17 finite triples"),
        ({"face_yaw": "left"}, ValueError, "'face_yaw'"),
        ({"width": 50}, ValueError, "says 48 × 50"),
        ({"pose_file_name": "../outside.png"}, ValueError, "'pose_file_name' leaves the data set's folder"),
    ],
)
def test_bad_line_is_named(folder, change, error, words):
    path, entries = folder
    (path.parent / "outside.png").write_bytes(b"")
    entries[1] |= change
    write_metadata(path, entries)
    with pytest.raises(error, match=words) as caught:
        HumanFolder(path)
    assert "metadata.jsonl, line 2" in str(caught.value)


def test_missing_mask_key_does_not_pass_for_an_empty_region(folder):
    path, entries = folder
    del entries[2]["hand_mask_file_name"]
    write_metadata(path, entries)
    with pytest.raises(ValueError, match="line 3: 'hand_mask_file_name' is missing"):
        HumanFolder(path)


def test_a_key_that_is_there_twice(folder):
    path, _ = folder
    listing = path / "metadata.jsonl"
    listing.write_text(listing.read_text().replace('"text": ', '"text": "lost", "text": ', 1))
    with pytest.raises(ValueError, match="line 1: not a JSON object .'text' is there twice"):
        HumanFolder(path)


def test_line_that_is_not_json(folder):
    path, _ = folder
    with (path / "metadata.jsonl").open("a") as file:
        file.write("{not json}\n" + json.dumps([1]) + "\n")
    with pytest.raises(ValueError, match="line 4: not a JSON object"):
        HumanFolder(path)


def test_mask_of_another_size(folder):
    path, _ = folder
    Image.new("L", (48, 47)).save(path / "face_masks/000001.png")
    with pytest.raises(ValueError, match="line 2: face_masks/000001.png is 47 × 48"):
        HumanFolder(path)


@pytest.mark.parametrize("damage", ["truncated", "flipped bit", "text"])
def test_unreadable_image(folder, damage):
    path, _ = folder
    image = path / "images/000002.png"
    content = bytearray(image.read_bytes())
    if damage == "truncated":
        content = content[: len(content) // 2]
    elif damage == "flipped bit":
        content[len(content) // 2] ^= 1
    else:
        content = b"no image"
    image.write_bytes(content)
    with pytest.raises(ValueError, match="line 3: cannot read images/000002.png"):
        HumanFolder(path)


def test_truncated_jpeg(folder):
    path, entries = folder
    Image.open(path / "images/000000.png").save(path / "images/photo.jpg")
    photo = (path / "images/photo.jpg").read_bytes()
    (path / "images/photo.jpg").write_bytes(photo[: len(photo) // 2])
    entries[0]["file_name"] = "images/photo.jpg"
    write_metadata(path, entries)
    with pytest.raises(ValueError, match="cannot read images/photo.jpg"):
        HumanFolder(path)


def test_link_out_of_the_folder(folder, tmp_path_factory):
    path, entries = folder
    outside = tmp_path_factory.mktemp("elsewhere") / "private.png"
    Image.new("RGB", (48, 48)).save(outside)
    (path / "images/link.png").symlink_to(outside)
    entries[0]["file_name"] = "images/link.png"
    write_metadata(path, entries)
    with pytest.raises(ValueError, match="leaves the data set's folder"):
        HumanFolder(path)


def test_a_line_ends_where_json_lines_end(folder):
    path, entries = folder
    entries[0]["text"] = "a person\u2028in front of\x85a wall"
    text = "".join(json.dumps(entry, ensure_ascii=False) + "\n" for entry in entries)
    (path / "metadata.jsonl").write_text(text, encoding="utf-8")
    assert HumanFolder(path).captions[0] == entries[0]["text"]


def test_a_mark_at_the_start_is_no_part_of_the_first_line(folder):
    path, _ = folder
    (path / "metadata.jsonl").write_bytes(b"\xef\xbb\xbf" + (path / "metadata.jsonl").read_bytes())
    assert len(HumanFolder(path)) == 3


def test_what_is_converted_is_said_before_anything_starts(folder, caplog):
    path, entries = folder
    whole = HumanFolder(path)
    assert not caplog.records and whole.present == {"face": 3, "hand": 3}
    for index in range(3):
        mask = path / f"face_masks/{index:06d}.png"
        Image.fromarray(np.asarray(Image.open(mask)) // 255).save(mask)
    Image.new("L", (48, 48), 255).save(path / "hand_masks/000000.png")
    Image.new("L", (48, 48), 0).save(path / "hand_masks/000001.png")
    hidden = np.dstack([np.asarray(Image.open(path / "images/000002.png")), np.zeros((48, 48), np.uint8)])
    Image.fromarray(hidden).save(path / "images/000002.png")
    read = HumanFolder(path)
    assert [record.getMessage().removeprefix(f"{path}: ") for record in caplog.records] == [
        "face_masks/000000.png (and 2 more): a mask of 0 and 1, read as 0 and 255",
        "hand_masks/000000.png: its hand mask covers everything",
        "images/000002.png: transparent, laid over white",
    ]
    assert read.present == {"face": 3, "hand": 2}
    for one, other in zip(read, whole, strict=True):
        assert np.array_equal(one.masks["face"], other.masks["face"])
    assert (read[2].image == 255).all()


@pytest.mark.parametrize(
    "line",
    [
        '{"face_box": [1, 2, 1e999, 4]}',
        '{"keypoints": [[1' + "0" * 400 + ", 0, 2]]}",
        '{"face_yaw": NaN}',
        '{"text": "half a \\ud83d"}',
        '{"file_name": "half a \\ud83d"}',
        '{"file_name": "a\\u0000b"}',
        '{"file_name": "' + "a" * 300 + '"}',
        "[" * 100_000,
    ],
)
def test_numbers_names_and_depths_that_json_alone_can_hold(folder, line):
    path, entries = folder
    entry = json.dumps(entries[0])
    lines = [entry, line if line.startswith("[") else entry[:-1] + ", " + line[1:]]
    (path / "metadata.jsonl").write_text("\n".join(lines))
    with pytest.raises(ValueError, match="metadata.jsonl, line 2: "):
        HumanFolder(path)


def test_a_picture_does_not_pass_for_depth(folder):
    path, entries = folder
    entries[1]["depth_file_name"] = entries[1]["pose_file_name"]
    write_metadata(path, entries)
    with pytest.raises(ValueError, match="line 2: cannot read poses/000001.png: must be a depth map of one"):
        HumanFolder(path, conditions=("depth",))
