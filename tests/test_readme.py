"""Every Python block of the pages runs, in order; every command and file that they name exists."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PAGES = ("README.md", "RESULTS.md", "USAGE.md", "ARCHITECTURE.md", "CONTRIBUTING.md")
README = "\n".join((ROOT / name).read_text() for name in PAGES)
PYTHON = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
COMMANDS = sorted(set(re.findall(r"python -m fairhuman ((?:train )?[a-z-]+)", README)))
TARGETS = sorted(set(re.findall(r"`?make ([a-z]+)", README)))


@pytest.mark.parametrize("target", TARGETS)
def test_make_targets_exist(target):
    assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_exist(command):
    call = [sys.executable, "-m", "fairhuman", *command.split(), "--help"]
    assert subprocess.run(call, capture_output=True, check=False).returncode == 0


def test_linked_files_exist():
    links = re.findall(r"\]\(([^)#:]+)\)", README) + re.findall(r'src="([^":]+)"', README)
    assert [link for link in links if not (ROOT / link).exists()] == []


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A folder in which the README's paths exist: the embedded base, and a LoRA of a few steps."""
    from people import write_folder

    from fairhuman.training import TrainSettings, train

    root = tmp_path_factory.mktemp("readme")
    (root / "fairhuman").symlink_to(ROOT / "fairhuman")
    write_folder(root / "people", count=2, size=(64, 64))
    settings = {"resolution": 64, "steps": 2, "batch_size": 2, "rank": 2}
    train(TrainSettings(data=str(root / "people"), output=str(root / "runs/quick/lora-mpd"), **settings))
    return root


@pytest.mark.parametrize("block", PYTHON, ids=[f"block {n}" for n in range(1, len(PYTHON) + 1)])
def test_python_blocks_run(block, folder):
    done = subprocess.run(
        [sys.executable, "-c", block], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_lora_script_is_ten_lines_and_makes_an_image(folder):
    script = next(block for block in PYTHON if "load_lora_weights" in block)
    assert len([line for line in script.splitlines() if line.strip()]) <= 12
    from PIL import Image

    assert Image.open(folder / "woman.png").size == (256, 256)


def test_tables_are_the_stored_ones():
    blocks = re.findall(r"<!-- (figures/\S+\.md) -->\n(.*?)\n<!-- end -->", README, flags=re.DOTALL)
    assert blocks
    for path, shown in blocks:
        assert shown in (ROOT / path).read_text(), path
