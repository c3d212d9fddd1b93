"""An explorer in a real JupyterLab: opened, moved, read by the kernel, and there again after a second run."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from contextlib import suppress
from pathlib import Path

import nbformat
import pytest
from people import write_folder
from playwright.sync_api import TimeoutError

ROOT = Path(__file__).parents[2]
NOTEBOOK = ROOT / "notebooks" / "02_mpd_derivation.ipynb"
FREE = ("HOME", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR", "IPYTHONDIR")

MADE_UP = """
from types import SimpleNamespace
from PIL import Image
from fairhuman.data import HumanFolder
from fairhuman.detectors import Detection, Face
from fairhuman.experiments.strengths import StrengthSample
from fairhuman.explorers import RegionExplorer, TrainingExplorer
records = HumanFolder({people!r}).records
images = {{name: [Image.new("RGB", (512, 512), shade)] * 3 for name, shade in (("renders", 0), ("base", 99))}}
face = Detection(512, 512, (Face(0.5, (8, 8, 40, 40), None),), (), ())
found = dict.fromkeys(images, [face] * 3)
known = dict(losses=dict(face=1.0), weights=dict(face=2.0), gramian=[[1.0]], finite=True)
run = SimpleNamespace(log=[known | dict(step=step) for step in range(9)], heldout=[])
black = Image.new("RGB", (64, 64))
samples = [StrengthSample("base", 0, 0, 0, "a man", black), StrengthSample("mpd", 9, 1, 0, "a man", black)]
"""
WIDTH = """async () => {
    const image = new Image();
    image.src = document.querySelector("[data-view=image] image").getAttribute("href");
    await image.decode();
    return image.naturalWidth;
}"""
SHOWN = (
    "regions = RegionExplorer(images, found, records, region='face')\nregions",
    "training = TrainingExplorer({'mpd': run}, samples)\ntraining",
    "print(regions.caption, regions.system, regions.sharp['at'], training.step, training.beta)",
)


def notebook(sources, metadata):
    cells = [nbformat.v4.new_code_cell(source.strip()) for source in sources]
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


@pytest.fixture
def lab(tmp_path):
    """The address of a JupyterLab whose folder holds two small notebooks: one with the explorer's cells of
    notebook 02, one with explorers of made-up images and runs."""
    stored = nbformat.read(NOTEBOOK, as_version=4)
    (explorer,) = [cell for cell in stored.cells if "gradients = GradientExplorer(" in cell.source]
    small = notebook([explorer.source, "print(gradients.angles)"], stored.metadata)
    small.cells[0].outputs = explorer.outputs
    write_folder(tmp_path / "people", count=3, size=(64, 64))
    made_up = notebook([MADE_UP.format(people=str(tmp_path / "people")), *SHOWN], stored.metadata)
    folder = tmp_path / "notebooks"
    folder.mkdir()
    nbformat.write(small, folder / "small.ipynb")
    nbformat.write(made_up, folder / "made_up.ipynb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    places = {name: str(tmp_path / "home" / name.lower()) for name in FREE}
    command = [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", f"--ServerApp.port={port}"]
    command += ["--ServerApp.port_retries=0", "--IdentityProvider.token=", f"--ServerApp.root_dir={folder}"]
    command += ["--LabApp.news_url=", "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate"]
    address = f"http://127.0.0.1:{port}"
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    with (tmp_path / "lab.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=folder, env=os.environ | places | {"PYTHONPATH": path}, stdout=log, stderr=log
        )
        try:
            for _ in range(300):
                try:
                    urllib.request.urlopen(f"{address}/api/status", timeout=5).close()
                    break
                except OSError:
                    assert server.poll() is None, (tmp_path / "lab.log").read_text()
                    time.sleep(0.5)
            yield address
        finally:
            server.terminate()
            server.wait(60)


@pytest.mark.slow
def test_the_gradients_are_moved_in_jupyterlab(lab, chromium, tmp_path):
    with chromium() as context:
        tab, complaints = context.new_page(), []
        tab.set_default_timeout(120_000)
        tab.on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(f"{lab}/lab/tree/small.ipynb?reset")

        # Before a kernel has run anything: the stored picture.
        tab.locator(".jp-OutputArea-output img").wait_for()
        assert tab.locator(".fairhuman-explorer").count() == 0

        run_all(tab, "[2]:")
        handle = tab.locator("circle[data-objective=face]")
        handle.wait_for()
        assert handle.get_attribute("aria-valuenow") == "45"
        handle.focus()
        for _ in range(25):
            handle.press("ArrowLeft")
        assert handle.get_attribute("aria-valuenow") == "170"
        assert "plain sum (face)" in tab.locator("p[role=status]").inner_text()
        # Python has answered with what only SciPy finds.
        row = tab.locator("tr[data-method=least_squares]")
        row.locator("td.rate").first.wait_for()
        assert (
            row.locator("td").first.inner_text() == tab.locator("tr[data-method=mpd] td").first.inner_text()
        )

        run_all(tab, "[4]:")
        tab.get_by_text("[0.0, 170.0, -45.0]").wait_for()  # printed by the last cell: the kernel knows
        handle.wait_for()
        assert handle.get_attribute("aria-valuenow") == "170"
        assert [text for text in complaints if "favicon" not in text] == []


@pytest.mark.slow
def test_images_and_runs_are_moved_in_jupyterlab(lab, chromium):
    with chromium() as context:
        tab, complaints = context.new_page(), []
        tab.set_default_timeout(120_000)
        tab.set_viewport_size({"width": 1280, "height": 3000})  # Lab leaves out cells that are not in view
        tab.on(
            "console", lambda message: complaints.append(message.text) if message.type == "error" else None
        )
        tab.on("pageerror", lambda error: complaints.append(str(error)))
        tab.goto(f"{lab}/lab/tree/made_up.ipynb?reset")
        run_all(tab, "[4]:", 110)
        tab.locator("select[name=system]").select_option("renders")
        tab.locator("select[name=caption]").select_option("1")
        # Small pictures are stored; Python sends the one that is shown in full size.
        for _ in range(100):
            if tab.evaluate(WIDTH) == 512:
                break
            tab.wait_for_timeout(200)
        assert tab.evaluate(WIDTH) == 512
        steps, beta = tab.locator(".training input[type=range]").all()
        for slider, key in ((steps, "Home"), (steps, "ArrowRight"), (beta, "Home")):
            slider.focus()
            slider.press(key)
        run_all(tab, "[8]:", 110)
        tab.get_by_text("1 renders ['renders', 1] 1 0.0").wait_for()  # the kernel knows, after a second run
        assert tab.locator("select[name=caption]").input_value() == "1"
        assert tab.locator(".training input[type=range]").first.input_value() == "1"
        assert [text for text in complaints if "favicon" not in text] == []


def run_all(tab, prompt, seconds=40):
    """Run all cells, to the last one's prompt; Lab drops what is asked for while it connects to a kernel."""
    for _ in range(6):
        tab.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
        tab.get_by_role("menuitem", name="Run", exact=True).click()
        tab.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        with suppress(TimeoutError):
            tab.locator(".jp-InputPrompt", has_text=prompt).wait_for(timeout=1000 * seconds)
            return
    raise AssertionError(f"Lab ran no cell up to {prompt}")
