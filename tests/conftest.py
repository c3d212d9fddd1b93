"""Settings common to all tests: seeded, few threads, nothing from a hub."""

import os

os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")

import random

import numpy as np
import pytest


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
