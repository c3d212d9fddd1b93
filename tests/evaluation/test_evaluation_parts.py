"""An evaluation that is cut off keeps the parts that are done, and takes none that no longer fits."""

import numpy as np
import pytest

from fairhuman.evaluation import distances, parts
from fairhuman.evaluation.parts import in_parts


@pytest.fixture
def paths(tmp_path, monkeypatch):
    monkeypatch.setattr(parts, "PART", 2)
    files = [tmp_path / f"{index}.png" for index in range(5)]
    for file in files:
        file.write_text(file.name)
    return files


def test_what_is_done_is_not_done_again(paths, tmp_path):
    done = []

    def compute(part):
        done.append(part.start)
        if part.start == 4 and len(done) == 3:
            raise MemoryError
        return {"numbers": np.arange(5)[part], "names": np.array([path.name for path in paths])[part]}

    def call(identity="reader"):
        return in_parts(paths, compute, lambda part: [identity, part.start], cache=tmp_path / "cache")

    with pytest.raises(MemoryError):
        call()
    found = call()
    assert done == [0, 2, 4, 4]
    assert found["numbers"].tolist() == [0, 1, 2, 3, 4] and found["names"][-1] == "4.png"
    paths[3].write_text("another image")
    call()
    assert done[4:] == [2]
    call("another reader")
    assert done[5:] == [0, 2, 4]
    for file in (tmp_path / "cache").rglob("*.npz"):
        file.write_bytes(b"damaged")
    call()
    assert done[8:] == [0, 2, 4]


def test_of_no_images_there_are_empty_arrays(tmp_path):
    empty = in_parts([], lambda part: {"whole": np.empty((0, 3))[part]}, lambda part: None, cache=tmp_path)
    assert empty["whole"].shape == (0, 3)


@pytest.mark.parametrize("distance", [distances.kernel_distance, distances.frechet_distance])
def test_tiles_change_no_distance(monkeypatch, distance):
    random = np.random.default_rng(0)
    sets = random.normal(size=(41, 6)).astype(np.float32), random.normal(0.2, 1, (57, 6))
    whole = distance(*sets, resamples=20)
    monkeypatch.setattr(distances, "_TILE", 10)
    tiled = distance(*sets, resamples=20)
    for name in ("value", "low", "high"):
        assert getattr(tiled, name) == pytest.approx(getattr(whole, name), abs=1e-9)
