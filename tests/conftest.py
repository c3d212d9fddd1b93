"""Settings common to all tests: seeded, few threads, nothing from a hub."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import random
import shutil

import numpy as np
import pytest
from hypothesis import settings

# How long an example takes says how busy the machine is, not whether the code is right.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")


@pytest.fixture(autouse=True, scope="session")
def own_cache(tmp_path_factory):
    """What is remembered of data sets does not outlive the tests."""
    os.environ["FAIRHUMAN_CACHE"] = str(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def seeded():
    """Every test starts from the same random state, in whatever order they run."""
    import torch

    random.seed(0)
    np.random.seed(0)  # noqa: NPY002 - libraries under test still read the global state
    torch.manual_seed(0)


@pytest.fixture
def workspace(tmp_path, monkeypatch):
    """An empty workspace: runs/, results/ and figures/ land in it."""
    monkeypatch.setenv("FAIRHUMAN_WORKSPACE", str(tmp_path))
    return tmp_path


@pytest.fixture
def chromium(tmp_path):
    """``with chromium() as context:`` opens a browser; what its pages store is there again at the next."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip("needs Chromium (Debian: apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        launch = playwright.chromium.launch_persistent_context
        yield lambda: launch(tmp_path / "profile", executable_path=program)
