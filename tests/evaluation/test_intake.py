"""Every bad file among good ones is named and counted, and every odd one is read as documented."""

import numpy as np
import pytest
from PIL import Image

from fairhuman.evaluation.intake import inspect_images
from fairhuman.images import as_rgb


@pytest.fixture
def folder(tmp_path):
    grey = Image.fromarray(np.full((16, 24), 100, np.uint8))
    colour = Image.merge("RGB", [grey] * 3)
    colour.save(tmp_path / "a_good.png")
    grey.save(tmp_path / "b_grey.png")
    colour.convert("CMYK").save(tmp_path / "c_cmyk.jpg", quality=100)
    Image.fromarray(np.full((16, 24), 100 * 257, np.uint16)).save(tmp_path / "d_deep.png")
    colour.save(tmp_path / "e_animated.gif", save_all=True, append_images=[Image.new("RGB", (24, 16), "red")])
    (tmp_path / "f_zero.png").touch()
    whole = (tmp_path / "a_good.png").read_bytes()
    (tmp_path / "g_cut.png").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "h_text.jpg").write_text("no image at all")
    Image.new("RGB", (300, 300)).save(tmp_path / "i_huge.png")
    (tmp_path / "notes.txt").write_text("not meant as an image")
    return tmp_path


def test_each_file_is_taken_or_refused_with_its_reason(folder):
    found = inspect_images(folder, most_pixels=10_000)
    assert [path.name for path in found.images] == ["a_good.png", "b_grey.png", "c_cmyk.jpg", "d_deep.png"]
    reasons = {path.name: reason for path, reason in found.refused.items()}
    assert set(reasons) == {"e_animated.gif", "f_zero.png", "g_cut.png", "h_text.jpg", "i_huge.png"}
    assert reasons["f_zero.png"] == "empty file"
    assert reasons["e_animated.gif"] == "animated: 2 frames"
    assert reasons["i_huge.png"] == "300 × 300 pixels are more than max_pixels = 10000"
    assert "truncated" in reasons["g_cut.png"] and reasons["h_text.jpg"].startswith("not an image")
    converted = {path.name: kind for path, kind in found.converted.items()}
    assert converted == {
        "b_grey.png": "grey",
        "c_cmyk.jpg": "CMYK",
        "d_deep.png": "16-bit grey with values to 25700",
    }
    assert found.summary() == "4 images judged (3 converted to RGB), 5 refused"


def test_what_is_converted_looks_the_same(folder):
    for path in inspect_images(folder, most_pixels=10_000).images:
        assert np.abs(as_rgb(path).astype(int) - 100).max() <= 3, path.name


def test_all_or_an_error_that_names_them(folder):
    with pytest.raises(ValueError, match=r"5 cannot be judged: .*e_animated\.gif: animated"):
        inspect_images(folder, most_pixels=10_000).require_all()
    good = [folder / "a_good.png"]
    assert inspect_images(good).require_all() == good


def test_nothing_there_is_said(tmp_path):
    with pytest.raises(ValueError, match="holds no image file"):
        inspect_images(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        inspect_images(tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match="no such file"):
        inspect_images([tmp_path / "a.png"])
