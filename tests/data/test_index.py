"""What is known of a data set is not read again, and nothing that has changed passes for known."""

import json

import numpy as np
import pytest
from people import make_sample, write_folder, write_metadata
from PIL import Image
from typer.testing import CliRunner

from fairhuman.__main__ import app
from fairhuman.data import HumanFolder, _check, _index


@pytest.fixture(autouse=True)
def settled(monkeypatch):
    """Files count as they are at once, not only after two seconds."""
    monkeypatch.setattr(_index, "_SETTLED", 0)


@pytest.fixture
def reads(monkeypatch):
    """Names of the files that are decoded while a folder is opened."""
    names = []
    for name in ("read_picture", "read_mask", "read_depth"):
        read = getattr(_check, name)
        monkeypatch.setattr(_check, name, lambda path, f=read: names.append(path.name) or f(path))
    return names


def facts(data):
    return {
        "sizes": data.sizes.tolist(), "repeats": data.repeats.tolist(), "present": data.present,
        "central": {name: shares.tolist() for name, shares in data.central.items()},
        "captions": data.captions, "bytes": data.file_sizes.tolist(),
    }  # fmt: skip


def test_a_data_set_is_verified_once(tmp_path, reads, caplog):
    write_folder(tmp_path, count=5, size=(40, 60))
    Image.new("L", (60, 40), 255).save(tmp_path / "face_masks/000003.png")
    first, said = HumanFolder(tmp_path), [record.getMessage() for record in caplog.records]
    assert len(reads) == 15 and len(said) == 1
    caplog.clear()
    again = HumanFolder(tmp_path)
    assert len(reads) == 15
    np.testing.assert_equal(facts(again), facts(first))
    assert [record.getMessage() for record in caplog.records] == said


@pytest.mark.parametrize("part", ["images", "face_masks", "hand_masks"])
def test_what_has_changed_is_read_again_and_nothing_else(tmp_path, reads, part):
    write_folder(tmp_path, count=4)
    before = HumanFolder(tmp_path)
    keys = [before.key(index) for index in range(4)]
    sample = make_sample(48, 48, 99)
    grid = sample.image if part == "images" else sample.masks["face"]
    Image.fromarray(grid).save(tmp_path / part / "000002.png")
    reads.clear()
    after = HumanFolder(tmp_path)
    assert reads == ["000002.png"] * 3
    assert [after.key(index) == key for index, key in enumerate(keys)] == [True, True, False, True]


def test_a_change_of_the_same_size_in_the_same_instant_is_noticed(tmp_path, monkeypatch, reads):
    monkeypatch.setattr(_index, "_SETTLED", 2_000_000_000)
    write_folder(tmp_path, count=2)
    monkeypatch.setattr(_index, "file_state", lambda path: (7, 7))  # as coarse times would have it
    monkeypatch.setattr(_check, "file_state", lambda path: (7, _index.time.time_ns()))
    HumanFolder(tmp_path)
    HumanFolder(tmp_path)
    assert len(reads) == 12


def test_lines_may_be_added_moved_and_changed(tmp_path, reads):
    entries = write_folder(tmp_path, count=4)
    HumanFolder(tmp_path)
    entries = [entries[3], entries[0] | {"text": "somebody else", "repeats": 3}, entries[1]]
    write_metadata(tmp_path, entries)
    reads.clear()
    data = HumanFolder(tmp_path)
    assert reads == ["000000.png"] * 3
    assert data.captions == ["person 3", "somebody else", "person 1"] and data.repeats.tolist() == [1, 3, 1]
    np.testing.assert_array_equal(data[0].image, make_sample(48, 48, 3).image)


def test_what_is_verified_before_an_error_is_kept(tmp_path, reads, monkeypatch):
    monkeypatch.setattr(_index, "_AT_ONCE", 1)
    write_folder(tmp_path, count=4)
    whole = (tmp_path / "images/000003.png").read_bytes()
    (tmp_path / "images/000003.png").write_bytes(b"no image")
    with pytest.raises(ValueError, match="line 4: cannot read images/000003.png"):
        HumanFolder(tmp_path)
    (tmp_path / "images/000003.png").write_bytes(whole)
    reads.clear()
    HumanFolder(tmp_path)
    assert reads == ["000003.png"] * 3


def test_a_file_that_is_gone_is_missed(tmp_path):
    write_folder(tmp_path, count=3)
    HumanFolder(tmp_path)
    (tmp_path / "hand_masks/000001.png").unlink()
    with pytest.raises(FileNotFoundError, match="line 2: 'hand_mask_file_name' names a missing file"):
        HumanFolder(tmp_path)


def test_a_link_that_comes_to_lead_outside_is_refused(tmp_path, tmp_path_factory):
    write_folder(tmp_path, count=2)
    HumanFolder(tmp_path)
    outside = tmp_path_factory.mktemp("elsewhere") / "private.png"
    (tmp_path / "images/000000.png").rename(outside)
    (tmp_path / "images/000000.png").symlink_to(outside)
    with pytest.raises(ValueError, match="leaves the data set's folder"):
        HumanFolder(tmp_path)


@pytest.mark.parametrize("damage", [b"", b"PK\x03\x04 no archive", None])
def test_a_damaged_stamp_counts_as_none(tmp_path, reads, monkeypatch, damage):
    monkeypatch.setenv("FAIRHUMAN_CACHE", str(tmp_path / "cache"))
    write_folder(tmp_path / "data", count=2)
    HumanFolder(tmp_path / "data")
    (stamp,) = (tmp_path / "cache/datasets").glob("*.npz")
    content = bytearray(stamp.read_bytes())
    content[len(content) // 2] ^= 1
    stamp.write_bytes(content if damage is None else damage)
    HumanFolder(tmp_path / "data")
    assert len(reads) == 12


def test_without_a_place_for_stamps_all_is_verified_every_time(tmp_path, reads, monkeypatch, caplog):
    (tmp_path / "file").touch()
    monkeypatch.setenv("FAIRHUMAN_CACHE", str(tmp_path / "file"))
    write_folder(tmp_path / "data", count=2)
    for _ in range(2):
        assert len(HumanFolder(tmp_path / "data")) == 2
    assert len(reads) == 12 and "is verified at every start" in caplog.text


def test_several_processes_find_the_same(tmp_path, monkeypatch):
    write_folder(tmp_path, count=3, size=(40, 60))
    monkeypatch.setattr(_index, "_AT_ONCE", 1)
    monkeypatch.setenv("FAIRHUMAN_CACHE", str(tmp_path / "one"))
    one = HumanFolder(tmp_path)
    monkeypatch.setenv("FAIRHUMAN_CACHE", str(tmp_path / "two"))
    np.testing.assert_equal(facts(HumanFolder(tmp_path, workers=2)), facts(one))
    with pytest.raises(ValueError, match="workers: must be"):
        HumanFolder(tmp_path, workers=0)


def test_records_are_a_sequence_and_notice_another_listing(tmp_path):
    entries = write_folder(tmp_path, count=4)
    records = HumanFolder(tmp_path).records
    assert [record.text for record in records[1:3]] == ["person 1", "person 2"]
    assert records[-1].text == "person 3" and records[-1].place.endswith("line 4")
    with pytest.raises(IndexError):
        records[4]
    (tmp_path / "metadata.jsonl").write_text(json.dumps(entries[1]) + "\n")
    with pytest.raises(ValueError, match=r"metadata\.jsonl has changed since it was read"):
        records[2]


def test_the_command_verifies_what_a_run_will_read(tmp_path, reads):
    entries = write_folder(tmp_path, count=2)
    run = CliRunner().invoke(app, ["verify", str(tmp_path), "--region", "face", "--condition", "depth"])
    assert run.exit_code == 0 and "2 images; face in 2" in run.output and len(reads) == 6
    HumanFolder(tmp_path, ("face",), ("depth",))
    assert len(reads) == 6
    entries[1]["text"] = ""
    write_metadata(tmp_path, entries)
    with pytest.raises(ValueError, match="line 2: caption missing"):
        CliRunner().invoke(app, ["verify", str(tmp_path)], catch_exceptions=False)
