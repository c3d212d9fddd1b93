"""The masks explorer computes in the browser what the library computes, and moves by mouse and keyboard."""

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import torch
import traitlets

from fairhuman import explorers
from fairhuman.data import HumanSample
from fairhuman.regions import box_mask, latent_mask

pytest.importorskip("anywidget")
GRID = Path(explorers.__file__).with_name("grid.js")


def person(face=(20, 30, 60, 90), hands=((100, 5, 120, 9), (3, 110, 9, 120)), size=128):
    """A picture with an ellipse for a face and two rectangles for hands."""
    y, x = np.mgrid[:size, :size]
    x0, y0, x1, y1 = face
    inside = ((x - (x0 + x1) / 2) / (x1 - x0) * 2) ** 2 + ((y - (y0 + y1) / 2) / (y1 - y0) * 2) ** 2 <= 1
    both = box_mask(hands, (size, size))[0].numpy()
    boxes = dict(zip(("left_hand", "right_hand"), hands, strict=False))
    return HumanSample(
        image=np.full((size, size, 3), 128, np.uint8),
        text="A person & two </script> hands",
        masks={"face": (255 * inside).astype(np.uint8), "hand": (200 * both).astype(np.uint8)},
        boxes={"face": face, "body": (0, 0, size, size)} | boxes,
    )


@pytest.fixture
def explorer():
    return explorers.MaskExplorer([person(), person(hands=())])


@pytest.mark.skipif(not shutil.which("node"), reason="needs Node.js")
def test_the_browser_computes_what_the_library_computes(tmp_path):
    draw = torch.Generator().manual_seed(0)
    module = tmp_path / "grid.mjs"
    module.write_text(GRID.read_text())
    cases, expected = [], []
    for side in (2, 4, 8, 16, 32):
        mask = (torch.rand(64, 128, generator=draw) * 255).round() / 255
        corner = torch.randint(-20, 60, (3, 2), generator=draw)
        boxes = torch.cat([corner, corner + torch.randint(1, 60, (3, 2), generator=draw)], 1).tolist()
        cases.append({"side": side, "mask": mask.double().flatten().tolist(), "boxes": boxes})
        for pixels in (mask, box_mask(boxes, (64, 128))[0]):
            for mode in ("soft", "hard"):
                grid = latent_mask(pixels[None, None].double(), (64 // side, 128 // side), mode)
                expected.append(grid.flatten().tolist())
    (tmp_path / "cases.json").write_text(json.dumps(cases))
    (tmp_path / "run.mjs").write_text(
        """import { readFileSync } from "fs"; import { boxMask, onGrid } from "./grid.mjs";
        const cases = JSON.parse(readFileSync(new URL("cases.json", import.meta.url)));
        const both = ({ mask, boxes }) =>
          [{ values: Float64Array.from(mask), width: 128, height: 64 }, boxMask(boxes, 128, 64)];
        console.log(JSON.stringify(cases.flatMap(one => both(one).flatMap(pixels =>
          ["mean", "nearest"].map(way => [...onGrid(pixels, one.side, way).values])))));"""
    )
    done = subprocess.run(["node", tmp_path / "run.mjs"], capture_output=True, text=True, check=True)
    for found, wanted in zip(json.loads(done.stdout), expected, strict=True):
        assert found == pytest.approx(wanted, abs=1e-9)


def rows(page):
    """Mask → its row of the table."""
    return {
        row.get_attribute("data-mask"): row.inner_text().split("\t") for row in page.locator("tbody tr").all()
    }


def test_mouse_and_keys_move_it_and_the_table_follows(explorer, chromium, tmp_path):
    file = tmp_path / "masks.html"
    file.write_text(explorer.page("Masks <&>"), encoding="utf-8")
    with chromium() as context:
        page, complaints = context.new_page(), []
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(file.as_uri())
        page.wait_for_selector("tbody tr")

        def expect(**state):
            for name, value in state.items():
                setattr(explorer, name, value)
            page.wait_for_function(  # a picture may be decoded first
                """([mask, share]) => { const row = document.querySelector("tr[aria-current]");
                const shown = parseFloat(row?.cells[2].textContent);
                return row?.dataset.mask === mask && Math.abs(shown / share - 1) < 0.006; }""",
                arg=[f"{explorer.outline} {explorer.way}", 100 * float(explorer.mask().mean())],
                timeout=5000,
            )
            for name, (_, way, _, _, cells) in rows(page).items():
                assert int(cells) == (explorer.mask(name.split()[0], way) > 0).sum()

        expect()
        page.select_option("select[name=region]", "face")
        expect(region="face")
        page.select_option("select[name=mask]", "box")
        expect(outline="box")
        page.select_option("select[name='on the grid']", "nearest")
        expect(way="nearest")
        cell, shift = page.locator("input[type=range]").all()
        cell.focus()
        page.keyboard.press("ArrowRight")
        expect(side=16)
        shift.focus()
        for _ in range(5):
            page.keyboard.press("ArrowRight")
        expect(shift=5)
        page.select_option("select[name=region]", "hand")
        page.locator(".strip button").nth(1).click()
        page.wait_for_function("document.querySelector('[role=status]').textContent.includes('no hand')")
        assert complaints == []


def test_it_goes_on_where_it_was_left_when_its_cell_runs_again():
    samples = [person(face=(1, 2, 50, 60))]
    first = explorers.MaskExplorer(samples)
    first.side, first.region = 32, "face"
    again = explorers.MaskExplorer(samples)
    assert (again.side, again.region) == (32, "face")
    assert explorers.MaskExplorer(samples, side=4).side == 4  # other starting values: another explorer


def test_what_a_notebook_stores_is_a_picture_and_makes_the_page_again(explorer):
    bundle, _ = explorer._repr_mimebundle_()
    assert bundle["image/png"] and len(json.dumps(bundle)) < 200_000
    stored = bundle[explorers.MIME]
    assert explorers.fragment(stored["explorer"], stored["values"]) == explorer.fragment()
    assert explorer.fragment().count("</script>") == 2  # the caption's is no end of a script


@pytest.mark.parametrize(
    ("state", "words"),
    [({"picture": 2}, "below 2"), ({"region": "foot"}, "foot"), ({"side": 3}, "side"),
     ({"shift": 40}, "shift"), ({"way": "soft"}, "way"), ({"picture": -1}, "picture")],
)  # fmt: skip
def test_values_out_of_range_are_refused(state, words):
    with pytest.raises(traitlets.TraitError, match=words):
        explorers.MaskExplorer([person(), person()], **state)


def test_samples_that_do_not_fit_are_refused():
    for samples in ([], [person(), person(size=192)], [person(size=100)]):
        with pytest.raises(ValueError, match="samples: "):
            explorers.MaskExplorer(samples)
