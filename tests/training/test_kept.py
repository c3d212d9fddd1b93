"""Encoded images on disk: the same bits, and encoded again when what they were made from has changed."""

import json

import pytest
import torch
from people import make_sample, write_folder, write_metadata
from PIL import Image
from safetensors.torch import load_file

from fairhuman.data import _index
from fairhuman.models import tiny_pipeline
from fairhuman.training import TrainSettings, _batches, train


@pytest.fixture
def encoded(monkeypatch):
    """How many images were encoded."""
    monkeypatch.setattr(_index, "_SETTLED", 0)
    calls = []
    encode = _batches.encode_image
    monkeypatch.setattr(_batches, "encode_image", lambda *given: calls.append(1) or encode(*given))
    return calls


@pytest.fixture
def own(values, base, tmp_path):
    """Settings with a data set that may be changed; each call is another run."""
    write_folder(tmp_path / "own", count=3, size=(64, 64))
    runs = iter(range(10))

    def settings(**changes):
        fixed = {"data": str(tmp_path / "own"), "cache_folder": str(tmp_path / "kept"), "steps": 3}
        return TrainSettings(**values | fixed | {"output": str(tmp_path / f"run-{next(runs)}")} | changes)

    return settings


def weights(settings):
    return load_file(train(settings, progress=False).weights)


def same(one, other):
    return all(torch.equal(tensor, other[name]) for name, tensor in one.items())


def test_a_later_run_encodes_nothing_and_gives_the_same_bits(own, encoded):
    first = weights(own(flip=0.5))
    count = len(encoded)
    again, memory = weights(own(flip=0.5)), weights(own(flip=0.5, cache_folder=None))
    assert 0 < count == len(encoded) - count  # the run in memory alone has encoded
    assert same(first, again) and same(first, memory)


@pytest.mark.parametrize("what", ["image", "mask", "line", "base", "crop"])
def test_what_has_changed_is_encoded_again(own, encoded, tmp_path, what):
    train(own(), progress=False)
    count, changes, expected = len(encoded), {}, 1
    sample = make_sample(64, 64, 99)
    if what == "image":
        Image.fromarray(sample.image).save(tmp_path / "own/images/000001.png")
    elif what == "mask":
        Image.fromarray(sample.masks["hand"]).save(tmp_path / "own/hand_masks/000001.png")
    elif what == "line":
        lines = (tmp_path / "own/metadata.jsonl").read_text().splitlines()
        entries = [json.loads(line) for line in lines]
        entries[1]["text"] = "somebody else"
        write_metadata(tmp_path / "own", entries)
    elif what == "base":
        tiny_pipeline(seed=1).save_pretrained(tmp_path / "base")
        changes, expected = {"base": str(tmp_path / "base")}, 3
    else:
        changes, expected = {"resolution": 32}, 3
    kept = weights(own(**changes))
    assert len(encoded) == count + expected
    assert same(kept, weights(own(**changes, cache_folder=None)))


def test_a_damaged_file_counts_as_none(own, encoded, tmp_path):
    expected, count = weights(own()), len(encoded)
    for number, file in enumerate(sorted((tmp_path / "kept").rglob("*.safetensors"))):
        file.write_bytes(file.read_bytes()[: 100 * number])
    assert same(weights(own()), expected) and len(encoded) == 2 * count


def test_a_folder_that_cannot_be_written_costs_a_warning(own, encoded, tmp_path, caplog):
    (tmp_path / "kept").touch()
    train(own(), progress=False)
    assert sum("cannot be written" in record.getMessage() for record in caplog.records) == 1


def test_nothing_is_kept_where_nothing_may_be(own):
    with pytest.raises(ValueError, match="cache_folder: has no effect with cache false"):
        own(cache=False)
