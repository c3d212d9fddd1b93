"""The sheet of masks and the numbers beside it, against masks drawn by hand."""

import numpy as np
import pytest
import torch
from people import write_folder
from PIL import Image

from fairhuman.data import HumanFolder
from fairhuman.experiments.figures._style import COLOURS as STYLE
from fairhuman.training import TrainSettings, train
from fairhuman.training._watching import COLOURS, coverage, tracked, write_mask_sheet


def test_coverage_is_over_the_images_that_have_the_region():
    masks = torch.zeros(3, 1, 4, 4)
    masks[0, 0, :2] = 1.0
    masks[1, 0, 0, 0] = 1.0
    found = coverage({"face": masks, "hand": torch.zeros(3, 1, 4, 4)})
    assert found == {"face": pytest.approx((8 / 16 + 1 / 16) / 2), "hand": None}


def test_shares_are_those_of_the_direction():
    """Σᵢ wᵢ gᵢ·d = ‖d‖² for gradients that are known."""
    g = torch.tensor([[3.0, 0.0], [0.0, 2.0]])
    w = torch.tensor([1.0, 2.0])
    d = w @ g
    line = {
        "losses": {"global": 0.1, "face": 0.2},
        "weights": {"global": 1.0, "face": 2.0},
        "coverage": {"face": None},
        "gramian": (g @ g.T).tolist(),
        "learning_rate": 0.1,
        "seconds": 1.0,
    }
    found = tracked(line)
    for name, gradient, weight in zip(("global", "face"), g, w, strict=True):
        assert found[f"gradient_norms/{name}"] == pytest.approx(gradient.norm().item())
        assert found[f"shares/{name}"] == pytest.approx((weight * gradient @ d / (d @ d)).item())
    assert "coverage/face" not in found
    assert not any(name.startswith("shares/") for name in tracked(line | {"gramian": None}))


def test_the_sheet_tints_what_the_losses_see_and_nothing_else(tmp_path):
    write_folder(tmp_path / "people", count=3, size=(64, 64))
    data = HumanFolder(tmp_path / "people")
    transform = TrainSettings(data="d", output="o", resolution=64).transform
    options = {"cell": 8, "mode": "soft"}
    sheet = write_mask_sheet(tmp_path / "masks.jpg", data, transform, **options)
    bare = HumanFolder(tmp_path / "people", regions=())
    plain = write_mask_sheet(tmp_path / "bare.jpg", bare, transform, **options)
    assert Image.open(tmp_path / "masks.jpg").size == sheet.size
    gap, tile = round(256 / 20), 256
    top = next(y for y in range(plain.height) if plain.getpixel((gap + 5, y)) != (255, 255, 255) and y > 40)
    area = (gap, top, gap + tile, top + tile)
    change = np.abs(np.asarray(sheet.crop(area), int) - np.asarray(plain.crop(area), int)).max(axis=2)
    marked = np.maximum(data[0].masks["face"], data[0].masks["hand"]) > 127
    cells = marked.reshape(8, 8, 8, 8)
    centres = change[16::32, 16::32]
    assert (centres[cells.all(axis=(1, 3))] > 5).all() and (centres[~cells.any(axis=(1, 3))] == 0).all()


def test_a_run_leaves_its_sheet_and_a_resumed_one_does_not_draw_it_again(values):
    run = train(TrainSettings(**values))
    sheet = run.directory / "masks.jpg"
    before = sheet.read_bytes()
    sheet.write_bytes(b"kept")
    run.weights.unlink()
    train(TrainSettings(**values))
    assert len(before) > 1000
    assert run.log[0]["coverage"]["face"] > 0


def test_the_colours_are_those_of_the_figures():
    hexes = ["#{:02X}{:02X}{:02X}".format(*colour) for colour in COLOURS]
    assert hexes[:2] == [STYLE["face"], STYLE["hand"]]
    assert len(set(hexes)) == 4
